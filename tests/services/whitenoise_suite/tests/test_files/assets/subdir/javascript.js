// A script, of which ranges are asked for.
window.answer = 42;
