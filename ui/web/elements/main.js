/** All elements of the page. */

import '../player/player.js';
import './job-list.js';
import './layer-view.js';
import './mask-painter.js';
import './learn-tour.js';
import './speech-history.js';
import './speech-path.js';
import './spectrum-lesson.js';
import './stems.js';
import './voice-embeddings.js';
