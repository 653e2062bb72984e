// Codes: change the probabilities of four symbols; entropy, Huffman's words and the price of the wrong code follow.
import { frame, text } from "./kit.js";

/** Return −Σ p log₂ q in bits, with 0 log 0 = 0. */
export const crossEntropy = (p, q) => p.reduce((sum, chance, place) => sum - (chance ? chance * Math.log2(q[place]) : 0), 0) + 0;

/** Return Huffman's words for `p`, ties merged oldest first; a symbol of probability 0 gets "". */
export function huffman(p) {
  const words = p.map(() => "");
  let heap = p.map((weight, symbol) => ({ weight, age: symbol, symbols: [symbol] })).filter(({ weight }) => weight > 0);
  if (heap.length === 1) words[heap[0].symbols[0]] = "0";
  for (let age = p.length; heap.length > 1; age++) {
    heap.sort((a, b) => a.weight - b.weight || a.age - b.age);
    const [left, right, ...rest] = heap;
    for (const [bit, { symbols }] of [["0", left], ["1", right]]) for (const symbol of symbols) words[symbol] = bit + words[symbol];
    heap = [...rest, { weight: left.weight + right.weight, age, symbols: [...left.symbols, ...right.symbols] }];
  }
  return words;
}

/** Return `p` with one probability changed, the others scaled so that all sum to 1. */
export function changed(p, symbol, chance) {
  const others = 1 - p[symbol];
  return p.map((old, place) => (place === symbol ? chance : others ? (old * (1 - chance)) / others : (1 - chance) / (p.length - 1)));
}

export function render({ model, el }) {
  const symbols = model.get("symbols");
  const colours = model.get("colours");
  const presets = Object.entries(model.get("presets"));
  let p = [...model.get("p")];
  let q = [...p];
  const find = frame(el, {
    title: "Four symbols, and what they cost",
    hint: "Drag a probability; the others make room in proportion. The kept codes stay as they are until you keep others.",
    style: `
      table { width: 100%; border-collapse: collapse; font-size: 0.95rem; } th { font-weight: 600; text-align: left; font-size: 0.85rem; }
      th, td { padding: 0.15rem 0.35rem; } td.slide { width: 42%; } .number { text-align: right; } code { font-size: 0.95em; }
      .chosen { display: grid; grid-template-columns: 1fr 3.6rem; gap: 0.5rem; align-items: center; }
      .bars { display: grid; grid-template-columns: 11.5rem 1fr 3.6rem; gap: 0.25rem 0.5rem; align-items: center; margin-top: 0.6rem; font-size: 0.9rem; }
      .name { text-align: left; } .bar { display: flex; height: 1.15rem; } .bar span { height: 100%; }
      .waste { background: repeating-linear-gradient(45deg, #bd1f01 0 4px, transparent 4px 7px); outline: 1px solid #bd1f01; outline-offset: -1px; }
      @media (max-width: 34rem) {
        .bars { grid-template-columns: 1fr 3.6rem; } .bars .name { grid-column: 1 / -1; margin-bottom: -0.3rem; }
        table, tbody { display: block; } thead { display: none; }
        tr { display: grid; grid-template-columns: 3.2rem 1fr 1fr 1.5fr; align-items: baseline; margin-bottom: 0.5rem; }
        td.slide { grid-column: 1 / -1; grid-row: 2; width: auto; } td, th { padding: 0.1rem 0; text-align: left; }
        td[data-name]::before { content: attr(data-name) " "; font-size: 0.75rem; }
      }`,
    html: `
      <table><thead><tr><th>symbol</th><th>probability</th><th>surprise</th><th>Huffman</th><th>kept: ideal, word</th></tr></thead><tbody>
        ${symbols.map((name, place) => `<tr><th scope="row">${name}</th>
          <td class="slide"><div class="chosen"><input type="range" min="0" max="100" step="0.5" aria-label="Probability of ${name} in per cent" data-symbol="${place}"><span class="number small chance"></span></div></td>
          <td class="surprise" data-name="bits"></td><td data-name="word"><code class="word"></code></td><td data-name="kept"><span class="ideal"></span>, <code class="kept"></code></td></tr>`).join("")}</tbody></table>
      <div class="row"><button type="button" class="keep">Keep these codes</button><button type="button" class="even">All equal</button>
        ${presets.map(([name], place) => `<button type="button" data-preset="${place}">${name}</button>`).join("")}<button type="button" class="reset">Start again</button></div>
      <div class="bars number" role="list"></div>
      <p class="small">Bits per symbol. Solid: the entropy, which no code can save. Hatched: waste. <span class="never"></span></p>`,
    words: `The entropy is the mean surprise and the least mean length of any code. Huffman's words are the best whole words for these
      probabilities, so their mean length is at least the entropy and less than one bit above it. The ideal code for the
      kept probabilities, whose words are as long as the kept surprise, fractions of bits included, pays the cross-entropy, and its waste is the KL divergence: it is zero when the probabilities are the kept ones, and grows without limit as a symbol
      that the kept code holds nearly impossible becomes frequent. Which bit of a word is 0 and which is 1 is arbitrary; only the lengths count.`,
  });

  function draw() {
    const words = huffman(p);
    const kept = huffman(q);
    const length = (code) => p.reduce((sum, chance, place) => sum + (chance && !code[place] ? Infinity : chance * code[place].length), 0);
    const found = { entropy: crossEntropy(p, p), huffman: length(words), cross_entropy: crossEntropy(p, q), kept: length(kept) };
    p.forEach((chance, place) => {
      const input = find(`[data-symbol="${place}"]`);
      input.value = 100 * chance;
      input.setAttribute("aria-valuetext", `${text(100 * chance, 1)} per cent`);
      find.all(".chance")[place].textContent = `${text(100 * chance, 1)} %`;
      find.all(".surprise")[place].textContent = chance ? text(-Math.log2(chance)) : "∞";
      find.all(".word")[place].textContent = words[place] || "none";
      find.all(".kept")[place].textContent = kept[place] || "none";
      find.all(".ideal")[place].textContent = q[place] ? text(-Math.log2(q[place])) : "∞";
    });
    const rows = [
      ["entropy (ideal code)", found.entropy], ["Huffman's code", found.huffman],
      ["kept ideal code", found.cross_entropy], ["kept Huffman's code", found.kept],
    ];
    const most = Math.max(3, ...rows.map(([, bits]) => (bits < 99 ? bits : 0)));
    find(".bars").innerHTML = rows.map(([name, bits]) => {
      const waste = Math.max(0, Math.min(bits, most) - found.entropy);
      return `<span class="name" role="listitem">${name}</span><span class="bar" aria-hidden="true"><span style="width:${(100 * found.entropy) / most}%;background:${colours[0]}"></span><span class="waste" style="width:${(100 * waste) / most}%"></span></span><b role="listitem">${bits < 99 ? text(bits) : "∞"}</b>`;
    }).join("");
    find(".never").textContent = rows.some(([, bits]) => bits > 99) ? "∞: the kept codes have no word for a symbol that now occurs." : "";
    find.say(rows.map(([name, bits]) => `${name} ${bits < 99 ? text(bits) : "infinite"} bits`).join(", "));
    for (const [name, value] of Object.entries({ p, q, words, ...found })) model.set(name, value);
    model.save_changes();
  }

  for (const input of find.all("input")) input.addEventListener("input", () => { p = changed(p, +input.dataset.symbol, input.value / 100); draw(); });
  find(".keep").addEventListener("click", () => { q = [...p]; draw(); });
  find(".even").addEventListener("click", () => { p = p.map(() => 1 / p.length); draw(); });
  for (const button of find.all("[data-preset]")) button.addEventListener("click", () => { p = [...presets[+button.dataset.preset][1]]; draw(); });
  find(".reset").addEventListener("click", () => { p = [...model.get("start")]; q = [...p]; draw(); });
  model.set("start", [...p]);
  draw();
}

export default { render };
