/** All elements of the page. */

import '../player/player.js';
import './job-list.js';
import './layer-view.js';
import './mask-painter.js';
import './stems.js';
import './window-lab.js';
