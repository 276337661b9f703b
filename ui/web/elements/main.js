/** All elements of the page. */

import '../player/player.js';
import './job-list.js';
import './stems.js';
