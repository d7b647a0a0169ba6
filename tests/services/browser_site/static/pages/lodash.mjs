import * as lodash from "../lodash-es/lodash.js";
import chunk from "../lodash-es/chunk.js";

document.documentElement.dataset.result = JSON.stringify({
  names: Object.keys(lodash).length,
  same: lodash.chunk === chunk,
  chunks: chunk([1, 2, 3], 2),
});
