// Formats every <time datetime> in the reader's own zone, and ticks the ones that count.
//   data-how: clock (14:07:02) | date (23 Nov, 14:07) | ago (3 min ago) | since (3 min 12 s) | until (06:14)
// The server's clock is the truth: <html data-now="..."> gives it once, at the first render.
(() => {
  "use strict";
  const root = document.documentElement;
  const skew = root.dataset.now ? Date.parse(root.dataset.now) - Date.now() : 0;
  const pad = (n) => String(n).padStart(2, "0");
  const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const short = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZoneName: "short" });
  const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
  const full = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "long" });

  function words(seconds) {
    const s = Math.max(0, Math.floor(seconds));
    if (s < 60) return `${s} s`;
    if (s < 3600) return `${Math.floor(s / 60)} min ${pad(s % 60)} s`;
    if (s < 86400) return `${Math.floor(s / 3600)} h ${pad(Math.floor((s % 3600) / 60))} min`;
    return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
  }

  function ago(seconds) {
    if (seconds < 5) return "just now";
    if (seconds < 60) return `${Math.floor(seconds)} s ago`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
    if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
    return `${Math.floor(seconds / 86400)} d ago`;
  }

  function left(seconds) {
    const s = Math.max(0, Math.ceil(seconds));
    if (s >= 3600) return words(s);
    return `${pad(Math.floor(s / 60))}:${pad(s % 60)}`;
  }

  const says = {
    clock: (at) => clock.format(at),
    date: (at) => day.format(at),
    ago: (at, now) => ago((now - at) / 1000),
    since: (at, now) => words((now - at) / 1000),
    until: (at, now) => left((at - now) / 1000),
  };
  const ticks = new Set(["ago", "since", "until"]);

  function write(element, now) {
    const at = Date.parse(element.dateTime);
    const how = element.dataset.how;
    if (Number.isNaN(at) || !says[how]) return;
    const text = says[how](at, now);
    if (element.textContent !== text) element.textContent = text;
    if (!element.title) element.title = full.format(at);
  }

  // A page that has lost its line must not count on as if it knew: live.js sets data-frozen.
  function tick() {
    const now = Date.now() + skew;
    document.querySelectorAll("[data-clock]").forEach((e) => { e.textContent = short.format(now); });
    if (root.dataset.frozen) return;
    document.querySelectorAll("time[data-how]").forEach((e) => { if (ticks.has(e.dataset.how)) write(e, now); });
  }

  window.times = {
    format(within) { within.querySelectorAll("time[data-how]").forEach((e) => write(e, Date.now() + skew)); },
    now: () => Date.now() + skew,
    clock: (at) => clock.format(at),
  };
  times.format(document);
  tick();
  setInterval(tick, 1000);
  document.addEventListener("htmx:after:swap", () => times.format(document));
})();
