// A classic script, after the bundle. Opens the collapsed part by a click, as a person does.
const button = document.querySelector("button");
document.querySelector("#more").addEventListener("shown.bs.collapse", async () => {
  await document.fonts.load('16px "bootstrap-icons"', "\uf102");
  document.documentElement.dataset.result = JSON.stringify({
    version: bootstrap.Collapse.VERSION,
    shown: document.querySelector("#more").classList.contains("show"),
    button: getComputedStyle(button).backgroundColor,
    icon: getComputedStyle(document.querySelector(".bi"), "::before").fontFamily,
    fonts: [...document.fonts].map((font) => font.status),
    dataImage: getComputedStyle(document.querySelector("input")).backgroundImage.slice(0, 20),
  });
});
addEventListener("load", () => button.click());
