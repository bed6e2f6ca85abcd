// Where every event is at one moment: the same as labkit/measure/scene/at.py, which a test compares with this.
// A spot: [number of the cell, start, place, part of the way, number of the consumer or producer, state].

function partOf(t, end, start, flight) {
  const begin = Math.max(start, end - flight);
  return t >= end ? 1 : t <= begin ? 0 : (t - begin) / (end - begin);
}

function spotsAt(board, t, flight) {
  const found = [];
  board.cells.forEach((cell, i) => {
    if (t < cell.pub && cell.p >= 0) return;
    if (t < cell.at) {
      if (cell.p >= 0) found.push([i, "producer", "lane", partOf(t, cell.at, cell.pub, flight), cell.p, "sent"]);
    } else if (board.lanes[cell.lane].kind === "log") {
      inLog(found, i, cell, t, flight);
    } else {
      found.push([i, ...inQueue(cell, t, flight)]);
    }
  });
  return found;
}

function inLog(found, i, cell, t, flight) {
  const read = cell.trips.some((trip) => trip.r <= t);
  found.push([i, "lane", "lane", 1, -1, read ? "read" : "waiting"]);
  for (const trip of cell.trips) {
    if (trip.x !== null && trip.x <= t) {
      found.push([i, "consumer", "dead", 1, trip.c, "dead"]);
      continue;
    }
    const part = partOf(t, trip.r, cell.at, flight);
    const ends = [trip.d, trip.f, trip.a].filter((time) => time !== null);
    if (part > 0 && (!ends.length || t < Math.max(...ends))) {
      found.push([i, "lane", "consumer", part, trip.c, trip.f !== null && trip.f <= t ? "failed" : "out"]);
    }
  }
}

function inQueue(cell, t, flight) {
  let free = cell.at;
  for (let i = 0; i < cell.trips.length; i++) {
    const trip = cell.trips[i];
    if (t < trip.r) {
      const part = partOf(t, trip.r, free, flight);
      return part > 0 ? ["lane", "consumer", part, trip.c, "out"] : ["lane", "lane", 1, -1, "waiting"];
    }
    const later = i + 1 < cell.trips.length ? cell.trips[i + 1].r : null;
    const [spot, then] = atConsumer(trip, later, t, flight);
    if (spot) return spot;
    free = then;
  }
  return ["lane", "lane", 1, -1, "waiting"];
}

function atConsumer(trip, later, t, flight) {
  for (const [letter, place, state] of [["x", "dead", "dead"], ["a", "gone", "gone"]]) {
    if (trip[letter] === null) continue;
    if (trip[letter] <= t) return [["consumer", place, 1, trip.c, state], t];
    later = null;
  }
  const failed = trip.f !== null && trip.f <= t;
  const here = ["consumer", "consumer", 1, trip.c, failed ? "failed" : "out"];
  if (later === null) return [here, t];
  if (trip.f === null || trip.f > later) return t < later ? [here, t] : [null, later];
  const back = trip.f + Math.min(flight, (later - trip.f) / 2);
  if (t < trip.f) return [here, t];
  if (t < back) return [["consumer", "lane", (t - trip.f) / (back - trip.f), trip.c, "failed"], t];
  return [null, back];
}

// Of a queue's spots: how many wait, and how many are out. What flies to a consumer waits until a row says it is there.
function countsOf(spots) {
  const there = ([, , to, part]) => to === "consumer" && part === 1;
  const waits = (spot) => spot[5] !== "sent" && !there(spot) && (spot[2] === "lane" || spot[2] === "consumer");
  return [spots.filter(waits).length, spots.filter(there).length];
}

function momentsOf(cell) {
  const times = [cell.pub, cell.at];
  for (const trip of cell.trips) for (const letter of "rdfax") if (trip[letter] !== null) times.push(trip[letter]);
  return times;
}
