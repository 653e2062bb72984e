// Draw a digit: it is encoded as it is drawn, its code appears on the map, and the reconstruction beside it.
import { Network, CodeMap, frame, keepDrawn, sharp, follow, floats, bytes, decode, show28, axes, pair, text } from "./kit.js";

export function render({ model, el }) {
  const networks = model.get("models").map(({ name, encoder, decoder, codes, sigmas, labels, error, error_range }) => ({
    name, error, error_range, encoder: new Network(encoder), decoder: new Network(decoder),
    codes: floats(codes), sigmas: sigmas && floats(sigmas), labels: [...bytes(labels)], axes: axes(floats(codes)),
  }));
  const examples = model.get("examples").map(bytes);
  const choices = networks.map(({ name }, place) =>
    `<label><input type="radio" name="model" value="${place}"${place ? "" : " checked"}>${name}</label>`).join("");
  const find = frame(el, {
    title: "Draw a digit",
    hint: "Draw on the pad with mouse, pen or finger. With the keyboard: arrow keys move the pen, the space bar lowers and lifts it. A new drawing replaces a test digit.",
    style: `
      canvas.pad { width: 100%; aspect-ratio: 1; touch-action: none; cursor: crosshair; background: #000; color: #fff; }
      .places { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 0.7rem 0.9rem; grid-template-areas: "pad map" "buttons pictures"; }
      .examples { grid-area: buttons; display: grid; grid-template-columns: repeat(6, minmax(0, 1fr)); gap: 0.4rem; align-content: start; }
      .examples button { padding: 0; } .examples .clear { grid-column: span 2; } .examples .small { grid-column: span 6; }
      .pictures { grid-area: pictures; display: grid; grid-template-columns: 5.5rem 5.5rem 1fr; gap: 0.4rem 0.7rem; align-content: start; }
      .pictures canvas { width: 5.5rem; } .readout { grid-column: 1 / -1; font-size: 0.95rem; min-height: 6em; white-space: nowrap; } .readout .small { white-space: normal; }
      @media (max-width: 34rem) {
        .places { grid-template-columns: minmax(0, 1fr); grid-template-areas: "pad" "buttons" "pictures" "map"; }
        canvas.pad { width: 78%; margin: 0 auto; }
      }`,
    html: `
      ${networks.length > 1 ? `<fieldset><legend>Network:</legend>${choices}</fieldset>` : ""}
      <div class="places">
        <canvas class="pad" style="grid-area: pad" tabindex="0" role="application" aria-roledescription="drawing pad"></canvas>
        <div class="examples"><span class="small">Or take a test digit:</span>
          ${examples.map((_, digit) => `<button type="button" value="${digit}" aria-label="Test digit ${digit}">${digit}</button>`).join("")}
          <button type="button" class="clear">Clear</button></div>
        <div class="pictures">
          <figure><canvas class="picture seen" role="img" aria-label="Your digit in 28 by 28 pixels"></canvas><figcaption>it sees</figcaption></figure>
          <figure><canvas class="picture drawn" role="img" aria-label="The reconstruction of your digit"></canvas><figcaption>it draws</figcaption></figure>
          <div class="readout number"></div>
        </div>
        <canvas class="codes" style="grid-area: map"></canvas>
      </div>`,
    words: `Your strokes are scaled and centred as MNIST's digits are, and become 28 by 28 pixels. The encoder turns them into two numbers: ${
      networks.some(({ sigmas }) => sigmas) ? "a point for an autoencoder, the centre μ and the spread σ of a cloud for a variational one" : "a point"}. The map shows where
      that is among the test digits, and the decoder draws the digit again from the two numbers alone. Where the axes' numbers grow by threes, the map is stretched: straight in its crowded middle and logarithmic far out.
      A letter or a scribble comes back as something like a digit. A complicated one costs far more nats than a test digit does on average, a single stroke does not.`,
  });
  const pad = find(".pad");
  const map = new CodeMap(find(".codes"), model.get("colours"));
  let chosen = networks[0];
  let strokes = [];
  let pixels = null;
  let pen = { at: [0.5, 0.5], down: false, shown: false };

  /** Draw the pad: the strokes, or the test digit that was chosen instead, and the keyboard's pen. */
  function drawPad() {
    const size = pad.clientWidth;
    if (!size) return;
    const context = sharp(pad, "#fff");
    if (!strokes.length && pixels) {
      const small = document.createElement("canvas");
      show28(small, pixels);
      context.imageSmoothingEnabled = false;
      context.drawImage(small, 0, 0, size, size);
    }
    Object.assign(context, { lineWidth: size / 20, lineCap: "round", lineJoin: "round" });
    for (const stroke of strokes) {
      context.beginPath();
      stroke.forEach(([x, y]) => context.lineTo(x * size, y * size));
      if (stroke.length === 1) context.lineTo(stroke[0][0] * size + 0.01, stroke[0][1] * size);
      context.stroke();
    }
    if (!strokes.length && !pixels) {
      context.textAlign = "center";
      context.font = "16px system-ui, sans-serif";
      context.fillText("draw a digit here", size / 2, size / 2);
    }
    if (pen.shown) {
      Object.assign(context, { lineWidth: 3, strokeStyle: "#ffa90e", fillStyle: "#ffa90e" });
      context.beginPath();
      context.arc(pen.at[0] * size, pen.at[1] * size, size / 28, 0, 2 * Math.PI);
      context.stroke();
      if (pen.down) context.fill();
    }
    pad.setAttribute("aria-label", strokes.length ? `Your drawing, ${strokes.length} strokes` : pixels ? "A test digit" : "An empty drawing pad");
  }

  function look() {
    if (strokes.length) pixels = rasterize(strokes);
    drawPad();
    for (const name of [".seen", ".drawn"]) show28(find(name), new Float32Array(784));
    if (!pixels) {
      find(".readout").textContent = "";
      map.update({ point: null, spread: null });
      return;
    }
    show28(find(".seen"), pixels);
    const out = chosen.encoder.run(pixels);
    const mu = [...out.slice(0, 2)];
    const sigma = out.length === 4 ? [...out.slice(2)].map((logVariance) => Math.exp(logVariance / 2)) : null;
    const logits = chosen.decoder.run(mu);
    const image = decode(chosen.decoder, mu);
    show28(find(".drawn"), image);
    map.point = mu;
    map.spread = sigma;
    map.draw();
    const cost = crossEntropy(logits, pixels);
    const code = sigma ? `μ = ${pair(mu)}, σ = ${pair(sigma, 3)}` : `z = ${pair(mu)}`;
    const [low, high] = chosen.error_range.map((nats) => text(nats, 0));
    find(".readout").innerHTML = `${code}${map.isOutside(mu) ? "<br>outside the map" : ""}<br>its pixels cost <b>${text(cost, 0)} nats</b><br>
      <span class="small">test digits: ${text(chosen.error, 0)} on average, nine of ten between ${low} and ${high}</span>`;
    find.say(`${find(".readout").innerText}`);
    for (const [name, value] of Object.entries({ network: chosen.name, image: [...pixels], mu, sigma, reconstruction: [...image], cost })) model.set(name, value);
    model.save_changes();
  }

  function choose(place) {
    chosen = networks[place];
    const { codes, sigmas, labels, axes, name } = chosen;
    map.update({ codes, sigmas, labels, axes, circles: sigmas ? [1, 2] : [], name: `Map of the codes of ${name}` });
    look();
  }

  function clear() {
    [strokes, pixels, pen] = [[], null, { ...pen, down: false }];
    look();
  }

  function extend(at, begin) {
    if (begin) {
      if (!strokes.length) pixels = null;
      strokes.push([at]);
    } else strokes.at(-1).push(at);
    look();
  }

  const within = (event) => {
    const { left, top, width, height } = pad.getBoundingClientRect();
    return [(event.clientX - left) / width, (event.clientY - top) / height].map((share) => Math.min(1, Math.max(0, share)));
  };
  follow(pad, (event) => { pen.shown = pen.down = false; extend(within(event), true); }, (event) => extend(within(event), false));
  pad.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], " ": [0, 0] }[event.key];
    if (!step) return;
    event.preventDefault();
    pen.shown = true;
    if (event.key === " ") pen.down = !pen.down;
    pen.at = pen.at.map((value, axis) => Math.min(1, Math.max(0, value + 0.04 * step[axis])));
    if (pen.down) extend(pen.at, event.key === " ");
    else drawPad();
    if (event.key === " ") find.say(pen.down ? "The pen is down" : "The pen is up");
  });
  find(".clear").addEventListener("click", clear);
  for (const button of find.all("button[value]")) {
    button.addEventListener("click", () => { clear(); pixels = Float32Array.from(examples[+button.value], (grey) => grey / 255); look(); });
  }
  for (const input of find.all("input")) input.addEventListener("change", () => choose(+input.value));
  const stop = keepDrawn(pad, drawPad);
  choose(0);
  return () => { stop(); map.stop(); };
}

/** Return 784 grey values for strokes, scaled and centred as MNIST's digits are (LeCun et al., 1998): the longer side
 * is 20 pixels, and the centre of mass lies in the middle of 28 by 28. */
export function rasterize(strokes) {
  const points = strokes.flat();
  const [low, high] = [Math.min, Math.max].map((end) => [0, 1].map((axis) => end(...points.map((point) => point[axis]))));
  const scale = 17.5 / Math.max(high[0] - low[0], high[1] - low[1], 0.04); // the pen's width makes it 20
  const middle = [0, 1].map((axis) => (low[axis] + high[axis]) / 2);
  const placed = (centre) => strokes.map((stroke) => stroke.map((point) => point.map((value, axis) => (value - middle[axis]) * scale + centre[axis])));
  const first = ink28(placed([13.5, 13.5]));
  const mass = first.reduce((sum, value) => sum + value, 0);
  const off = [0, 1].map((axis) => first.reduce((sum, value, place) => sum + value * (axis ? Math.floor(place / 28) : place % 28), 0) / mass - 13.5);
  return ink28(placed(off.map((value) => 13.5 - value)));
}

/** Return 28 by 28 pixels on which a round pen, soft at its edge, has followed the strokes; coordinates are in pixels. */
function ink28(strokes) {
  const pixels = new Float32Array(784);
  for (const stroke of strokes) {
    for (let place = 0; place < Math.max(1, stroke.length - 1); place++) {
      const [[x0, y0], [x1, y1]] = [stroke[place], stroke[Math.min(place + 1, stroke.length - 1)]];
      const length = (x1 - x0) ** 2 + (y1 - y0) ** 2;
      const [top, bottom] = [Math.max(0, Math.floor(Math.min(y0, y1) - 3)), Math.min(27, Math.ceil(Math.max(y0, y1) + 3))];
      const [left, right] = [Math.max(0, Math.floor(Math.min(x0, x1) - 3)), Math.min(27, Math.ceil(Math.max(x0, x1) + 3))];
      for (let y = top; y <= bottom; y++) {
        for (let x = left; x <= right; x++) {
          const along = length ? Math.min(1, Math.max(0, ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length)) : 0;
          const distance = Math.hypot(x - x0 - along * (x1 - x0), y - y0 - along * (y1 - y0));
          pixels[28 * y + x] = Math.max(pixels[28 * y + x], Math.min(1, Math.max(0, 2 - distance)));
        }
      }
    }
  }
  return pixels;
}

/** The cost of the pixels in nats, from the decoder's logits: softplus(logit) − pixel · logit, summed. */
const crossEntropy = (logits, pixels) =>
  logits.reduce((sum, logit, place) => sum + Math.max(logit, 0) + Math.log1p(Math.exp(-Math.abs(logit))) - pixels[place] * logit, 0);

export default { render };
