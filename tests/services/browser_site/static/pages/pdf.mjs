import * as pdfjs from "../pdfjs-dist/build/pdf.mjs";

// The way to give a worker's address that has a hashed name.
pdfjs.GlobalWorkerOptions.workerSrc = new URL("../pdfjs-dist/build/pdf.worker.mjs", import.meta.url).href;

const file = await pdfjs.getDocument({ url: new URL("../made/ship.pdf", import.meta.url).href }).promise;
const page = await file.getPage(1);
const canvas = document.querySelector("canvas");
await page.render({ canvas, viewport: page.getViewport({ scale: 1 }) }).promise;
const pixel = (x, y) => [...canvas.getContext("2d").getImageData(x, y, 1, 1).data.slice(0, 3)].join(" ");
document.documentElement.dataset.result = JSON.stringify({
  pages: file.numPages,
  text: (await page.getTextContent()).items.map((item) => item.str).join(""),
  red: pixel(20, 80),
  white: pixel(190, 10),
  fake: pdfjs.PDFWorker._isWorkerDisabled ?? false,
});
