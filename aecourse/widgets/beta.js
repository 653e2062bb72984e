// β: networks trained at several β; rate, distortion, map and samples change together.
import { Network, CodeMap, frame, keepDrawn, sharp, floats, bytes, decode, show28, animate, steps, text } from "./kit.js";

export function render({ model, el }) {
  const networks = model.get("models").map(({ beta, rate, distortion, decoder, codes, sigmas, labels }) => ({
    beta, rate, distortion, decoder: new Network(decoder), codes: floats(codes), sigmas: floats(sigmas), labels: [...bytes(labels)],
  }));
  const draws = model.get("draws");
  const find = frame(el, {
    title: "β: the price of the code",
    hint: "Each place of the slider is a network of its own, trained with that β. The draws ε are always the same ones.",
    style: `
      .slider { display: grid; grid-template-columns: 5rem 1fr; width: 100%; font-weight: 600; }
      .pictures { display: grid; grid-template-columns: repeat(8, minmax(0, 1fr)); gap: 0.25rem; margin-top: 0.7rem; } .pictures canvas { width: 100%; }
      canvas.curve { width: 100%; height: 15rem; }
      @media (max-width: 34rem) { .pictures { grid-template-columns: repeat(4, minmax(0, 1fr)); } }`,
    html: `
      <label class="slider" for="beta"><span>β = <output for="beta" class="number"></output></span>
        <input type="range" id="beta" min="0" max="${networks.length - 1}" step="1"></label>
      <div class="side"><figure><canvas class="codes"></canvas><figcaption>the test digits' clouds, one σ wide, on the prior's circles</figcaption></figure>
        <div><canvas class="curve" role="img"></canvas><p class="number readout"></p></div></div>
      <div class="pictures"></div><p class="small">What this network's decoder makes of the same eight draws from N(0, I).</p>`,
    words: `The rate is what the code costs (the KL term), the distortion what the pixels cost when a draw from the cloud is decoded; both in nats per test image. With a small β the
      code is long, the clouds are small and far apart, and draws from the prior fall between them. As β grows the clouds grow and draw together into N(0, I), the rate falls, and pictures lose
      detail. At the largest β the rate is close to zero: every image gets the prior itself as its cloud, and every draw gives the same picture. That is posterior collapse.`,
  });
  const map = new CodeMap(find(".codes"), model.get("colours"));
  const slider = find("input");
  const curve = find(".curve");
  const edge = 4;
  map.range = [[-edge, edge], [-edge, edge]];
  map.circles = [1, 2];
  find(".pictures").replaceChildren(...draws.map(() => Object.assign(document.createElement("canvas"), { className: "picture" })));
  let chosen = networks.findIndex(({ beta }) => beta === 1);
  slider.value = chosen;

  function drawCurve() {
    if (!curve.clientWidth) return;
    const context = sharp(curve);
    const [left, bottom] = [38, curve.clientHeight - 34];
    const axis = (values, from, to) => {
      const [low, high] = [Math.min(...values), Math.max(...values)];
      return { low, high, of: (value) => from + ((to - from) * (value - low)) / (high - low) };
    };
    const x = axis([0, ...networks.map(({ rate }) => rate)], left + 10, curve.clientWidth - 14);
    const y = axis(networks.map(({ distortion }) => distortion), bottom - 10, 28);
    context.globalAlpha = 0.8;
    for (const tick of steps(x.low, x.high)) context.fillText(text(tick, 0), x.of(tick) - 4, bottom + 15);
    for (const tick of steps(y.low, y.high)) context.fillText(text(tick, 0), 8, y.of(tick) + 4);
    context.fillText("rate (nats)", (curve.clientWidth + left) / 2 - 30, bottom + 30);
    context.fillText("distortion (nats)", left + 4, 11);
    context.beginPath();
    context.moveTo(left, 4);
    context.lineTo(left, bottom);
    context.lineTo(curve.clientWidth, bottom);
    context.stroke();
    context.globalAlpha = 1;
    context.strokeStyle = "#3f90da";
    context.lineWidth = 2;
    context.beginPath();
    for (const { rate, distortion } of networks) context.lineTo(x.of(rate), y.of(distortion));
    context.stroke();
    networks.forEach(({ rate, distortion }, place) => {
      context.beginPath();
      context.arc(x.of(rate), y.of(distortion), place === chosen ? 8 : 4, 0, 2 * Math.PI);
      context.fillStyle = place === chosen ? "#e76300" : "#3f90da";
      context.fill();
    });
  }

  function choose(place) {
    const before = networks[chosen];
    chosen = place;
    const { beta, rate, distortion, decoder, codes, sigmas, labels } = networks[place];
    find("output").textContent = beta;
    slider.setAttribute("aria-valuetext", `β = ${beta}`);
    find(".readout").innerHTML = `rate <b>${text(rate, 1)}</b> nats, distortion <b>${text(distortion, 1)}</b><br>together ${text(rate + distortion, 1)}, the negative ELBO`;
    const images = draws.map((code) => decode(decoder, code));
    find.all(".pictures canvas").forEach((canvas, number) => {
      show28(canvas, images[number]);
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `Draw ${number + 1} from the prior, decoded`);
    });
    drawCurve();
    curve.setAttribute("aria-label", `Rate against distortion for ${networks.length} values of β; at β = ${beta} the rate is ${text(rate, 1)} and the distortion ${text(distortion, 1)} nats`);
    map.name = `Map of the clouds at β = ${beta}`;
    const between = (from, to, share) => to.map((value, index) => from[index] + share * (value - from[index]));
    animate((share) => {
      if (networks[chosen].beta === beta) map.update({ labels, codes: between(before.codes, codes, share), sigmas: between(before.sigmas, sigmas, share) });
    });
    find.say(`β ${beta}: rate ${text(rate, 1)}, distortion ${text(distortion, 1)} nats`);
    for (const [name, value] of Object.entries({ beta, rate, distortion, images: images.map((image) => [...image]) })) model.set(name, value);
    model.save_changes();
  }

  slider.addEventListener("input", () => choose(+slider.value));
  const stop = keepDrawn(curve, drawCurve);
  choose(chosen);
  return () => { stop(); map.stop(); };
}

export default { render };
