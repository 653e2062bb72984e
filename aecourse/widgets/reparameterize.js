// Reparameterization: one draw z = μ + σε, its cost, and where the gradient goes, or stops.
import { frame, keepDrawn, sharp, normal, steps, text } from "./kit.js";

const [LOW, HIGH, GOAL] = [-5, 7, 3]; // the axis, and the z that costs nothing

/** Return the draw, its cost f(z) = (z − 3)², and the slopes along z, μ, σ and log σ². */
export function pathwise(mu, logVariance, epsilon) {
  const sigma = Math.exp(logVariance / 2);
  const z = mu + sigma * epsilon;
  const slope = 2 * (z - GOAL);
  return { sigma, z, cost: (z - GOAL) ** 2, slope, mu: slope, deviation: slope * epsilon, logVariance: slope * epsilon * sigma / 2 };
}

export function render({ model, el }) {
  const slider = (name, label, value, low, high) => `
    <label for="${name}" class="slider"><span>${label} = <output class="number" for="${name}" id="${name}-value"></output></span>
    <input type="range" id="${name}" min="${low}" max="${high}" step="any" value="${value}"></label>`;
  const find = frame(el, {
    title: "A draw that lets the gradient through",
    hint: "Move μ and log σ², throw a new ε, and follow the gradient from the cost back to where the draw was made. Then block it.",
    style: `
      .slider { display: grid; grid-template-columns: 9.5rem 1fr; width: 100%; min-height: 2.2rem; }
      canvas.density { width: 100%; height: 12.5rem; }
      svg { width: 100%; max-width: 30rem; margin: 0.6rem auto 0; height: auto; display: block; color: inherit; }
      svg text { fill: currentColor; font: 15px system-ui, sans-serif; text-anchor: middle; }
      svg .back { stroke: #e76300; fill: none; } svg .back-text { font-weight: 650; }
      @media (max-width: 34rem) { .slider { grid-template-columns: 8.2rem 1fr; } }`,
    html: `
      ${slider("mu", "μ", 0, -3, 5)}${slider("log-variance", "log σ²", 0, -4, 2)}
      <fieldset><legend>The draw:</legend>
        <label><input type="radio" name="way" value="outside" checked>z = μ + σε, with ε from outside</label>
        <label><input type="radio" name="way" value="inside">z drawn inside, from N(μ, σ²): blocks the gradient</label></fieldset>
      <div class="row"><button type="button" class="new"></button><button type="button" class="step"></button>
        <button type="button" class="many"></button><button type="button" class="reset">Start again</button></div>
      <canvas class="density" role="img"></canvas>
      <svg viewBox="0 0 420 272" role="img" aria-label="">
        <defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0 10 5 0 10z" fill="currentColor"/></marker>
          <marker id="back" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="13" markerHeight="13" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0 10 5 0 10z" fill="#e76300"/></marker></defs>
        <g class="graph"></g>
      </svg>
      <p class="number readout"></p>`,
    words: `The cost of a draw is f(z) = (z − 3)². With z = μ + σε the draw is an ordinary function of μ and σ: the slope 2(z − 3)
      goes back unchanged to μ, and multiplied by ε to σ. One draw gives a noisy slope: throw a few ε and see it change, at times even its sign. Many steps find the cheapest cloud, centred at 3 and narrow.
      If z is drawn inside, no derivative leads through the draw: nothing arrives at μ and log σ², and no step changes them.`,
  });
  let epsilon = 0.8;
  const values = () => [+find("#mu").value, +find("#log-variance").value];
  const blocked = () => find("input[value=inside]").checked;

  function set(mu, logVariance) {
    find("#mu").value = mu;
    find("#log-variance").value = logVariance;
  }

  function draw() {
    const [mu, logVariance] = values();
    const at = pathwise(mu, logVariance, epsilon);
    find("#mu-value").textContent = text(mu);
    find("#log-variance-value").textContent = text(logVariance);
    density(find(".density"), mu, at);
    const drawn = blocked() ? "draw" : "ε";
    find(".new").textContent = `New ${drawn}`;
    find(".step").textContent = `One step, same ${drawn}`;
    find(".many").textContent = `50 steps, a new ${drawn} each`;
    const arriving = blocked() ? "none: the draw stops it" : text(at.mu);
    find(".graph").innerHTML = graph(at, epsilon, blocked());
    find("svg").setAttribute("aria-label", `z is ${text(at.z)} and costs ${text(at.cost)}. Gradient that reaches μ: ${arriving}; log σ²: ${blocked() ? "none" : text(at.logVariance)}.`);
    find(".density").setAttribute("aria-label", `Normal density with μ = ${text(mu)} and σ = ${text(at.sigma)}; the draw lies at ${text(at.z)}, the goal at 3.`);
    find(".readout").textContent = `σ = ${text(at.sigma)},  ${blocked() ? "" : `ε = ${text(epsilon)},  `}z = ${text(at.z)},  f(z) = ${text(at.cost)}`;
    find.say(find("svg").getAttribute("aria-label"));
    for (const [name, value] of Object.entries({ mu, log_var: logVariance, epsilon, z: at.z, cost: at.cost, gradient: blocked() ? null : [at.mu, at.logVariance] })) model.set(name, value);
    model.save_changes();
  }

  /** Move μ and log σ² against the slope of one draw each time, as long as a gradient arrives. */
  function descend(count) {
    for (let step = 0; step < count; step++) {
      if (count > 1) epsilon = normal();
      const [mu, logVariance] = values();
      const at = pathwise(mu, logVariance, epsilon);
      if (!blocked()) set(mu - 0.05 * at.mu, logVariance - 0.05 * at.logVariance);
    }
    draw();
  }

  find(".new").addEventListener("click", () => { epsilon = normal(); draw(); });
  find(".step").addEventListener("click", () => descend(1));
  find(".many").addEventListener("click", () => descend(50));
  find(".reset").addEventListener("click", () => { epsilon = 0.8; set(0, 0); draw(); });
  for (const input of find.all("input")) input.addEventListener("input", draw);
  return keepDrawn(find(".density"), draw);
}

/** The density, the draw under it, the goal, and an arrow that says where one step would take the draw. */
function density(canvas, mu, { sigma, z, slope }) {
  if (!canvas.clientWidth) return;
  const context = sharp(canvas);
  const [width, height] = [canvas.clientWidth, canvas.clientHeight - 22];
  const x = (value) => (width * (value - LOW)) / (HIGH - LOW);
  const shown = Math.min(HIGH, Math.max(LOW, z));
  const top = Math.max(0.9, 0.44 / sigma);
  context.globalAlpha = 0.8;
  for (const tick of steps(LOW, HIGH)) context.fillText(text(tick, 0), x(tick) - 4, height + 16);
  context.globalAlpha = 1;
  context.beginPath();
  context.moveTo(0, height);
  context.lineTo(width, height);
  context.stroke();
  context.beginPath();
  for (let pixel = 0; pixel <= width; pixel++) {
    const value = LOW + ((HIGH - LOW) * pixel) / width;
    context.lineTo(pixel, height - (0.92 * height * Math.exp(-(((value - mu) / sigma) ** 2) / 2)) / (sigma * Math.sqrt(2 * Math.PI)) / top);
  }
  [context.strokeStyle, context.lineWidth] = ["#3f90da", 2.5];
  context.stroke();
  context.strokeStyle = context.fillStyle;
  context.lineWidth = 1.5;
  context.setLineDash([4, 4]);
  context.beginPath();
  context.moveTo(x(GOAL), 16);
  context.lineTo(x(GOAL), height);
  context.stroke();
  context.setLineDash([]);
  const goal = "z that costs nothing";
  context.fillText(goal, Math.min(x(GOAL) + 5, width - context.measureText(goal).width), 12);
  const [name, peak] = ["N(μ, σ²)", height - (0.92 * height * 0.399) / sigma / top];
  const left = x(mu - 0.7 * sigma) - context.measureText(name).width - 8; // beside the curve's left flank
  context.fillText(name, Math.max(4, left), Math.max(30, peak + 0.22 * (height - peak)));
  context.beginPath();
  context.arc(x(shown), height, 6, 0, 2 * Math.PI);
  context.fill();
  context.fillText("z", x(shown) - 3, height + 16);
  const length = Math.sign(-slope) * Math.min(60, 12 + 6 * Math.abs(slope));
  if (Math.abs(slope) > 0.02) arrow(context, x(shown), height - 4, length);
}

function arrow(context, x, y, length) {
  const tip = x + length;
  context.strokeStyle = context.fillStyle = "#e76300";
  context.lineWidth = 3;
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(tip, y);
  context.stroke();
  context.beginPath();
  context.moveTo(tip + 5 * Math.sign(length), y);
  context.lineTo(tip - 4 * Math.sign(length), y - 5);
  context.lineTo(tip - 4 * Math.sign(length), y + 5);
  context.fill();
}

/** The computation from left to right in the text's colour, and in orange the gradient from right to left. */
function graph(at, epsilon, blocked) {
  const node = (x, y, name, value) => `<circle cx="${x}" cy="${y}" r="33" fill="none" stroke="currentColor" stroke-width="1.5"/>
    <text x="${x}" y="${y - 3}">${name}</text><text x="${x}" y="${y + 17}" class="number">${value}</text>`;
  const forward = (from, to) => `<path d="M${from}L${to}" stroke="currentColor" stroke-width="1.5" fill="none" marker-end="url(#tip)"/>`;
  const back = (from, to, value, x, y) => `<path class="back" d="M${from}L${to}" stroke-width="${Math.min(7, 1.5 + Math.abs(value) / 2)}" marker-end="url(#back)"/>
    <text class="back-text" x="${x}" y="${y}">${text(value)}</text>`;
  const cut = (from, to, [x, y]) => `<path class="back" d="M${from}L${to}" stroke-width="3" stroke-dasharray="6 5"/><path d="M${x - 8} ${y - 8}l16 16m0-16l-16 16" class="back" stroke-width="4"/>`;
  const stopped = cut("210 98", "168 78", [160, 74]) + cut("211 154", "168 173", [160, 177]) + `<text class="back-text" x="122" y="130">no gradient</text>`;
  return `
    ${node(45, 45, "μ", text(at.z - at.sigma * epsilon))}${node(45, 205, "log σ²", text(2 * Math.log(at.sigma)))}
    ${node(235, 125, blocked ? "z drawn" : "z", text(at.z))}${node(378, 125, "f(z)", text(at.cost))}
    ${forward("79 60", "200 112")}${forward("79 192", "200 140")}${forward("269 117", "342 117")}
    ${back("343 136", "273 136", at.slope, 306, 160)}
    ${blocked ? stopped : node(235, 232, "ε", text(epsilon)) + forward("235 198", "235 161")
      + back("210 98", "83 40", at.mu, 160, 56) + back("211 154", "83 210", at.logVariance, 152, 212)}`;
}

export default { render };
