// The page's own check: everything that a module can refer to, and what has become of the style sheets.
import { depth } from "./chain/one.mjs";
import * as cycle from "./cycle/a.mjs";
import ships from "./ships.json" with { type: "json" };
import sheet from "../css/sheet.css" with { type: "css" };
import "./effect.mjs";
import { größe as size } from './gr\u00f6\u00dfe.mjs';
/* import "./nowhere.mjs" */
const text = 'import "./nowhere.mjs"', pattern = /import"\.\/nowhere\.mjs"/;

const said = (worker) => new Promise((resolve, reject) => {
  worker.onmessage = (event) => resolve(event.data);
  worker.onerror = () => reject(new Error("a worker failed"));
  worker.postMessage("go");
});
const style = (selector, property) => getComputedStyle(document.querySelector(selector)).getPropertyValue(property);

document.adoptedStyleSheets = [sheet];
const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
use.setAttribute("href", new URL("../img/sprite.svg#mast", import.meta.url));
document.querySelector("#mast").append(use);
const picture = new Image();
picture.src = new URL(`../img/from-js.svg`, import.meta.url).href;
await picture.decode();
await document.fonts.load('32px "Own Icons"', "\uf102");
await document.fonts.ready;
const { lazy } = await import("./lazy.mjs");

const result = {
  depth,
  cycle: cycle.around(),
  json: ships.length,
  sheet: style(".sheet", "color"),
  effect: globalThis.effect,
  size,
  lazy,
  template: (await import(`./lazy-template.mjs`)).default,
  resolved: await (await fetch(import.meta.resolve("./text.txt"))).text(),
  fetched: (await (await fetch(new URL("ships.json", import.meta.url))).json())[1],
  moduleWorker: await said(new Worker(new URL("./worker.mjs", import.meta.url), { type: "module" })),
  classicWorker: await said(new Worker(new URL("./classic.js", import.meta.url))),
  picture: picture.naturalWidth,
  chain: ["--one", "--two", "--three"].map((name) => style(":root", name).trim()).join(""),
  layered: style(".layered", "color"),
  cssCycle: style(".cycle-a", "color") + style(".cycle-b", "color"),
  comment: style(".comment", "color"),
  font: [...document.fonts].map((font) => `${font.family.replaceAll('"', "")} ${font.status}`).join(),
  strings: text.length + pattern.source.length,
};
// The external sprite is fetched on its own time.
const flag = document.querySelector("#flag use");
for (let i = 0; i < 100 && !flag.getBBox().width; i++) await new Promise((resolve) => setTimeout(resolve, 50));
result.sprite = flag.getBBox().width > 0;
document.documentElement.dataset.result = JSON.stringify(result);
