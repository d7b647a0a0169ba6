import { start } from "./clock.js";

start(document.getElementById("clock"));

addEventListener("load", async () => {
  const { show } = await import("./cargo.js");
  show(document.getElementById("cargo"));
});
