// Monaco's ESM as it lies in the package, module by module, without a bundler.
import * as monaco from "../monaco-editor/esm/vs/index.js";

const editor = monaco.editor.create(document.querySelector("#editor"), { value: '{"ship": "Argo",}', language: "json" });
const markers = () => monaco.editor.getModelMarkers({});
for (let i = 0; i < 400 && !markers().length; i++) await new Promise((resolve) => setTimeout(resolve, 50));
await editor.getAction("actions.find").run();
await document.fonts.load("16px codicon");
document.documentElement.dataset.result = JSON.stringify({
  text: document.querySelector(".view-lines")?.innerText.replaceAll("\u00a0", " ").trim(),
  coloured: new Set([...document.querySelectorAll(".view-line span span")].map((s) => getComputedStyle(s).color)).size > 1,
  markers: markers().map((marker) => marker.message),
  languages: monaco.languages.getLanguages().length > 50,
});
