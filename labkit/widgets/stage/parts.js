// Small parts of the stage's page: elements, the clock in words, the legend.

function make(tag, cls, attributes = {}, ...children) {
  const node = document.createElement(tag);
  if (cls) node.className = cls;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function clockWords(t, end) {
  if (end >= 10) return `t = ${t.toFixed(2)} s`;
  return `t = ${(t * 1000).toFixed(end < 0.1 ? 1 : 0)} ms`;
}

function isDark() {
  const told = document.body.dataset.jpThemeLight;
  return told === undefined ? window.matchMedia("(prefers-color-scheme: dark)").matches : told === "false";
}

// What the signs mean: only those that this key wears.
function legendOf(scene, k, note) {
  const kinds = new Set(scene.boards.flatMap((board) => board.lanes.map((lane) => lane.kind)));
  const mine = scene.boards.flatMap((board) => board.cells.filter((cell) => cell.k === k));
  const marks = new Set(mine.flatMap((cell) => Object.keys(cell.marks)));
  const acked = scene.boards.some((board) => board.acked);
  const stuck = mine.some((cell) => cell.trips.some((trip) => trip.f !== null || trip.x !== null));
  const signs = [["bar", "committed so far", scene.boards.some((board) => board.commits.length)],
    ["read", "read, and still there", kinds.has("log")],
    ["out", acked ? "out, not acknowledged" : "received", kinds.has("queue")], ["gone", "acknowledged: gone", acked],
    ["late", "out of order", marks.has("late")], ["twice", "handled twice", marks.has("twice")],
    ["cross", "failed, lost or dead letter", stuck || marks.has("lost") || marks.has("refused")]];
  const shown = signs.filter((sign) => sign[2]).map(([sign, words]) =>
    make("span", "", {}, make("i", `labkit-sign labkit-sign-${sign}`, { "aria-hidden": "true" }), words));
  shown.unshift(make("span", "", {}, make("b", "", {}, "+n"), "sent, not confirmed"));
  return note ? [...shown, make("span", "", {}, note)] : shown;
}
