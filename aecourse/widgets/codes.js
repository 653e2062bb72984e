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
  let p = [...model.get("p")];
  let q = [...p];
  const find = frame(el, {
    title: "Four symbols, and what they cost",
    hint: "Drag a probability; the other three make room in proportion. The kept code stays as it is until you keep another.",
    style: `
      table { width: 100%; border-collapse: collapse; font-size: 0.95rem; } th { font-weight: 600; text-align: left; font-size: 0.85rem; }
      th, td { padding: 0.15rem 0.35rem; } td:nth-child(2) { width: 46%; } .chosen { display: grid; grid-template-columns: 1fr 3.6rem; gap: 0.5rem; align-items: center; } td.number, th.number { text-align: right; } code { font-size: 0.95em; }
      .bars { display: grid; grid-template-columns: 11.5rem 1fr 3.6rem; gap: 0.25rem 0.5rem; align-items: center; margin-top: 0.6rem; font-size: 0.9rem; }
      .bar { display: flex; height: 1.15rem; } .bar span { height: 100%; }
      .waste { background: repeating-linear-gradient(45deg, #bd1f01 0 4px, transparent 4px 7px); outline: 1px solid #bd1f01; outline-offset: -1px; }
      @media (max-width: 34rem) { .bars { grid-template-columns: 1fr 3.6rem; } .bars .name { grid-column: 1 / -1; margin-bottom: -0.3rem; } th, td { padding: 0.1rem 0.2rem; } td:nth-child(2) { width: 30%; } .chosen { grid-template-columns: 1fr; gap: 0; } }`,
    html: `
      <table><thead><tr><th>symbol</th><th>probability</th><th class="number">surprise</th><th>Huffman</th><th>kept code</th></tr></thead><tbody>
        ${symbols.map((name, place) => `<tr><th scope="row">${name}</th>
          <td><div class="chosen"><input type="range" min="0" max="100" step="0.5" aria-label="Probability of ${name} in per cent" data-symbol="${place}"><span class="number small chance"></span></div></td>
          <td class="number surprise"></td><td><code class="word"></code></td><td><code class="kept"></code></td></tr>`).join("")}</tbody></table>
      <div class="row"><button type="button" class="keep">Keep this Huffman code</button><button type="button" class="even">All equal</button><button type="button" class="reset">Start again</button></div>
      <div class="bars number" role="list"></div>
      <p class="small">Bits per symbol. Solid: the entropy, which no code can save. Hatched: waste.</p>`,
    words: `The entropy is the mean surprise and the least mean length of any code. Huffman's words are the best whole words for these
      probabilities, so their mean length is at least the entropy and less than one bit above it. The ideal code for the
      kept probabilities pays the cross-entropy, and its waste is the KL divergence: it is zero when the probabilities are the kept ones, and grows without limit as a symbol
      that the kept code holds nearly impossible becomes frequent.`,
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
    });
    const rows = [
      ["entropy", found.entropy], ["Huffman's words", found.huffman],
      ["ideal code for the kept p", found.cross_entropy], ["Huffman's kept words", found.kept],
    ];
    const most = Math.max(3, ...rows.map(([, bits]) => (bits < 99 ? bits : 0)));
    find(".bars").innerHTML = rows.map(([name, bits]) => {
      const waste = Math.max(0, Math.min(bits, most) - found.entropy);
      return `<span class="name" role="listitem">${name}</span><span class="bar" aria-hidden="true"><span style="width:${(100 * found.entropy) / most}%;background:${colours[0]}"></span><span class="waste" style="width:${(100 * waste) / most}%"></span></span><b role="listitem">${bits < 99 ? text(bits) : "∞"}</b>`;
    }).join("");
    find.say(rows.map(([name, bits]) => `${name} ${bits < 99 ? text(bits) : "infinite"} bits`).join(", "));
    for (const [name, value] of Object.entries({ p, q, words, ...found })) model.set(name, value);
    model.save_changes();
  }

  for (const input of find.all("input")) input.addEventListener("input", () => { p = changed(p, +input.dataset.symbol, input.value / 100); draw(); });
  find(".keep").addEventListener("click", () => { q = [...p]; draw(); });
  find(".even").addEventListener("click", () => { p = p.map(() => 1 / p.length); draw(); });
  find(".reset").addEventListener("click", () => { p = [...model.get("start")]; q = [...p]; draw(); });
  model.set("start", [...p]);
  draw();
}

export default { render };
