// The picture of one moment on a canvas. Nothing here changes the model; `hits` says what lies where, for the mouse.

const LIGHT = { paper: "#ffffff", ink: "#1b1b1f", soft: "#50545c", line: "#d3d6dc", lane: "#f4f5f7", wait: "#c3c8d0",
  read: "#e4e6ea", broken: "#D55E00", onBroken: "#ffffff", kafka: ["#0072B2", "#ffffff"],
  rabbitmq: ["#E69F00", "#1b1b1f", "#966500"], stream: ["#56B4E9", "#1b1b1f", "#1f6f9f"] };
const DARK = { paper: "#16181d", ink: "#eceef2", soft: "#9aa0ab", line: "#3a3f49", lane: "#20232a", wait: "#5b626e",
  read: "#333842", broken: "#FF8A3D", onBroken: "#16181d", kafka: ["#4aa8e0", "#10131a"],
  rabbitmq: ["#E69F00", "#16181d"], stream: ["#7cc8f2", "#16181d"] };
const SIGNS = { kafka: "◆", rabbitmq: "▲", stream: "▼" };
const FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif";
class Painter {
  constructor(ctx, scene, place, palette) {
    Object.assign(this, { ctx, scene, place, palette, hits: [] });
  }

  paint(t, flight, chosen) {
    const { ctx, place, palette } = this;
    this.hits = [];
    ctx.clearRect(0, 0, place.width, place.height);
    ctx.textBaseline = "middle";
    this.scene.boards.forEach((board, b) => {
      const at = place.boards[b], spots = spotsAt(board, t, flight);
      if (this.scene.boards.length > 1) this.text(`${SIGNS[board.broker] ?? "●"} ${board.name}`, 1, at.y + 12, 15, palette.ink, "left", "700");
      this.furniture(board, at);
      this.lanes(board, at, spots, t, flight, chosen);
      this.makers(board, at, spots, t, chosen);
      this.boxes(board, at, spots, t, chosen);
      this.flights(board, at, spots, t, chosen);
    });
  }

  text(words, x, y, size, colour, align = "left", weight = "400") {
    const { ctx } = this;
    ctx.font = `${weight} ${size}px ${FONT}`;
    ctx.textAlign = align;
    ctx.fillStyle = colour;
    ctx.fillText(words, x, y);
  }

  // What does not fit is cut, but not the number at its end: it tells two that share the work apart.
  fit(words, room, size) {
    this.ctx.font = `400 ${size}px ${FONT}`;
    if (this.ctx.measureText(words).width <= room) return words;
    const number = words.match(/ \d+$/)?.[0] ?? "";
    let cut = words.slice(0, words.length - number.length);
    while (cut.length > 1 && this.ctx.measureText(cut + "…" + number).width > room) cut = cut.slice(0, -1);
    return cut + "…" + number;
  }

  name(words, it, size = it.w < 100 ? 11 : 13) {
    this.text(this.fit(words, it.w - 14, size), it.x + 9, it.y + 16, size, this.palette.ink);
  }

  box(x, y, w, h, r, fill, line, wide = 1.5, dash = []) {
    const { ctx } = this;
    ctx.beginPath();
    ctx.roundRect(x, y, w, h, r);
    if (fill) { ctx.fillStyle = fill; ctx.fill(); }
    if (line) { ctx.strokeStyle = line; ctx.lineWidth = wide; ctx.setLineDash(dash); ctx.stroke(); ctx.setLineDash([]); }
  }

  furniture(board, at) {
    const { ctx, palette } = this;
    ctx.strokeStyle = palette.line;
    ctx.lineWidth = 1.5;
    for (const [l, c] of board.reads) {
      const lane = at.lanes[l], to = at.consumers[c];
      const x0 = lane.x + lane.w + 4, y0 = lane.y + lane.h / 2, x1 = to.x - 4, y1 = to.y + to.h / 2;
      ctx.beginPath();
      ctx.moveTo(x0, y0);
      ctx.bezierCurveTo((x0 + x1) / 2, y0, (x0 + x1) / 2, y1, x1, y1);
      ctx.stroke();
    }
    board.producers.forEach((name, i) => {
      const it = at.producers[i];
      this.box(it.x, it.y, it.w, it.h, 8, palette.paper, palette.line);
      this.name(name, it);
      this.text("→", it.x + it.w + (at.lanes[0].x - it.x - it.w) / 2, it.y + it.h / 2, 16, palette.wait, "center");
    });
  }

  lanes(board, at, spots, t, flight, chosen) {
    const { ctx, palette } = this;
    this.seen = board.cells.map(() => null);  // where the lane's place of a cell is, also while it flies to it
    const byLane = board.lanes.map(() => []);
    for (const spot of spots) if (spot[2] !== "dead") byLane[board.cells[spot[0]].lane].push(spot);
    board.lanes.forEach((lane, l) => {
      const box = at.lanes[l], still = lane.kind === "exchange" || lane.kind === "dead";
      this.box(box.x, box.y, box.w, box.h, 7, still ? null : palette.lane, still ? palette.line : null, 1.5, [4, 4]);
      const from = lane.kind === "queue" ? 0 : windowOf(lane, box, at.follow[l], t);
      const mine = byLane[l];
      if (lane.kind === "queue") this.seatQueue(board, at, box, mine);
      else if (lane.kind === "dead") this.seatDead(board, at, box, spots);
      else this.seatLog(board, at, lane, at.inLane[l], box, from);
      this.laneWords(board, lane, box, mine, from);
      ctx.save();
      ctx.beginPath();
      ctx.rect(box.x, box.y - 8, box.w, box.h + 16);
      ctx.clip();
      for (const [i, start, to, , , state] of lane.kind === "dead" ? spots : mine) {
        const cell = board.cells[i], lies = lane.kind === "dead" ? to === "dead" : to === "lane" && start === "lane";
        const where = lane.kind === "dead" ? this.dead?.get(i) : this.seen[i];
        if (lies && where && !where[2]) this.cell(where[0], where[1], at.cell, cell, board, lane, state, t, chosen, true);
      }
      board.commits.filter((one) => one.lane === l).forEach((one, n, all) => this.bar(one, n, all, at, lane, box, from, t, flight));
      ctx.restore();
    });
  }

  seatLog(board, at, lane, cells, box, from) {
    for (const i of cells) {
      const cell = board.cells[i];
      const x = box.x + PAD + (cell.slot - lane.first - from) * at.pitch;
      if (x > box.x - at.pitch && x < box.x + box.w) this.seen[i] = [x, box.y + PAD];
      else this.seen[i] = [Math.min(Math.max(x, box.x - at.cell / 2), box.x + box.w - at.cell / 2), box.y + PAD, true];
    }
  }

  // The head of the queue is at the right; who leaves makes room for the others as it goes.
  seatQueue(board, at, box, mine) {
    const order = mine.filter(([, , to, , , state]) => state !== "gone").sort((a, b) => board.cells[a[0]].slot - board.cells[b[0]].slot);
    let ahead = 0;
    for (const [i, start, to, part] of order) {
      const x = box.x + box.w - PAD - at.cell - ahead * at.pitch;
      this.seen[i] = [Math.max(x, box.x - at.cell / 2), box.y + PAD, x < box.x];
      if (start === "consumer" && to === "consumer") continue;
      ahead += to === "lane" ? (start === "consumer" ? part : start === "producer" ? (part > 0 ? 1 : 0) : 1) : 1 - part;
    }
  }

  seatDead(board, at, box, spots) {
    const dead = [...new Set(spots.filter(([, , to]) => to === "dead").map(([i]) => i))];
    const over = Math.max(0, dead.length - box.fit);
    this.dead = new Map(dead.slice(over).map((i, n) => [i, [box.x + PAD + n * at.pitch, box.y + PAD]]));
  }

  laneWords(board, lane, box, mine, from) {
    const { palette, place } = this, size = 12.5, y = box.y - 14;
    let right = "";
    if (lane.kind === "queue") {
      const [waiting, out] = countsOf(mine);
      right = `${waiting} ${place.narrow ? "wait" : "waiting"}` + (board.acked ? ` · ${out} out` : "");
    } else if (lane.kind === "log" && lane.size > box.fit) {
      const first = lane.first + Math.round(from);
      right = `${place.narrow ? "" : "offsets "}${first}–${first + box.fit - 1} of ${lane.size}`;
    }
    this.text(right, box.x + box.w, y, size, palette.soft, "right");
    const room = box.w - this.ctx.measureText(right).width - 12;
    this.text(this.fit(lane.name, room, size), box.x, y, size, palette.soft);
  }

  // How far the group has committed. It arrives when the row says so.
  bar(one, n, all, at, lane, box, from, t, flight) {
    const { ctx, palette } = this;
    let past = lane.first, seen = 0;
    for (const [when, to] of one.steps) {
      if (when <= t) { past = to; seen = when; } else { past += (to - past) * partOf(t, when, seen, flight / 2); break; }
    }
    const x = box.x + PAD + (past - lane.first - from) * at.pitch - 2.5;
    if (x < box.x - 2 || x > box.x + box.w + 2) return;
    ctx.fillStyle = palette.ink;
    ctx.fillRect(x - 1.5, box.y - 4, 3, box.h + 8);
    if (all.length > 1) this.text(one.role[0], x + 4, box.y + box.h + (n % 2 ? 3 : -box.h - 2), 10, palette.ink);
  }

  // Published, and the broker has not confirmed it yet: it stands with its producer until its flight begins.
  makers(board, at, spots, t, chosen) {
    board.producers.forEach((_, p) => {
      const it = at.producers[p], waits = spots.filter(([, start, , part, who]) => start === "producer" && part === 0 && who === p);
      const mine = waits.filter(([i]) => board.cells[i].k === chosen).slice(0, Math.floor((it.w - 36) / 22));
      mine.forEach(([i], n) => this.cell(it.x + 9 + n * 22, it.y + it.h - 26, 18, board.cells[i], board, board.lanes[board.cells[i].lane], "sent", t, chosen, false));
      const others = waits.length - mine.length;
      if (others) this.text(`+${others}`, it.x + 10 + mine.length * 22, it.y + it.h - 16, 12, this.palette.soft);
    });
  }

  boxes(board, at, spots, t, chosen) {
    const { palette } = this;
    this.inBox = new Map();
    board.consumers.forEach((consumer, c) => {
      const it = at.consumers[c], size = 18, step = 24;
      const mine = spots.filter(([i, , to, , who, state]) => who === c && (to === "consumer" || (state === "gone" && board.cells[i].k === chosen)));
      const other = ([i]) => board.cells[i].k !== chosen;  // the chosen key's come first: what does not fit is not seen
      const order = mine.sort((a, b) => other(a) - other(b) || (a[5] !== "gone") - (b[5] !== "gone"));
      const fit = Math.floor((it.w - 12) / step), over = Math.max(0, order.filter((spot) => !other(spot)).length - fit);
      const works = order.some(([i, , to, part]) => to === "consumer" && part === 1 && board.cells[i].k === chosen);
      this.box(it.x, it.y, it.w, it.h, 8, palette.paper, works ? palette.ink : palette.line, works ? 2 : 1.5);
      this.name(consumer.name, it);
      order.slice(over, over + fit).forEach(([i, , to, part, , state], n) => {
        const where = [it.x + 9 + n * step, it.y + it.h - size - 8];
        this.inBox.set(`${i}/${c}`, where);
        const cell = board.cells[i];
        if (part === 1) this.cell(...where, size, cell, board, board.lanes[cell.lane], state, t, chosen, false);
      });
    });
  }

  flights(board, at, spots, t, chosen) {
    const ease = (part) => part * part * (3 - 2 * part);
    const fly = spots.filter(([, start, to, part]) => start !== to && part < 1 && (part > 0 || start === "consumer"));
    fly.sort((one, two) => (board.cells[one[0]].k === chosen) - (board.cells[two[0]].k === chosen));
    for (const [i, start, to, part, who, state] of fly) {
      const cell = board.cells[i], mine = cell.k === chosen, size = mine ? Math.min(at.cell, 24) : 11;
      const lane = this.seen[i] ?? [at.lanes[cell.lane].x, at.lanes[cell.lane].y + PAD], half = at.cell / 2;
      const middle = [lane[0] + half, lane[1] + half];
      const seat = this.inBox.get(`${i}/${who}`), box = at.consumers[who], maker = at.producers[who];
      const reader = box && (seat ? [seat[0] + 9, seat[1] + 9] : [box.x + 12, box.y + box.h / 2]);
      const [a, b] = to === "consumer" ? [middle, reader] : start === "consumer" ? [reader, middle]
        : [[maker.x + maker.w + 8, maker.y + maker.h / 2], middle];
      const e = ease(part), x = a[0] + (b[0] - a[0]) * e - size / 2, y = a[1] + (b[1] - a[1]) * e - size / 2;
      this.cell(x, y, size, cell, board, board.lanes[cell.lane], start === "producer" ? "sent" : state, t, chosen, false);
    }
  }

  // One event. The chosen key carries its number; what is wrong has the colour and a second sign.
  cell(x, y, size, cell, board, lane, state, t, chosen, hit) {
    const { ctx, palette } = this, mine = cell.k === chosen, r = Math.min(5, size / 4);
    if (hit) this.hits.push([x, y, size, cell.k]);
    const marked = (name) => cell.marks[name] !== undefined && t >= cell.marks[name];
    const wrong = ["late", "twice", "lost", "refused"].some(marked) || state === "failed" || state === "dead";
    const look = palette[lane.kind === "log" && board.broker === "rabbitmq" ? "stream" : board.broker] ?? [palette.soft, palette.paper];
    const colour = wrong ? palette.broken : look[0];
    const crossed = marked("lost") || marked("refused") || state === "failed" || state === "dead";
    if (!mine) {
      const fill = state === "read" ? palette.read : palette.wait;
      this.box(x, y, size, size, r, state === "out" && size > 11 ? null : fill, wrong ? palette.broken : state === "out" && size > 11 ? palette.wait : null, 2);
      if (crossed) this.text("×", x + size / 2, y + size / 2 + 1, size * 0.8, palette.broken, "center", "700");
      return;
    }
    const hollow = (state === "out" && lane.kind !== "log") || state === "gone";
    const line = state === "gone" && !wrong ? palette.soft : colour;
    this.box(x, y, size, size, r, hollow ? palette.paper : colour, line, 2, state === "gone" ? [3, 2] : []);
    if (marked("twice")) this.box(x + 3, y + 3, size - 6, size - 6, r - 1, null, hollow ? colour : palette.paper, 1.5);
    if (marked("late")) this.box(x - 3, y - 3, size + 6, size + 6, r + 2, null, palette.broken, 1.8);
    const ink = hollow ? (state === "gone" && !wrong ? palette.soft : wrong ? line : look[2] ?? line) : wrong ? palette.onBroken : look[1];
    this.text(cell.n ? String(cell.n) : "•", x + size / 2, y + size / 2 + 1, Math.round(size * 0.55), ink, "center", "700");
    if (crossed) {
      const [cx, cy, arm] = [x + size - 1, y + 1, 4.5];  // in a corner, so that the number can be read
      for (const [colour, wide] of [[palette.paper, 5.5], [palette.ink, 2.2]]) {
        ctx.strokeStyle = colour;
        ctx.lineWidth = wide;
        ctx.beginPath();
        ctx.moveTo(cx - arm, cy - arm); ctx.lineTo(cx + arm, cy + arm);
        ctx.moveTo(cx + arm, cy - arm); ctx.lineTo(cx - arm, cy + arm);
        ctx.stroke();
      }
    }
  }
}
