/** All elements of the page. */

import '../player/player.js';
import './job-history.js';
import './job-list.js';
import './layer-view.js';
import './mask-painter.js';
import './model-list.js';
import './stems.js';
