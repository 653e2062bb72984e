// Player: piano rolls that can be heard.  The sound is made in the page: an oscillator for each voice.
import { frame, keepDrawn, sharp, follow } from "./kit.js";

const NAMES = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];
const VOICES = ["soprano", "alto", "tenor", "bass"];

/** Return a pitch's name with its octave: 60 is C4. */
export const noteName = (pitch) => `${NAMES[pitch % 12]}${Math.floor(pitch / 12) - 1}`;

/** Return a pitch's frequency in hertz: 69 is 440. */
export const hertz = (pitch) => 440 * 2 ** ((pitch - 69) / 12);

/** Return the notes of one voice from step `from` on, as { pitch, start, length } in steps: what stays the same is one note. */
export function notesOf(rows, voice, from = 0) {
  const notes = [];
  for (let step = from; step < rows.length; step++) {
    const [pitch, last] = [rows[step][voice], notes.at(-1)];
    if (pitch < 0) continue;
    if (last && last.pitch === pitch && last.start + last.length === step) last.length++;
    else notes.push({ pitch, start: step, length: 1 });
  }
  return notes;
}

/** Let an oscillator sing notes with a soft beginning and end, `seconds` per step, step `from` at the time `began`. */
function sing(context, output, notes, { began, from, seconds }) {
  const [oscillator, gain] = [context.createOscillator(), context.createGain()];
  oscillator.setPeriodicWave(context.createPeriodicWave(new Float32Array(6), new Float32Array([0, 1, 0.45, 0.25, 0.12, 0.05])));
  gain.gain.value = 0;
  for (const { pitch, start, length } of notes) {
    const [on, off] = [began + (start - from) * seconds, began + (start + length - from) * seconds];
    oscillator.frequency.setValueAtTime(hertz(pitch), on);
    gain.gain.setTargetAtTime(0.16, on, 0.02);
    gain.gain.setTargetAtTime(0, off - 0.07, 0.025);
  }
  oscillator.connect(gain).connect(output);
  oscillator.start(began);
  return oscillator;
}

export function render({ model, el }) {
  const pieces = model.get("pieces");
  const colours = model.get("colours");
  const seconds = model.get("seconds");
  const beat = model.get("beat");
  const group = `piece-${Math.random().toString(36).slice(2)}`;
  const find = frame(el, {
    title: "Player: four voices",
    hint: "Choose a piece and press Play. Click into the roll, or use the arrow keys on it, to move the line.",
    style: `
      canvas.roll { width: 100%; height: 15rem; touch-action: pan-y; cursor: pointer; border: 1px solid color-mix(in srgb, currentColor 28%, transparent); }
      .voices label { font-size: 0.9rem; } .swatch { display: inline-block; width: 1rem; height: 0.7rem; border-radius: 0.15rem; }
      button.play { min-width: 6rem; } input[type="checkbox"] { width: 1.05rem; height: 1.05rem; margin: 0; }
      @media (max-width: 34rem) { canvas.roll { height: 12rem; } }`,
    html: `
      <fieldset class="pieces"><legend>Piece</legend>${pieces.map(({ name }, place) => `<label><input type="radio" name="${group}" value="${place}"${place ? "" : " checked"}><span></span></label>`).join("")}</fieldset>
      <canvas class="roll" tabindex="0" role="slider" aria-valuemin="0"></canvas>
      <div class="row"><button type="button" class="play">Play</button><span class="small number told"></span></div>
      <fieldset class="voices"><legend>Voices</legend>${VOICES.map((voice, place) => `<label><input type="checkbox" data-voice="${place}" checked><span class="swatch" style="background:${colours[place]}" aria-hidden="true"></span>${voice}</label>`).join("")}</fieldset>`,
    words: `A piano roll is a picture of music: time runs from left to right, pitch from low to high, and every bar is a note. Each voice has its colour, and its first letter stands on
      its first note. The light vertical lines are ${beat > 1 ? "beats" : "steps"}, the level ones the notes called C. The data do not tell a repeated note from a long one, so the player holds both. The sound is computed
      in this page, with a plain organ-like tone for each voice; no recording is played and nothing is sent or fetched. A ticked voice sounds; untick the others to hear one alone.`,
  });
  const canvas = find(".roll");
  const button = find(".play");
  find.all(".pieces span").forEach((label, place) => { label.textContent = pieces[place].name; });
  const sung = pieces.flatMap(({ rows }) => rows.flat().filter((pitch) => pitch >= 0));
  const [low, high] = sung.length ? [Math.min(...sung) - 1, Math.max(...sung) + 1] : [47, 73];
  let [chosen, position] = [0, 0];
  let context = null;
  let playing = null;

  const rows = () => pieces[chosen].rows;
  const clock = () => (context ? context.currentTime : performance.now() / 1000);

  function draw() {
    if (!canvas.clientWidth) return;
    const pen = sharp(canvas);
    const [left, width, height] = [30, canvas.clientWidth - 30, canvas.clientHeight];
    const across = (step) => left + (width * step) / rows().length;
    const size = height / (high - low + 1);
    const down = (pitch) => (high - pitch) * size;
    pen.globalAlpha = 0.2;
    for (let step = 0; step < rows().length; step += beat) pen.fillRect(across(step), 0, step % (4 * beat) ? 0.5 : 1.5, height);
    for (let pitch = Math.ceil(low / 12) * 12; pitch <= high; pitch += 12) pen.fillRect(left, down(pitch) + size, width, 1);
    pen.globalAlpha = 0.9;
    for (let pitch = Math.ceil(low / 12) * 12; pitch <= high; pitch += 12) pen.fillText(noteName(pitch), 4, Math.max(11, down(pitch) + size));
    const heard = find.all("[data-voice]").map((box) => box.checked);
    for (const [voice, name] of VOICES.entries()) {
      pen.globalAlpha = heard[voice] ? 1 : 0.25;
      for (const [place, { pitch, start, length }] of notesOf(rows(), voice).entries()) {
        pen.fillStyle = colours[voice];
        pen.fillRect(across(start) + 0.5, down(pitch) + 0.5, across(start + length) - across(start) - 1.5, Math.max(2, size - 1));
        if (place) continue;
        pen.font = "bold 11px system-ui, sans-serif";
        pen.fillStyle = getComputedStyle(canvas).color;
        pen.fillText(name[0].toUpperCase(), across(start) - 9, down(pitch) + size / 2 + 4);
      }
    }
    pen.globalAlpha = 1;
    pen.fillStyle = getComputedStyle(canvas).color;
    pen.fillRect(Math.min(across(position), canvas.clientWidth - 2) - 1, 0, 2, height);
  }

  /** Move the line and tell where it is; `spoken` while nothing plays, so that a screen reader does not talk over the music. */
  function moveTo(step) {
    position = Math.max(0, Math.min(rows().length, step));
    const row = rows()[Math.min(rows().length - 1, Math.floor(position))];
    const chord = VOICES.map((voice, place) => `${voice} ${row[place] < 0 ? "rests" : noteName(row[place])}`).join(", ");
    find(".told").textContent = `${(position * seconds).toFixed(1)} of ${(rows().length * seconds).toFixed(1)} s`;
    canvas.setAttribute("aria-label", `Piano roll of ${pieces[chosen].name}`);
    canvas.setAttribute("aria-valuemax", rows().length);
    canvas.setAttribute("aria-valuenow", Math.floor(position));
    canvas.setAttribute("aria-valuetext", `step ${Math.floor(position)} of ${rows().length}: ${chord}`);
    model.set("position", position);
    draw();
  }

  function stop() {
    if (playing) {
      clearTimeout(playing.timer);
      cancelAnimationFrame(playing.frame);
      if (context) {
        playing.output.gain.setTargetAtTime(0, context.currentTime, 0.02);
        for (const oscillator of playing.oscillators) oscillator.stop(context.currentTime + 0.15);
      }
    }
    playing = null;
    button.textContent = "Play";
    model.set("playing", false);
    model.set("audio", context ? context.state : "none");
    model.save_changes();
  }

  function play() {
    stop();
    window.dispatchEvent(new CustomEvent("aecourse-player", { detail: group }));
    if (position >= rows().length) moveTo(0);
    const Audio = window.AudioContext || window.webkitAudioContext;
    if (!context && Audio) context = new Audio();
    if (context) context.resume();
    else find.say("This browser can't make sound; only the line moves.");
    const from = Math.floor(position);
    const began = clock() + 0.08;
    const scheduled = VOICES.map((_, voice) => notesOf(rows(), voice, from));
    playing = { oscillators: [], began, from };
    if (context) {
      playing.output = context.createGain();
      playing.output.connect(context.destination);
      playing.voices = scheduled.map((notes, voice) => {
        const mute = context.createGain();
        mute.gain.value = find(`[data-voice="${voice}"]`).checked ? 1 : 0;
        mute.connect(playing.output);
        playing.oscillators.push(sing(context, mute, notes, { began, from, seconds }));
        return mute;
      });
    }
    button.textContent = "Stop";
    model.set("playing", true);
    model.set("scheduled", scheduled);
    tick();
    model.save_changes();
  }

  /** Follow the sound with the line: smoothly, or from step to step where the reader wants little motion. */
  function tick() {
    if (!playing) return;
    const now = playing.from + Math.max(0, clock() - playing.began) / seconds;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    moveTo(still ? Math.floor(now) : now);
    model.set("audio", context ? context.state : "none");
    if (now >= rows().length) { stop(); return; }
    if (still) playing.timer = setTimeout(tick, 1000 * seconds);
    else playing.frame = requestAnimationFrame(tick);
  }

  function seek(step) {
    const goesOn = Boolean(playing);
    if (goesOn) stop();
    moveTo(Math.floor(step));
    if (goesOn) play();
    else find.say(canvas.getAttribute("aria-valuetext"));
    model.save_changes();
  }

  button.addEventListener("click", () => (playing ? stop() : play()));
  const pointed = (event) => {
    const box = canvas.getBoundingClientRect();
    seek((rows().length * (event.clientX - box.left - 30)) / (box.width - 30));
  };
  follow(canvas, pointed, (event) => { if (!playing) pointed(event); });
  canvas.addEventListener("keydown", (event) => {
    const size = event.shiftKey ? 4 * beat : 1;
    const step = { ArrowLeft: position - size, ArrowDown: position - size, ArrowRight: position + size, ArrowUp: position + size, Home: 0, End: rows().length - 1 }[event.key];
    if (event.key === " ") { if (playing) stop(); else play(); } else if (step !== undefined) seek(Math.max(0, Math.min(rows().length - 1, step))); else return;
    event.preventDefault();
  });
  for (const input of find.all(".pieces input")) {
    input.addEventListener("change", () => {
      stop();
      chosen = +input.value;
      model.set("piece", pieces[chosen].name);
      moveTo(0);
      model.save_changes();
    });
  }
  for (const box of find.all("[data-voice]")) {
    box.addEventListener("change", () => {
      if (playing && context) playing.voices[+box.dataset.voice].gain.setTargetAtTime(box.checked ? 1 : 0, context.currentTime, 0.02);
      draw();
    });
  }
  const other = (event) => { if (event.detail !== group && playing) stop(); };
  window.addEventListener("aecourse-player", other);
  model.set("piece", pieces[0].name);
  stop();
  moveTo(0);
  const undraw = keepDrawn(canvas, draw);
  return () => { stop(); undraw(); window.removeEventListener("aecourse-player", other); if (context) context.close(); };
}

export default { render };
