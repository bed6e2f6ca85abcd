// Where a scene's boards, lanes, producers and consumers stand on the canvas, and which part of a long log is in sight.

const PAD = 6, LABEL = 24, GAP = 12, BOX = 58, BOX_GAP = 10;

function layOut(scene, width) {
  const narrow = width < 640;
  const producerW = narrow ? 62 : 104, consumerW = narrow ? 96 : 136;
  const laneX = producerW + (narrow ? 22 : 56), laneW = width - laneX - consumerW - (narrow ? 34 : 84);
  let y = 2;
  const boards = scene.boards.map((board) => {
    const most = Math.max(...board.lanes.map((lane) => lane.size), 1);
    const pitch = Math.min(36, Math.max(23, (laneW - 2 * PAD) / most)), cell = Math.min(28, pitch - 5);
    const laneH = cell + 2 * PAD, top = y + (scene.boards.length > 1 ? 30 : 0);
    const lanesH = board.lanes.length * (LABEL + laneH + GAP) - GAP;
    const boxesH = board.consumers.length * (BOX + BOX_GAP) - BOX_GAP;
    const high = Math.max(lanesH, boxesH, 66);
    const lanes = board.lanes.map((lane, i) => ({
      y: top + (high - lanesH) / 2 + i * (LABEL + laneH + GAP) + LABEL, h: laneH, x: laneX, w: laneW,
      fit: Math.floor((laneW - 2 * PAD + 5) / pitch) }));
    const step = board.consumers.length > 1 ? Math.min((high - BOX) / (board.consumers.length - 1), 120) : 0;
    const used = step * (board.consumers.length - 1) + BOX;
    const consumers = board.consumers.map((_, i) => ({
      x: width - consumerW - 1, y: top + (high - used) / 2 + i * step, w: consumerW, h: BOX }));
    const apart = board.producers.length > 1 ? (high - BOX) / (board.producers.length - 1) : 0;
    const producers = board.producers.map((_, i) => ({
      x: 1, y: top + (apart ? i * apart : (high - BOX) / 2), w: producerW, h: BOX }));
    const found = { y, top, high, pitch, cell, lanes, consumers, producers, ...indexed(board) };
    y = top + high + 22;
    return found;
  });
  return { narrow, width, height: Math.ceil(y - 8), boards };
}

// How far each log is read (else: filled), as steps that the window follows.
function indexed(board) {
  const follow = board.lanes.map(() => []), filled = board.lanes.map(() => []);
  for (const cell of board.cells) {
    for (const trip of cell.trips) follow[cell.lane].push([trip.r, cell.slot]);
    filled[cell.lane].push([cell.at, cell.slot]);
  }
  const byTime = (a, b) => a[0] - b[0];
  const inLane = board.lanes.map((_, l) => board.cells.flatMap((cell, i) => (cell.lane === l ? [i] : [])));
  return { inLane, follow: follow.map((steps, i) => (steps.length ? steps : filled[i]).sort(byTime)) };
}

function between(steps, t) {
  let low = 0, high = steps.length;
  while (low < high) { const mid = (low + high) >> 1; if (steps[mid][0] <= t) low = mid + 1; else high = mid; }
  if (low === 0) return steps.length ? steps[0][1] : 0;
  if (low === steps.length) return steps[low - 1][1];
  const [[t0, v0], [t1, v1]] = [steps[low - 1], steps[low]];
  return v0 + (v1 - v0) * (t1 > t0 ? (t - t0) / (t1 - t0) : 1);
}

function windowOf(lane, at, steps, t) {
  if (lane.size <= at.fit) return 0;
  return Math.min(Math.max(between(steps, t) - lane.first - at.fit * 0.45, 0), lane.size - at.fit);
}

