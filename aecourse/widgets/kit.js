// What the explorables share: networks that run in the browser, a map of codes, and the frame around them.
//
// Every explorable is an ES module with a function `render({ model, el })`, which is anywidget's protocol: `model`
// gives the data with `get`, and takes with `set` what the reader did.  On a page without a kernel, `show` below
// plays anywidget's part.

const FRAME = `
  :host { display: block; }
  * { box-sizing: border-box; }
  .frame { font: inherit; line-height: 1.45; color: inherit; max-width: 46rem; margin: 0 auto; padding: 0.9rem;
    border: 1px solid color-mix(in srgb, currentColor 28%, transparent); border-radius: 0.6rem; }
  .title { margin: 0 0 0.2rem; font-weight: 650; }
  .hint { margin: 0 0 0.7rem; font-size: 0.9rem; }
  .row { display: flex; flex-wrap: wrap; gap: 0.5rem 0.9rem; align-items: center; margin: 0.5rem 0; }
  .side { display: grid; grid-template-columns: minmax(0, 21rem) minmax(9rem, 1fr); gap: 0.9rem; align-items: start; }
  @media (max-width: 34rem) { .side { grid-template-columns: minmax(0, 1fr); } }
  button { font: inherit; font-size: 0.9rem; color: inherit; background: transparent; min-height: 2.5rem; padding: 0.2rem 0.8rem;
    border: 1px solid currentColor; border-radius: 0.45rem; cursor: pointer; touch-action: manipulation; }
  button:hover { background: color-mix(in srgb, currentColor 12%, transparent); }
  fieldset { border: 0; margin: 0.4rem 0; padding: 0; display: flex; flex-wrap: wrap; gap: 0.3rem 1.1rem; }
  legend { padding: 0; font-size: 0.9rem; float: left; margin-right: 0.7rem; line-height: 2.2rem; }
  label { display: inline-flex; gap: 0.4rem; align-items: center; min-height: 2.2rem; cursor: pointer; }
  input { accent-color: #3f90da; }
  input[type="radio"] { width: 1.15rem; height: 1.15rem; margin: 0; }
  input[type="range"] { width: 100%; min-height: 2.2rem; margin: 0; }
  canvas { display: block; max-width: 100%; border-radius: 0.3rem; }
  canvas.picture { image-rendering: pixelated; aspect-ratio: 1; background: #000; }
  label.slider { margin-bottom: 0.4rem; }
  canvas.map { width: 100%; aspect-ratio: 1; border: 1px solid color-mix(in srgb, currentColor 28%, transparent); }
  canvas.map[role="application"] { touch-action: none; cursor: crosshair; }
  :is(button, input, canvas, summary):focus-visible { outline: 3px solid #3f90da; outline-offset: 2px; }
  figure { margin: 0; } figcaption, .small { font-size: 0.85rem; }
  .number { font-variant-numeric: tabular-nums; }
  details { margin-top: 0.7rem; font-size: 0.9rem; } summary { cursor: pointer; min-height: 1.8rem; } details p { margin: 0.3rem 0; }
  .spoken { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
`;

/** Put a frame with the given title, contents and description in words into `el`; return a function that finds its parts. */
export function frame(el, { title, hint, html, style = "", words }) {
  const host = document.createElement("div");
  const root = host.attachShadow({ mode: "open" });
  root.innerHTML = `<style>${FRAME}${style}</style>
    <div class="frame" role="group" aria-label="${title}">
      <p class="title">${title}</p><p class="hint">${hint}</p>${html}
      <details><summary>In words</summary><p>${words}</p></details>
      <div class="spoken" aria-live="polite"></div>
    </div>`;
  el.replaceChildren(host);
  const find = (selector) => root.querySelector(selector);
  let waiting;
  /** Let a screen reader say `text`, once the reader has come to rest. */
  find.say = (text) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { find(".spoken").textContent = text; }, 500);
  };
  find.all = (selector) => [...root.querySelectorAll(selector)];
  find.host = host;
  return find;
}

/** Call `draw` now, and again whenever the page's colours or the width of `canvas` change; return a function that ends this. */
export function keepDrawn(canvas, draw) {
  const resized = new ResizeObserver(draw);
  const restyled = new MutationObserver(draw);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  resized.observe(canvas);
  for (const element of [document.documentElement, document.body]) restyled.observe(element, { attributes: true });
  dark.addEventListener("change", draw);
  draw();
  return () => { resized.disconnect(); restyled.disconnect(); dark.removeEventListener("change", draw); };
}

/** The colour of the text round an element, which follows the page from light to dark. */
export const ink = (element) => getComputedStyle(element).color;

/** Size a canvas for the screen's density and return its 2-D context, with CSS pixels as the unit. */
export function sharp(canvas, colour = ink(canvas), width = canvas.clientWidth, height = canvas.clientHeight) {
  const density = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * density);
  canvas.height = Math.round(height * density);
  const context = canvas.getContext("2d");
  context.scale(density, density);
  context.font = "12px system-ui, sans-serif";
  context.fillStyle = context.strokeStyle = colour;
  return context;
}

/** Return the bytes, signed bytes or 32-bit floats that a base64 text stands for. */
export const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
export const int8 = (text) => new Int8Array(bytes(text).buffer);
export const floats = (text) => new Float32Array(bytes(text).buffer);

/** A stack of dense layers, as `aecourse.widgets.export` wrote it: 8-bit weights with a scale for each row. */
export class Network {
  constructor(layers) {
    this.layers = layers.map((layer) => {
      const [quantised, scale] = [int8(layer.weight), floats(layer.scale)];
      const inputs = quantised.length / scale.length;
      const weight = Float32Array.from(quantised, (value, place) => value * scale[Math.floor(place / inputs)]);
      const norm = layer.gain && { gain: floats(layer.gain), shift: floats(layer.shift) };
      return { weight, inputs, bias: floats(layer.bias), norm };
    });
  }

  /** Return the last layer's outputs for one vector. */
  run(vector) {
    for (const { weight, inputs, bias, norm } of this.layers) {
      const out = new Float32Array(bias.length);
      for (let row = 0; row < out.length; row++) {
        let sum = bias[row];
        for (let column = 0, place = row * inputs; column < inputs; column++, place++) sum += weight[place] * vector[column];
        out[row] = sum;
      }
      vector = norm ? normRelu(out, norm) : out;
    }
    return vector;
  }
}

function normRelu(values, { gain, shift }) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  const scale = 1 / Math.sqrt(variance + 1e-5);
  return values.map((value, place) => Math.max(0, (value - mean) * scale * gain[place] + shift[place]));
}

export const sigmoid = (value) => 1 / (1 + Math.exp(-value));

/** Return the image, 784 grey values in [0, 1], that a decoder makes of a code. */
export const decode = (decoder, code) => decoder.run(code).map(sigmoid);

/** Show an image of 784 grey values in [0, 1] on a canvas. */
export function show28(canvas, pixels) {
  canvas.width = canvas.height = 28;
  const context = canvas.getContext("2d");
  const image = context.createImageData(28, 28);
  pixels.forEach((value, place) => {
    const grey = Math.round(255 * Math.min(1, Math.max(0, value)));
    image.data.set([grey, grey, grey, 255], 4 * place);
  });
  context.putImageData(image, 0, 0);
}

/** Return a draw from N(0, 1), by Box and Muller's method. */
export const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());

/** Write a number with a real minus sign. */
export const text = (value, digits = 2) => (value.toFixed(digits) === (-0).toFixed(digits) ? 0 : value).toFixed(digits).replace("-", "−");

export const pair = (values, digits = 2) => `(${text(values[0], digits)}, ${text(values[1], digits)})`;

/** Follow one pointer, pressed with the main button, from `start(event)` on through every `move(event)`. */
export function follow(canvas, start, move) {
  let pressed = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button || pressed !== null) return;
    pressed = event.pointerId;
    canvas.setPointerCapture(pressed);
    start(event);
  });
  canvas.addEventListener("pointermove", (event) => { if (event.pointerId === pressed) move(event); });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => { if (event.pointerId === pressed) pressed = null; });
}

/** How one axis of a map runs over values: straight, or like asinh, straight in a crowded middle and logarithmic far out. */
class Axis {
  constructor(values) {
    const sorted = Float64Array.from(values).sort();
    const at = (share) => sorted[Math.round(share * (sorted.length - 1))];
    this.middle = at(0.5);
    this.width = Float64Array.from(sorted, (value) => Math.abs(value - this.middle)).sort()[sorted.length >> 1];
    const [low, high] = [at(0.005), at(0.995)];
    this.isStretched = high - low > 12 * this.width;
    [this.low, this.high] = [this.forth(low), this.forth(high)];
    this.widen(0.06 * (this.high - this.low));
  }

  widen(margin) { [this.low, this.high] = [this.low - margin, this.high + margin]; }
  forth(value) { return this.isStretched ? Math.asinh((value - this.middle) / this.width) : value; }
  back(place) { return this.isStretched ? this.middle + this.width * Math.sinh(place) : place; }
  /** From a value to its share of the axis, and back. */
  share(value) { return (this.forth(value) - this.low) / (this.high - this.low); }
  value(share) { return this.back(this.low + share * (this.high - this.low)); }
  ticks() {
    if (!this.isStretched) return steps(this.low, this.high);
    return [-100, -30, -10, -3, -1, 0, 1, 3, 10, 30, 100];
  }
}

/** The two axes of a map that shows codes; both run alike, and if they are straight, a unit is as long on either. */
export function axes(codes) {
  const both = [0, 1].map((axis) => new Axis(codes.filter((_, place) => place % 2 === axis)));
  if (both.some(({ isStretched }) => isStretched)) return both;
  const spans = both.map(({ low, high }) => high - low);
  both.forEach((axis, place) => axis.widen((Math.max(...spans) - spans[place]) / 2));
  return both;
}

/** The two axes of a map from −edge to edge. */
export const square = (edge) => [0, 1].map(() => Object.assign(Object.create(Axis.prototype), { low: -edge, high: edge, isStretched: false }));

/** A map of codes, coloured by label, on which a point can be moved by mouse, pen, finger and arrow keys. */
export class CodeMap {
  /** `moved(code)` is called when the reader moves the point; without it the map only shows. */
  constructor(canvas, colours, moved) {
    Object.assign(this, { canvas, colours, moved, codes: new Float32Array(), labels: [], extra: [], name: "Map of the codes" });
    this.axes = square(3);
    canvas.classList.add("map");
    canvas.setAttribute("role", moved ? "application" : "img");
    if (moved) this.listen();
    this.stop = keepDrawn(canvas, () => this.refresh());
  }

  listen() {
    const { canvas } = this;
    canvas.tabIndex = 0;
    canvas.setAttribute("aria-roledescription", "two-dimensional slider");
    const move = (event) => {
      const frame = canvas.getBoundingClientRect();
      this.place((event.clientX - frame.left) / frame.width, 1 - (event.clientY - frame.top) / frame.height);
    };
    follow(canvas, move, move);
    canvas.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (!step) return;
      event.preventDefault();
      const [across, up] = this.shares(this.point);
      const size = event.shiftKey ? 0.1 : 0.01;
      this.place(across + size * step[0], up + size * step[1]);
    });
  }

  /** Where a code is, as shares of the map's width and height from its lower left corner. */
  shares(code) {
    return this.axes.map((axis, place) => axis.share(code[place]));
  }

  /** Move the point to shares of the width and the height. */
  place(...shares) {
    this.moved(this.axes.map((axis, place) => axis.value(Math.min(1, Math.max(0, shares[place])))));
  }

  /** Whether a code lies beyond the edge of the map. */
  isOutside(code) {
    return this.shares(code).some((share) => share < 0 || share > 1);
  }

  /** Change what is on the map (`codes`, `sigmas`, `labels`, `axes`, `circles`) and draw it. */
  update(changes) {
    Object.assign(this, changes);
    this.refresh();
  }

  pixels(code, width = this.canvas.clientWidth) {
    const [across, up] = this.shares(code);
    return [width * across, width * (1 - up)];
  }

  /** How far a spread reaches from a code, in pixels along each axis. */
  radii(code, spread, least) {
    const [at, end] = [this.pixels(code), this.pixels(code.map((value, axis) => value + spread[axis]))];
    return [Math.max(least, end[0] - at[0]), Math.max(least, at[1] - end[1])];
  }

  /** Draw the codes on a picture of their own, which stays while only the point moves. */
  refresh() {
    const width = this.canvas.clientWidth;
    if (!width) return;
    this.ground = document.createElement("canvas");
    const context = sharp(this.ground, ink(this.canvas), width, width);
    this.grid(context, width);
    const { codes, sigmas, labels, colours } = this;
    for (let place = 0; place < labels.length; place++) {
      const code = [codes[2 * place], codes[2 * place + 1]];
      const radii = sigmas ? this.radii(code, [sigmas[2 * place], sigmas[2 * place + 1]], 1.6) : [1.6, 1.6];
      context.fillStyle = colours[labels[place]];
      context.globalAlpha = radii[0] * radii[1] > 6 ? 0.35 : 0.75;
      context.beginPath();
      context.ellipse(...this.pixels(code), ...radii, 0, 0, 2 * Math.PI);
      context.fill();
    }
    context.globalAlpha = 1;
    this.badges(context);
    this.draw();
  }

  grid(context, width) {
    const [x, y] = this.axes.map((axis) => axis.ticks().filter((tick) => Math.abs(axis.share(tick) - 0.5) < 0.46));
    const across = (tick) => width * this.axes[0].share(tick);
    const down = (tick) => width * (1 - this.axes[1].share(tick));
    context.globalAlpha = 0.25;
    for (const tick of x) line(context, [across(tick), 0], [across(tick), width]);
    for (const tick of y) line(context, [0, down(tick)], [width, down(tick)]);
    context.globalAlpha = 0.8;
    for (const tick of x) context.fillText(label(tick), across(tick) + 2, width - 4);
    for (const tick of y) context.fillText(label(tick), 3, down(tick) - 3);
    context.setLineDash([4, 4]);
    for (const radius of this.circles || []) {
      context.beginPath();
      for (let angle = 0; angle <= 6.3; angle += 0.05) context.lineTo(...this.pixels([radius * Math.cos(angle), radius * Math.sin(angle)]));
      context.stroke();
    }
    context.setLineDash([]);
    context.globalAlpha = 1;
  }

  /** Each label in a disc of its colour, at the median of its codes or, where it is crowded, pushed a little aside. */
  badges(context) {
    const medians = [...new Set(this.labels)].sort().map((label) => {
      const members = [...this.labels.keys()].filter((place) => this.labels[place] === label);
      const middle = [0, 1].map((axis) => members.map((place) => this.codes[2 * place + axis]).sort((a, b) => a - b)[members.length >> 1]);
      const at = this.pixels(middle);
      return { text: `${label}`, colour: this.colours[label], at, shown: [...at] };
    });
    const far = Math.max(...medians.map(({ at }) => Math.hypot(at[0] - medians[0].at[0], at[1] - medians[0].at[1])));
    if (medians.length > 1 && far < 12) medians.splice(0, medians.length, { ...medians[0], text: `${medians[0].text}–${medians.at(-1).text}`, colour: "black" });
    for (let round = 0; round < 60; round++) {
      for (const one of medians) {
        for (const other of medians) {
          if (one === other) continue;
          let [x, y] = [one.shown[0] - other.shown[0], one.shown[1] - other.shown[1]];
          if (!x && !y) [x, y] = [0.1 * (medians.indexOf(one) - 4.7), 0.1];
          const distance = Math.hypot(x, y);
          if (distance < 21) one.shown = [one.shown[0] + (x / distance) * (21 - distance) / 2, one.shown[1] + (y / distance) * (21 - distance) / 2];
        }
      }
    }
    context.lineWidth = 2;
    for (const { colour, at, shown } of medians) {
      context.strokeStyle = colour;
      line(context, at, shown);
    }
    context.textAlign = "center";
    for (const { text, colour, shown: [x, y] } of medians) {
      [context.fillStyle, context.strokeStyle] = ["white", colour];
      context.beginPath();
      context.arc(x, y, text.length > 1 ? 14 : 9, 0, 2 * Math.PI);
      context.fill();
      context.stroke();
      context.fillStyle = "black";
      context.fillText(text, x, y + 4);
    }
    context.textAlign = "left";
  }

  /** Draw the codes, the draws in `extra`, and on top the point with its spread, if it has one. */
  draw() {
    const { canvas, ground } = this;
    if (!ground) return;
    const context = sharp(canvas);
    context.drawImage(ground, 0, 0, canvas.clientWidth, canvas.clientWidth);
    const inside = (code) => this.pixels(code).map((pixel) => Math.min(canvas.clientWidth - 9, Math.max(9, pixel)));
    const ring = (place, radius, fill) => {
      context.beginPath();
      context.arc(...place, radius, 0, 2 * Math.PI);
      if (fill) { context.fillStyle = fill; context.fill(); }
      [context.lineWidth, context.strokeStyle] = [4.5, "white"];
      context.stroke();
      [context.lineWidth, context.strokeStyle] = [2, "black"];
      context.stroke();
    };
    context.textAlign = "center";
    this.extra.forEach((code, number) => {
      const [x, y] = inside(code);
      ring([x, y], 7, "white");
      context.fillStyle = "black";
      context.fillText(letter(number), x, y + 4);
    });
    if (this.point) {
      const place = inside(this.point);
      ring(place, 9);
      if (this.spread && !this.isOutside(this.point)) {
        context.beginPath();
        context.ellipse(...place, ...this.radii(this.point, this.spread, 1.5), 0, 0, 2 * Math.PI);
        [context.fillStyle, context.strokeStyle, context.lineWidth] = ["rgb(255 255 255 / 0.75)", "black", 1.5];
        context.fill();
        context.stroke();
      }
    }
    const outside = this.point && this.isOutside(this.point) ? ", outside the map" : "";
    canvas.setAttribute("aria-label", this.name + (this.point ? `; the point is at ${pair(this.point)}${outside}` : ""));
  }
}

/** The name of a draw, on the map and under its picture: a, b, c …, since digits are labels. */
export const letter = (number) => String.fromCharCode(97 + number);

const label = (tick) => String(+tick.toPrecision(3)).replace("-", "−");

function line(context, from, to) {
  context.beginPath();
  context.moveTo(...from);
  context.lineTo(...to);
  context.stroke();
}

/** Round numbers between `low` and `high`, about five of them. */
export function steps(low, high) {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, place) => (first + place) * step);
}

/** Call `step(share)` with shares from 0 to 1 for the given time; with reduced motion, only with 1. */
export function animate(step, milliseconds = 500) {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return step(1);
  const began = performance.now();
  const next = (now) => {
    const share = Math.min(1, Math.max(0, (now - began) / milliseconds));
    step(share);
    if (share < 1) requestAnimationFrame(next);
  };
  requestAnimationFrame(next);
}

/** What anywidget's model is where a kernel runs: values by name, and listeners for their changes. */
class PageModel {
  constructor(values) { this.values = values; this.listeners = []; }
  get(name) { return this.values[name]; }
  set(name, value) {
    this.values[name] = value;
    for (const [event, listener] of this.listeners) if (event === `change:${name}`) listener();
  }
  on(event, listener) { this.listeners.push([event, listener]); }
  off() {}
  save_changes() {}
}

/** Render an explorable into every element of the page that waits for it, in place of its static figure. */
export function show(key, render, values) {
  for (const el of document.querySelectorAll(`[data-explorable="${key}"]:not([data-ready])`)) {
    const model = new PageModel({ ...values });
    render({ model, el });
    el.model = model;
    el.dataset.ready = "";
  }
}
