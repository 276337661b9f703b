/** All elements of the page. */

import '../player/player.js';
import './cast-list.js';
import './cloning.js';
import './cues.js';
import './job-history.js';
import './job-list.js';
import './layer-view.js';
import './mask-painter.js';
import './model-list.js';
import './sample.js';
import './stems.js';
import './takes.js';
import './voice-gallery.js';
import './window-lab.js';
import './word-table.js';
