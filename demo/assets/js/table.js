/** A table cell with a text in it. */
export function cell(tag, text) {
  const element = document.createElement(tag);
  element.textContent = text;
  return element;
}
