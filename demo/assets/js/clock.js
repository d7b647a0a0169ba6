/** Show the time in `element`, every second. */
export function start(element) {
  const tick = () => {
    element.textContent = new Date().toISOString().slice(11, 19);
  };
  tick();
  setInterval(tick, 1000);
}
