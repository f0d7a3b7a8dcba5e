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

  function mount(canvas, wordOf) {
    const pen = canvas.getContext("2d");
    const says = document.getElementById("heat-says");
    const letters = [...canvas.dataset.states];
    const sizes = canvas.dataset.batches.split(",").map(Number);
    let places = [];
    let step = 5;
    let colours = {};

    function readColours() {
      const probe = document.body.appendChild(document.createElement("i"));
      const token = (name) => { probe.style.color = `var(--${name})`; return getComputedStyle(probe).color; };
      colours = Object.fromEntries(["bg", "bg-3", "line-2", "ink-3", "running", "unknown", "awaiting", "ok-fill", "failed", "rolled"].map((n) => [n, token(n)]));
      probe.remove();
    }

    // A batch begins a row where its rows would be fairly full; small batches flow on.
    function layOut() {
      const width = canvas.clientWidth - GUTTER;
      step = letters.length > 4000 ? 5 : letters.length > 1500 ? 7 : 10;
      let columns = Math.floor(width / step);
      const usual = sizes[Math.floor(sizes.length / 2)];
      const byRow = usual * 2 >= columns || sizes.length === 1;
      if (byRow && usual < columns) {
        step = Math.min(10, Math.floor(width / usual));
        columns = Math.floor(width / step);
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
      canvas.width = Math.round(canvas.clientWidth * ratio);
      canvas.height = Math.round(height * ratio);
      pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      pen.fillStyle = colours["ink-3"];
      pen.font = `11px ${getComputedStyle(document.body).fontFamily}`;
      pen.textBaseline = "top";
      labels.forEach(([text, y]) => pen.fillText(text, 0, y - 1));
    }

    function draw(position) {
      const [x, y] = places[position] || [];
      if (x === undefined) return;
      const [name, shape] = LOOK[letters[position]];
      const size = step - 1;
      pen.fillStyle = colours.bg;
      pen.fillRect(x, y, step, step);
      pen.fillStyle = colours[name];
      if (shape === "dash") { pen.fillRect(x + 1, y + Math.floor(size / 2), size - 2, 1); return; }
      if (shape === "half") { pen.fillRect(x, y + Math.floor(size / 2), size, size - Math.floor(size / 2)); pen.fillRect(x, y, 1, size); return; }
      if (shape === "lost") { pen.fillRect(x, y, step, step); pen.fillStyle = colours["ok-fill"]; pen.fillRect(x, y, size, Math.ceil(size / 2) - 1); return; }
      if (shape === "pale") { pen.globalAlpha = .3; pen.fillRect(x, y, size, size); pen.globalAlpha = 1; return; }
      // A failure takes the gap as well: one red cell among thousands is what the eye finds.
      pen.fillRect(x, y, shape === "loud" ? step : size, shape === "loud" ? step : size);
      pen.fillStyle = colours.bg;
      if (shape === "hollow") pen.fillRect(x + 1, y + 1, size - 2, size - 2);
      if (shape === "dot") { pen.fillRect(x + 1, y + 1, size - 2, 1); pen.fillRect(x + 1, y + size - 2, size - 2, 1); }
      if (shape === "bars") { for (let k = 1; k < size; k += 2) pen.fillRect(x + k, y, 1, size); }
      if (shape === "loud") { for (let k = 1; k < size; k += 1) pen.fillRect(x + k, y + size - k, 1, 1); }
    }

    function drawAll() {
      if (!canvas.clientWidth) return;
      readColours();
      layOut();
      for (let i = 0; i < letters.length; i += 1) draw(i);
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
    new ResizeObserver(drawAll).observe(canvas.parentElement);
    drawAll();
    return (changes) => changes.forEach(([position, letter]) => { letters[position] = letter; draw(position); });
  }

  window.heatmap = { mount };
})();
