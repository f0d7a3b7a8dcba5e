// Draws thousands of cells on one canvas. Reads its colours from the tokens; redraws only what changed.
(() => {
  "use strict";
  // Letter -> token and shape. The shapes are those of the cells, as far as 4 pixels go.
  const LOOK = {
    p: ["bg-3", "fill"], r: ["running", "hollow"], v: ["running", "dot"], u: ["unknown", "bars"],
    x: ["awaiting", "hollow"], s: ["ok-fill", "fill"], f: ["failed", "loud"], g: ["failed", "lost"], k: ["line-2", "dash"],
    P: ["rolled", "pale"], R: ["rolled", "hollow"], V: ["rolled", "dot"], U: ["unknown", "bars"],
    X: ["awaiting", "hollow"], S: ["rolled", "half"], F: ["failed", "loud"], K: ["line-2", "dash"],
  };
  const GUTTER = 44;
  const BAND = 6;
  const SLICE = 20000;

  function mount(canvas, wordOf) {
    const pen = canvas.getContext("2d");
    const says = document.getElementById("heat-says");
    const letters = [...canvas.dataset.states];
    const sizes = canvas.dataset.batches.split(",").map(Number);
    let places = [];
    let step = 5;
    let colours = {};
    let width = 0, drawn = 0, drawing = 0;

    function readColours() {
      const probe = document.body.appendChild(document.createElement("i"));
      const token = (name) => { probe.style.color = `var(--${name})`; return getComputedStyle(probe).color; };
      colours = Object.fromEntries(["bg", "bg-3", "line-2", "ink-3", "running", "unknown", "awaiting", "ok-fill", "failed", "rolled"].map((n) => [n, token(n)]));
      probe.remove();
    }

    // A batch begins a row where its rows would be fairly full; small batches flow on.
    function layOut() {
      const room = width - GUTTER;
      step = letters.length > 4000 ? 5 : letters.length > 1500 ? 7 : 10;
      let columns = Math.floor(room / step);
      const usual = sizes[Math.floor(sizes.length / 2)];
      const byRow = usual * 2 >= columns || sizes.length === 1;
      if (byRow && usual < columns) {
        step = Math.min(10, Math.floor(room / usual));
        columns = Math.floor(room / step);
      }
      places = [];
      const labels = [];
      let row = 0, column = 0, shift = 0;
      sizes.forEach((size, batch) => {
        if (byRow && column) { row += 1; column = 0; }
        if (byRow && batch && batch % 10 === 0) shift += BAND;
        if (byRow && batch % 10 === 0) labels.push([`${batch + 1}`, row * step + shift]);
        for (let i = 0; i < size; i += 1) {
          if (column === columns) { row += 1; column = 0; }
          places.push([GUTTER + column * step, row * step + shift, batch + 1]);
          column += 1;
        }
      });
      const height = (row + 1) * step + shift + 2;
      const ratio = window.devicePixelRatio || 1;
      canvas.style.height = `${height}px`;
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      pen.fillStyle = colours["ink-3"];
      pen.font = `11px ${getComputedStyle(document.body).fontFamily}`;
      pen.textBaseline = "top";
      labels.forEach(([text, y]) => pen.fillText(text, 0, y - 1));
    }

    // All cells of a letter at once: a pen that changes its colour for each is four times as slow.
    function paint(letter, positions) {
      const [name, shape] = LOOK[letter];
      const size = step - 1, half = Math.floor(size / 2);
      const fill = (colour, cut) => { pen.fillStyle = colours[colour]; positions.forEach((p) => cut(places[p][0], places[p][1])); };
      const box = (dx, dy, width, height) => (x, y) => pen.fillRect(x + dx, y + dy, width, height);
      if (shape === "dash") { fill(name, box(1, half, size - 2, 1)); return; }
      if (shape === "half") { fill(name, box(0, half, size, size - half)); fill(name, box(0, 0, 1, size)); return; }
      if (shape === "lost") { fill(name, box(0, 0, step, step)); fill("ok-fill", box(0, 0, size, Math.ceil(size / 2) - 1)); return; }
      if (shape === "pale") { pen.globalAlpha = .3; fill(name, box(0, 0, size, size)); pen.globalAlpha = 1; return; }
      // A failure takes the gap as well: one red cell among thousands is what the eye finds.
      const wide = shape === "loud" ? step : size;
      fill(name, box(0, 0, wide, wide));
      if (shape === "hollow") fill("bg", box(1, 1, size - 2, size - 2));
      if (shape === "dot") { fill("bg", box(1, 1, size - 2, 1)); fill("bg", box(1, size - 2, size - 2, 1)); }
      if (shape === "bars") { for (let k = 1; k < size; k += 2) fill("bg", box(k, 0, 1, size)); }
      if (shape === "loud") { for (let k = 1; k < size; k += 1) fill("bg", box(k, size - k, 1, 1)); }
    }

    function paintAll(positions) {
      const byLetter = new Map();
      positions.forEach((position) => {
        const same = byLetter.get(letters[position]);
        if (same) same.push(position); else byLetter.set(letters[position], [position]);
      });
      byLetter.forEach((same, letter) => paint(letter, same));
    }

    // A part a frame, so that the page answers in between.
    function drawOn() {
      const from = drawn;
      drawn = Math.min(letters.length, from + SLICE);
      paintAll(Array.from({ length: drawn - from }, (_, i) => from + i));
      drawing = drawn < letters.length ? requestAnimationFrame(drawOn) : 0;
    }

    function drawAll() {
      if (!canvas.clientWidth) return;
      cancelAnimationFrame(drawing);
      width = canvas.clientWidth;
      readColours();
      layOut();
      drawn = 0;
      drawOn();
    }

    function change(changes) {
      const positions = changes.filter(([position, letter]) => LOOK[letter] && position < letters.length).map(([position, letter]) => { letters[position] = letter; return position; });
      const there = [...new Set(positions)].filter((position) => position < drawn);
      there.forEach((position) => pen.clearRect(places[position][0], places[position][1], step, step));
      paintAll(there);
    }

    function at(event) {
      const x = event.offsetX, y = event.offsetY;
      return places.findIndex(([px, py]) => x >= px && x < px + step && y >= py && y < py + step);
    }

    canvas.addEventListener("pointermove", (event) => {
      const i = at(event);
      says.textContent = i < 0 ? says.dataset.summary
        : `Target ${(i + 1).toLocaleString("en")}, batch ${places[i][2]}: ${wordOf(letters[i])}`;
    });
    canvas.addEventListener("pointerleave", () => { says.textContent = says.dataset.summary; });
    canvas.addEventListener("click", (event) => { const i = at(event); if (i >= 0) location.href = canvas.dataset.href + i; });
    document.addEventListener("theme", drawAll);
    // It looks at once, too. What comes and goes below the canvas changes no width.
    new ResizeObserver(() => { if (canvas.clientWidth !== width) drawAll(); }).observe(canvas.parentElement);
    return change;
  }

  window.heatmap = { mount };
})();
