// Travel the latent: move a point over the map of the codes and watch what the decoder makes of it.
import { Network, CodeMap, frame, floats, bytes, decode, show28, axes, letter, normal, pair } from "./kit.js";

export function render({ model, el }) {
  const networks = model.get("models").map(({ name, decoder, codes, sigmas, labels }) => ({
    name, decoder: new Network(decoder), codes: floats(codes), sigmas: sigmas && floats(sigmas), labels: [...bytes(labels)],
    axes: axes(floats(codes)),
  }));
  const hasPrior = networks.some(({ sigmas }) => sigmas); // an autoencoder alone has none to draw from
  const choices = networks.map(({ name }, place) =>
    `<label><input type="radio" name="model" value="${place}"${place ? "" : " checked"}>${name}</label>`).join("");
  const find = frame(el, {
    title: "Travel the latent space",
    hint: "Drag across the map, or use the arrow keys on it. The decoder draws what the point stands for.",
    style: `
      .now .picture { width: min(100%, 15rem); }
      .draws { display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); gap: 0.3rem; max-width: 17rem; margin: 0.4rem 0; }
      .draws .picture { width: 100%; } .draws figcaption { text-align: center; line-height: 1.2; }
      @media (max-width: 34rem) { .now { display: flex; gap: 0.8rem; align-items: center; } .now .picture { width: 8rem; } }`,
    html: `
      ${networks.length > 1 ? `<fieldset><legend>Network:</legend>${choices}</fieldset>` : ""}
      <div class="side">
        <canvas></canvas>
        <div>
          <figure class="now"><canvas class="picture" role="img"></canvas><figcaption class="number code"></figcaption></figure>
          ${hasPrior ? `<div class="row"><button type="button">Draw eight codes from N(0, I)</button></div>` : ""}
          <div class="draws"></div>
          <p class="small verdict"></p>
        </div>
      </div>`,
    words: `Each coloured dot is a test digit at its code, with the digit's number near the middle of its class; where a class stands aside, a line leads to its middle. Where you
      put the point, the decoder draws what the code stands for. In the crowded middle the digit changes within a short way; between some classes there are grey pictures that are no digit; out at the
      margin one digit reigns over wide stretches. Where the axes' numbers grow by threes, the map is stretched: straight in its middle and logarithmic far out.` + (hasPrior ? ` A variational autoencoder has a cloud around each
      point, and the ellipse shows how far it reaches, one σ in each direction. Trained with the reconstruction alone the clouds shrink to points; with the KL term they are wide and the map lies round the origin, where N(0, I) has its
      mass. The dashed lines are 1 and 2 away from the origin. Your place on the map stays the same when you change the network, so that you can compare what the decoders make of the same gesture.` : ""),
  });
  const picture = find("canvas.picture");
  let chosen = networks[0];
  const map = new CodeMap(find("canvas"), model.get("colours"), move);

  function move(code) {
    const image = decode(chosen.decoder, code);
    map.point = code;
    show28(picture, image);
    map.draw();
    find(".code").textContent = `z = ${pair(code)}`;
    picture.setAttribute("aria-label", `What the decoder draws for the code ${pair(code)}`);
    find.say(`Code ${pair(code)}`);
    model.set("network", chosen.name);
    model.set("code", [...code]);
    model.set("image", [...image]);
    model.save_changes();
  }

  /** Draw from the prior: dots on the map, pictures beside it. */
  function drawn() {
    const draws = Array.from({ length: 8 }, () => [normal(), normal()]);
    const outside = draws.filter((code) => map.isOutside(code)).length;
    find(".draws").replaceChildren(...draws.map((code, number) => {
      const [figure, canvas, caption] = ["figure", "canvas", "figcaption"].map((tag) => document.createElement(tag));
      canvas.className = "picture";
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `What the decoder draws for the code ${pair(code)}`);
      show28(canvas, decode(chosen.decoder, code));
      caption.textContent = letter(number);
      figure.append(canvas, caption);
      return figure;
    }));
    find(".verdict").textContent = outside ? `${outside} of the 8 ${outside > 1 ? "lie" : "lies"} beyond the map's edge.` : "";
    find.say("Eight codes drawn and decoded");
    map.update({ extra: draws });
    model.set("draws", draws);
    model.save_changes();
  }

  function choose(place) {
    const shares = map.point ? map.shares(map.point) : [0.5, 0.5];
    chosen = networks[place];
    find(".draws").replaceChildren();
    find(".verdict").textContent = "";
    const { codes, sigmas, labels, axes } = chosen;
    map.point = null;
    map.update({ codes, sigmas, labels, axes, extra: [], circles: hasPrior ? [1, 2] : [], name: `Map of the codes of ${chosen.name}` });
    map.place(...shares);
  }

  for (const input of find.all("input")) input.addEventListener("change", () => choose(+input.value));
  find("button")?.addEventListener("click", drawn);
  choose(0);
  return map.stop;
}

export default { render };
