importScripts("./parts/one.js", "parts/two.js"); onmessage = () => postMessage(one + two);
