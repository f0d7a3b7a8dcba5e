// Keeps the room true: one socket in, catch-up over gaps, polling when the socket is refused,
// and a badge that always says how fresh the page is. Nothing is ever sent over the socket.
(() => {
  "use strict";
  // Letter -> class and word. deployctl/templatetags/deployctl.py holds the same table.
  const CELLS = {
    p: ["is-queued", "waits"], r: ["is-running", "running"], v: ["is-running is-verifying", "verifying"],
    u: ["is-unknown", "unknown, being probed"], x: ["is-awaiting", "needs a person"], s: ["is-ok", "updated"],
    f: ["is-failed", "failed"], g: ["is-failed is-regressed", "regressed: not well any more"], k: ["is-skipped", "skipped"],
    P: ["is-to-return", "waits to return"], R: ["is-returning", "returning"], V: ["is-returning is-verifying", "verifying the return"],
    U: ["is-unknown", "return unknown, being probed"], X: ["is-awaiting", "return needs a person"], S: ["is-rolled", "restored"],
    F: ["is-failed", "restore failed"], K: ["is-skipped", "unchanged"],
  };
  const SILENT_MS = 35000, POLL_AFTER_MS = 20000, POLL_MS = 5000, FETCH_MS = 10000, SPEAK_MS = 10000, REFUSED = 2;

  const room = document.getElementById("room");
  const root = document.documentElement;
  const badge = document.getElementById("fresh");
  const favicon = document.getElementById("favicon");
  const cells = new Map([...document.querySelectorAll("[data-p]")].map((cell) => [Number(cell.dataset.p), cell]));
  const canvas = document.getElementById("heat");
  const drawCells = canvas && heatmap.mount(canvas, (letter) => CELLS[letter][1]);

  let seen = Number(room.dataset.seq);
  let socket = null, failures = 0, heardAt = performance.now(), freshAt = times.now();
  let heardSeq = seen, catching = false, polling = 0, reconnecting = 0, over = false;

  // -- how fresh -----------------------------------------------------------------

  function fresh(state, text) {
    badge.className = `fresh is-${state}`;
    if (badge.textContent !== text) badge.textContent = text;
    const stale = text.startsWith("Stale") || text.startsWith("Signed") || text.startsWith("No ");
    room.classList.toggle("is-stale", stale);
    if (stale) root.dataset.frozen = "1"; else delete root.dataset.frozen;
  }

  const showLive = () => { freshAt = times.now(); if (polling) fresh("paused", "Polling every 5 s"); else fresh("ok", "Live"); };
  const showStale = () => fresh("paused", `Stale since ${times.clock(freshAt)}`);

  function end(title, text) {
    over = true;
    clearInterval(polling);
    clearTimeout(reconnecting);
    fresh("failed", title);
    const note = document.createElement("div");
    note.className = "flash is-failed";
    note.setAttribute("role", "alert");
    const words = document.createElement("span");
    words.textContent = text;
    const link = document.createElement("a");
    link.className = "link";
    link.href = location.href;
    link.textContent = " Load the page again.";
    words.append(link);
    note.append(document.createElement("i"), words);
    document.getElementById("room-banner").replaceChildren(note);
  }

  // -- what has changed ------------------------------------------------------------

  function recount(zone) {
    const all = [...zone.querySelectorAll("[data-l]")].map((cell) => cell.dataset.l);
    const bad = all.filter((letter) => "fFgxX".includes(letter)).length;
    zone.querySelector("[data-done]").textContent = all.filter((letter) => "sS".includes(letter)).length;
    zone.querySelector("[data-bad]").textContent = bad ? `· ${bad}` : "";
  }

  function setCells(changes) {
    if (drawCells) { drawCells(changes); return; }
    const zones = new Set();
    for (const [position, letter] of changes) {
      const cell = cells.get(position);
      if (!cell || !CELLS[letter]) continue;
      cell.className = `cell ${CELLS[letter][0]}`;
      cell.dataset.l = letter;
      cell.title = `${cell.dataset.name}: ${CELLS[letter][1]}`;
      zones.add(cell.closest("[data-zone]"));
    }
    zones.forEach(recount);
  }

  // The grid is one stop of the tab key; arrows walk inside it.
  const walk = [...cells.values()];
  walk.forEach((cell, i) => { cell.tabIndex = i ? -1 : 0; });
  document.getElementById("room-grid").addEventListener("keydown", (event) => {
    const here = walk.indexOf(event.target);
    const to = { ArrowRight: here + 1, ArrowDown: here + 1, ArrowLeft: here - 1, ArrowUp: here - 1, Home: 0, End: walk.length - 1 }[event.key];
    if (here < 0 || !walk[to]) return;
    event.preventDefault();
    walk[here].tabIndex = -1;
    walk[to].tabIndex = 0;
    walk[to].focus();
  });

  // The feed never pushes rows under the pointer: it offers them.
  let heldFeed = null;
  function setFeed(html) {
    const feed = document.getElementById("room-feed");
    if (!feed.matches(":hover, :focus-within")) { heldFeed = null; units.swap("room-feed", html); return; }
    heldFeed = html;
    const top = Number(feed.querySelector("[data-seq]")?.dataset.seq || 0);
    const holder = document.createElement("template");
    holder.innerHTML = html;
    const count = [...holder.content.querySelectorAll("[data-seq]")].filter((li) => Number(li.dataset.seq) > top).length;
    let bar = feed.querySelector(".new-bar");
    if (!bar) {
      bar = document.createElement("button");
      bar.type = "button";
      bar.className = "new-bar";
      bar.addEventListener("click", () => { units.swap("room-feed", heldFeed); heldFeed = null; });
      feed.querySelector("ul").before(bar);
    }
    bar.textContent = `${count} new ${count === 1 ? "entry" : "entries"}`;
  }
  document.getElementById("room-feed").addEventListener("mouseleave", () => { if (heldFeed) setFeed(heldFeed); });

  // Milestones only, at most one in ten seconds; a halt is said once, and at once.
  let spokeAt = -SPEAK_MS, said = chip(), waiting = 0, alarmed = halted();
  function chip() { return document.querySelector("#room-title .chip")?.textContent.trim() || ""; }
  function halted() { return document.querySelector("#room-halt .is-failed h2")?.textContent.trim() || ""; }
  function speak() {
    waiting = 0;
    if (chip() === said) return;
    const wait = spokeAt + SPEAK_MS - performance.now();
    if (wait > 0) { waiting = waiting || setTimeout(speak, wait); return; }
    said = chip();
    spokeAt = performance.now();
    document.getElementById("room-status").textContent = said;
  }
  function alarm() {
    const why = halted();
    if (why && why !== alarmed) document.getElementById("room-alert").textContent = why;
    alarmed = why;
  }

  function swap(html) {
    for (const [id, text] of Object.entries(html || {})) {
      if (id === "room-feed") setFeed(text); else units.swap(id, text);
    }
  }

  function apply(frame) {
    seen = frame.to;
    swap(frame.html);
    if (frame.grid) setCells([...frame.grid].map((letter, position) => [position, letter]));
    if (frame.cells?.length) setCells(frame.cells);
    if (frame.icon && favicon.getAttribute("href") !== frame.icon) favicon.setAttribute("href", frame.icon);
    if (frame.title) document.title = `${frame.title} · deployctl`;
    if (frame.control_version !== undefined) controls.changed(frame.control_version);
    alarm();
    if (!waiting) speak();
    showLive();
  }

  // -- how it comes here -------------------------------------------------------------

  async function catchUp(since = seen) {
    if (catching || over) return;
    catching = true;
    if (!polling) fresh("running", "Catching up");
    try {
      const answer = await fetch(`${room.dataset.live}?since=${since}`, { signal: AbortSignal.timeout(FETCH_MS), headers: { Accept: "application/json" } });
      if (answer.redirected || answer.status === 401) { end("Signed out", "You are signed out; what you see is as old as the badge says. Nothing has stopped."); return; }
      if (answer.status === 403 || answer.status === 404) { end("No access", "You may no longer see this deployment. It goes on without this page."); return; }
      if (!answer.ok) throw new Error(String(answer.status));
      const frame = await answer.json();
      if (frame.kind === "resync") { location.reload(); return; }
      if (frame.to > seen || since === 0) apply(frame); else if (frame.to === seen) { swap(frame.html); showLive(); }
      if (heardSeq > seen) setTimeout(catchUp, 1000, undefined);
    } catch {
      showStale();
    } finally {
      catching = false;
    }
  }

  function hear(message) {
    heardAt = performance.now();
    failures = 0;
    if (polling) { clearInterval(polling); polling = 0; }
    const frame = JSON.parse(message.data);
    if (frame.kind === "state") {
      heardSeq = Math.max(heardSeq, frame.to);
      if (frame.to <= seen) return;
      // One that holds differences only is good for the page that has just what it starts from.
      if (frame.from === seen || (frame.whole && frame.from < seen)) apply(frame); else catchUp();
    } else if (frame.kind === "hb") {
      heardSeq = Math.max(heardSeq, frame.seq);
      if (frame.seq > seen) catchUp(); else { if (frame.seq === seen) swap(frame.html); showLive(); }
    } else if (frame.kind === "resync") {
      catchUp(0);
    } else if (frame.kind === "bye") {
      refuse(frame.code);
    }
  }

  function refuse(code) {
    if (code === 4401) end("Signed out", "You are signed out; what you see is as old as the badge says. Nothing has stopped.");
    else if (code === 4403) end("No access", "You may no longer see this deployment. It goes on without this page.");
  }

  function poll() {
    if (polling || over) return;
    polling = setInterval(catchUp, POLL_MS, undefined);
    catchUp();
  }

  function lost(event) {
    if (event.target !== socket) return;
    socket = null;
    refuse(event.code);
    if (over) return;
    failures += 1;
    if (failures >= REFUSED) poll(); else showStale();
    const wait = Math.min(30000, 500 * 2 ** failures);
    clearTimeout(reconnecting);
    reconnecting = setTimeout(connect, wait / 2 + Math.random() * wait / 2);
  }

  function connect() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    socket = new WebSocket(`${scheme}//${location.host}/ws/deployments/${room.dataset.id}/?since=${seen}`);
    socket.addEventListener("message", hear);
    socket.addEventListener("close", lost);
  }

  // A half-open socket is silent, not closed: silence itself is the sign.
  setInterval(() => {
    if (over) return;
    const silent = performance.now() - heardAt;
    if (silent > POLL_AFTER_MS) poll();
    if (silent > SILENT_MS && socket) {
      const dead = socket;
      heardAt = performance.now() - POLL_AFTER_MS;
      dead.close();
      lost({ target: dead, code: 1006 });
    }
  }, 1000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) catchUp(); });
  window.addEventListener("online", () => catchUp());
  connect();
})();
