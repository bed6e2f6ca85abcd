// The stage: a clock, its controls and the words around the canvas. The other `stage_*.js` stand before this one.

const SPEEDS = [1, 5, 20, 50, 100, 200, 500, 1000, 5000];
const FLIGHT_S = 0.5, QUIET_S = 1.2, RUSH_S = 0.6, STEP_S = 1.1, AFTER_S = 1;  // seconds of the viewer
const CALM = window.matchMedia("(prefers-reduced-motion: reduce)");

class Stage {
  constructor(model, el) {
    const t = model.get("t");
    Object.assign(this, { model, el, t, sent: t, told: 0, said: "" });
    this.build();
    this.rescene();
    this.listen();
    this.last = performance.now();
    this.frame = requestAnimationFrame((now) => this.tick(now));
  }

  build() {
    const button = (words, label) => make("button", "labkit-stage-button", { type: "button", "aria-label": label, title: label }, words);
    this.title = make("div", "labkit-stage-title", { role: "heading", "aria-level": "4" });
    this.subtitle = make("div", "labkit-stage-subtitle");
    this.clock = make("div", "labkit-stage-clock");
    this.pace = make("div", "labkit-stage-subtitle");
    this.canvas = make("canvas", "labkit-stage-canvas", { role: "img" });
    this.legend = make("div", "labkit-stage-legend");
    this.caption = make("div", "labkit-stage-caption", { "aria-live": "polite" });
    this.restart = button("↺", "back to the start");
    this.before = button("‹", "the moment before, of this key");
    this.play = button("▶ Play", "play");
    this.after = button("›", "the next moment of this key");
    this.play.classList.add("labkit-stage-play");
    this.scrub = make("input", "labkit-stage-scrub", { type: "range", min: "0", "aria-label": "time" });
    this.speed = make("select", "labkit-stage-select", { "aria-label": "how much slower" });
    this.key = make("select", "labkit-stage-select", { "aria-label": "the chosen key" });
    this.root = make("div", "labkit-stage", { role: "group", "aria-label": "slow-motion replay", "data-lm-suppress-shortcuts": "true" },
      make("div", "labkit-stage-head", {}, make("div", "", {}, this.title, this.subtitle), make("div", "labkit-stage-right", {}, this.clock, this.pace)),
      this.canvas, this.legend, this.caption,
      make("div", "labkit-stage-row", {}, this.restart, this.before, this.play, this.after, this.scrub, this.speed, this.key));
    this.el.replaceChildren(this.root);
  }

  listen() {
    const { model } = this, on = (node, name, act) => node.addEventListener(name, act);
    this.changes = {
      "change:scene": () => this.rescene(), "change:words": () => this.words(), "change:playing": () => this.playing(),
      "change:slow": () => this.speeds(), "change:key": () => this.chosen(),
      "change:t": () => { if (Math.abs(model.get("t") - this.sent) > 1e-9) { this.go(model.get("t"), false); this.aim(); } } };
    for (const [name, act] of Object.entries(this.changes)) model.on(name, act);
    on(this.play, "click", () => this.toggle());
    on(this.restart, "click", () => { this.go(0); this.aim(); });
    on(this.before, "click", () => this.step(-1));
    on(this.after, "click", () => this.step(1));
    on(this.scrub, "input", () => { this.pause(); this.go(Number(this.scrub.value)); });
    on(this.speed, "change", () => this.save("slow", Number(this.speed.value)));
    on(this.key, "change", () => this.save("key", this.scene.keys[Number(this.key.value)]));
    on(this.canvas, "click", (event) => this.click(event));
    on(this.root, "keydown", (event) => this.press(event));
    this.watch = new ResizeObserver(() => this.resize());
    this.watch.observe(this.root);
    this.theme = new MutationObserver(() => this.resize());
    this.theme.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  }

  remove() {
    cancelAnimationFrame(this.frame);
    this.watch.disconnect();
    this.theme.disconnect();
    for (const [name, act] of Object.entries(this.changes)) this.model.off(name, act);
  }

  save(name, value) {
    if (name === "t") this.sent = value;
    this.model.set(name, value);
    this.model.save_changes();
  }

  rescene() {
    this.scene = this.model.get("scene");
    const times = this.scene.boards.flatMap((board) => board.cells.flatMap(momentsOf));
    this.moments = Float64Array.from(new Set(times)).sort();
    this.end = this.scene.end_s;
    this.scrub.max = String(this.end);
    this.scrub.step = String(this.end / 2000);
    const named = this.model.get("labels");
    this.key.replaceChildren(...this.scene.keys.map((_, i) =>
      make("option", "", { value: i }, (this.scene.out_of_order.includes(i) ? "× " : "") + named[i])));
    this.key.hidden = this.scene.keys.length < 2;
    this.speeds();
    this.chosen();
    this.playing();
    this.resize();
  }

  speeds() {
    this.slow = this.model.get("slow");
    const all = [...new Set([...SPEEDS, this.slow])].sort((a, b) => a - b);
    this.speed.replaceChildren(...all.map((n) => make("option", "", { value: n }, n === 1 ? "as it was" : `${n} × slower`)));
    this.speed.value = String(this.slow);
    this.pace.textContent = this.slow === 1 ? "as it was" : `${this.slow} × slower`;
    this.aim();
    this.dirty = true;
  }

  chosen() {
    this.k = Math.max(0, this.scene.keys.indexOf(this.model.get("key")));
    this.key.value = String(this.k);
    this.words();
  }

  words() {
    const words = this.model.get("words");
    this.title.textContent = words.title;
    this.subtitle.textContent = words.subtitle;
    this.lines = words.lines;
    this.through = this.lines.length ? this.lines[this.lines.length - 1][0] : this.end;
    this.said = "";
    this.aim();
    this.legend.replaceChildren(...legendOf(this.scene, this.k, words.note));
    this.dirty = true;
  }

  resize() {
    const dark = isDark();
    this.root.classList.toggle("labkit-stage-dark", dark);
    const width = Math.max(this.canvas.parentElement.clientWidth - 32, 300), ratio = window.devicePixelRatio || 1;
    this.root.classList.toggle("labkit-stage-narrow", width < 640);
    const place = layOut(this.scene, width);
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(place.height * ratio);
    this.canvas.style.height = `${place.height}px`;
    this.canvas.style.width = `${width}px`;
    const ctx = this.canvas.getContext("2d");
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.painter = new Painter(ctx, this.scene, place, dark ? DARK : LIGHT);
    this.dirty = true;
  }

  playing() {
    const plays = this.model.get("playing");
    if (plays && this.t >= this.end) this.go(0);
    this.aim();
    this.named();
    this.play.setAttribute("aria-label", plays ? "pause" : "play");
    this.since = performance.now();
  }

  toggle() { this.save("playing", !this.model.get("playing")); }

  // Play stops by itself a moment after the chosen key is through. Pressed again, it goes on to the end.
  rest() { return Math.min(this.through + (CALM.matches ? 0 : AFTER_S / this.slow), this.end); }

  isThrough() { return this.t >= this.rest() - 1e-9; }

  aim() { this.stop = this.isThrough() ? this.end : this.rest(); }

  named() {
    const goesOn = this.isThrough() && this.t < this.end;
    this.play.textContent = this.model.get("playing") ? "❚❚ Pause" : goesOn ? "▶ Play on" : "▶ Play";
  }

  pause() { if (this.model.get("playing")) this.save("playing", false); }

  go(t, tell = true) {
    this.t = Math.min(Math.max(t, 0), this.end);
    this.dirty = true;
    if (tell) this.save("t", this.t);
  }

  step(way) {
    this.pause();
    const times = this.lines.map((line) => line[0]);
    const next = way > 0 ? times.find((time) => time > this.t + 1e-9) : times.filter((time) => time < this.t - 1e-9).pop();
    if (next !== undefined) this.go(next); else this.go(way > 0 ? this.end : 0);
  }

  press(event) {
    event.stopPropagation();  // or the notebook moves on to its next cell
    const tag = event.target.tagName;
    if (event.key === " " && tag !== "BUTTON" && tag !== "SELECT") { event.preventDefault(); this.toggle(); }
  }

  click(event) {
    const box = this.canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    const hit = this.painter.hits.find(([left, top, size]) => x >= left && x <= left + size && y >= top && y <= top + size);
    if (hit) this.save("key", this.scene.keys[hit[3]]);
  }

  // Time passes `slow` times slower; where nothing happens for long, it hurries, and says so.
  advance(now, passed) {
    if (CALM.matches) {
      if (now - this.since < STEP_S * 1000) return;
      this.since = now;
      const next = this.lines.find((line) => line[0] > this.t + 1e-9);
      this.go(next ? next[0] : this.stop);
    } else {
      const next = this.moments.find((time) => time > this.t + 1e-9) ?? this.end, flight = FLIGHT_S / this.slow;
      const quiet = (next - this.t - flight) * this.slow > QUIET_S;
      if (quiet && !this.rush) this.rush = { until: next - flight, rate: (next - flight - this.t) / RUSH_S };
      if (this.rush && this.t >= this.rush.until - 1e-9) this.rush = null;
      const ahead = this.rush ? Math.min(this.t + passed * this.rush.rate, this.rush.until) : this.t + passed / this.slow;
      this.go(Math.min(ahead, this.stop), false);
      if (now - this.told > 100) { this.told = now; this.save("t", this.t); }
    }
    if (this.t >= this.stop) { this.save("t", this.t); this.pause(); }
  }

  tick(now) {
    const passed = Math.min((now - this.last) / 1000, 0.1);
    this.last = now;
    this.frames = (this.frames ?? 0) + 1;
    if (this.model.get("playing")) this.advance(now, passed); else this.rush = null;
    if (this.dirty) this.show(now);
    this.frame = requestAnimationFrame((next) => this.tick(next));
  }

  show(now) {
    this.dirty = false;
    this.named();
    this.painter.paint(this.t, CALM.matches ? 0 : FLIGHT_S / this.slow, this.k);
    this.clock.textContent = (this.rush ? "» " : "") + clockWords(this.t, this.end);
    this.scrub.value = String(this.t);
    this.scrub.setAttribute("aria-valuetext", clockWords(this.t, this.end));
    const past = this.lines.filter((line) => line[0] <= this.t + 1e-9), last = past[past.length - 1];
    const many = this.scene.boards.length > 1;
    const words = last ? (many ? `${this.scene.boards[last[1]].name}: ` : "") + last[2] : "Nothing has happened to it yet.";
    if (words !== this.said && (now - (this.saidAt ?? -1e9) > 400 || !this.model.get("playing"))) {
      this.said = words;
      this.saidAt = now;
      this.caption.textContent = words;
      this.canvas.setAttribute("aria-label", `${this.title.textContent}. ${words}`);
    } else if (words !== this.said) this.dirty = true;
  }
}

export default {
  render({ model, el }) {
    const stage = new Stage(model, el);
    el.stage = stage;  // for whoever measures
    return () => stage.remove();
  },
};
