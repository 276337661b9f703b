/** All elements of the page. */

import '../player/player.js';
import './kept-draft.js'; // before the elements that read the fields
import './cast-list.js';
import './cloning.js';
import './cues.js';
import './job-history.js';
import './job-list.js';
import './layer-view.js';
import './learn-tour.js';
import './mask-painter.js';
import './model-list.js';
import './sample.js';
import './spectrum-lesson.js';
import './speech-history.js';
import './speech-path.js';
import './stems.js';
import './takes.js';
import './voice-embeddings.js';
import './voice-gallery.js';
import './word-table.js';
