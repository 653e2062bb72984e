// β: networks trained at several β; rate, distortion, map and samples change together.
import { Network, CodeMap, frame, keepDrawn, sharp, floats, bytes, decode, show28, square, letter, animate, steps, text } from "./kit.js";

export function render({ model, el }) {
  const networks = model.get("models").map(({ beta, rate, distortion, decoder, codes, sigmas, labels }) => ({
    beta, rate, distortion, decoder: new Network(decoder), codes: floats(codes), sigmas: floats(sigmas), labels: [...bytes(labels)],
  }));
  const draws = model.get("draws");
  const find = frame(el, {
    title: "β: the price of the code",
    hint: "Each place of the slider is a network of its own, trained with that β. The eight codes drawn from N(0, I), the rings with letters, are always the same.",
    style: `
      .slider { display: grid; grid-template-columns: 5rem 1fr; width: 100%; font-weight: 600; }
      .pictures { display: grid; grid-template-columns: repeat(8, minmax(0, 1fr)); gap: 0.25rem; } .pictures canvas { width: 100%; }
      .pictures figcaption { text-align: center; line-height: 1.2; } .small { margin: 0.2rem 0 0.7rem; }
      .marks { display: flex; justify-content: space-between; padding: 0 0.2rem 0.4rem 5.2rem; font-size: 0.8rem; } .marks span { width: 1.6rem; text-align: center; margin: 0 -0.5rem; }
      canvas.curve { width: 100%; height: 15rem; }
      @media (max-width: 34rem) { canvas.curve { height: 12rem; } }`,
    html: `
      <label class="slider" for="beta"><span>β = <output for="beta" class="number"></output></span>
        <input type="range" id="beta" min="0" max="${networks.length - 1}" step="1"></label>
      <div class="marks" aria-hidden="true">${networks.map(({ beta }) => `<span>${beta}</span>`).join("")}</div>
      <div class="pictures">${draws.map((_, number) => `<figure><canvas class="picture" role="img"></canvas><figcaption>${letter(number)}</figcaption></figure>`).join("")}</div>
      <p class="small">What this network's decoder makes of the eight codes.</p>
      <div class="side"><figure><canvas class="codes"></canvas><figcaption>the test digits' clouds, one σ wide, and the prior's circles</figcaption></figure>
        <div><canvas class="curve" role="img"></canvas><p class="number readout"></p></div></div>`,
    words: `The rate is what the code costs (the KL term), the distortion what the pixels cost when a draw from the cloud is decoded; both in nats per test image. With a small β the
      code is long and the clouds are tiny beside their distances. As β grows the clouds grow, the middle of the map comes to the origin, the rate falls, and pictures lose
      detail. The centres keep their distances until the clouds are nearly as wide as the map, and then fall together: at the largest β the rate is close to zero, every image gets the prior itself as its
      cloud, and every draw gives the same picture. That is posterior collapse. Each network was trained apart and has arranged the digits in its own way.`,
  });
  const map = new CodeMap(find(".codes"), model.get("colours"));
  const slider = find("input");
  const curve = find(".curve");
  Object.assign(map, { axes: square(4), circles: [1, 2], extra: draws });
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
    find(".readout").innerHTML = `rate <b>${text(rate)}</b> nats, distortion <b>${text(distortion)}</b><br>together ${text(rate + distortion)}, the negative ELBO`;
    const images = draws.map((code) => decode(decoder, code));
    find.all(".pictures canvas").forEach((canvas, number) => {
      show28(canvas, images[number]);
      canvas.setAttribute("aria-label", `Draw ${letter(number)} from the prior, decoded`);
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
