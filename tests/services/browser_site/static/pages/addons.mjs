// Imports every module of three's examples/jsm that the page names.
const names = JSON.parse(document.querySelector("#names").textContent);
const failed = {};
await Promise.all(names.map((name) => import(name).catch((error) => { failed[name] = String(error); })));
document.documentElement.dataset.result = JSON.stringify({ modules: names.length, failed });
