// What the page was told, and whether the test has it hidden.
window.told = [];
document.addEventListener("shipfiles:newer-release", (event) => window.told.push(event.detail));
let hidden = false;
Object.defineProperty(document, "hidden", { get: () => hidden });
window.hide = (value) => {
  hidden = value;
  document.dispatchEvent(new Event("visibilitychange"));
};
