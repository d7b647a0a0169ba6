// Tells the page, once, of a newer release.
(() => {
  const { release, since, url, every } = document.currentScript.dataset;
  let next, timer, busy, faults = 0;
  const rest = () => {
    next = Date.now() + Math.min(every * 1e3 * 2 ** faults, 864e5) * (1 + Math.random() / 4);
  };
  const ask = async () => {
    clearTimeout(timer);
    const wait = next - Date.now();
    if (busy || document.hidden) return;
    if (wait > 0) return void (timer = setTimeout(ask, wait));
    busy = true;
    try {
      const answer = await fetch(url, { credentials: "omit", signal: AbortSignal.timeout(1e4) });
      const used = answer.ok && (await answer.json());
      if (used.release && used.release !== release && !(used.since < since)) {
        return void document.dispatchEvent(new CustomEvent("shipfiles:newer-release", { detail: used }));
      }
      faults = used ? 0 : faults + 1;
    } catch {
      faults++;
    }
    busy = false;
    rest();
    ask();
  };
  document.addEventListener("visibilitychange", ask);
  rest();
  ask();
})();
