// The personal part of the room: dialogs, commands by POST, and buttons fetched when they change.
// A command carries a key, so that pressing again after a lost answer does nothing twice.
(() => {
  "use strict";
  const room = document.getElementById("room");
  const hint = document.getElementById("act-hint");
  // These act from any stale tab; every other verb needs a fresh look first.
  const STOPS = new Set(["pause", "abort"]);
  const ANSWERS = new Set([200, 400, 403, 404, 409, 422, 423]);
  let wanted = room.dataset.controlVersion;
  let fetching = false;
  let pressing = false;

  const openDialog = () => document.querySelector("#actions dialog[open]");
  const isTyping = () => [...document.querySelectorAll("#unresolved textarea")]
    .some((field) => field.value || field === document.activeElement);

  function say(text, state) {
    hint.textContent = text;
    hint.className = `small end act-hint ${state ? `hot is-${state}` : "faint"}`;
  }

  function show(html) {
    const holder = document.createElement("template");
    holder.innerHTML = html;
    const actions = holder.content.getElementById("actions");
    if (!actions) return false;
    units.swap("actions", actions.outerHTML);
    const unresolved = holder.content.getElementById("unresolved");
    if (unresolved && !isTyping()) units.swap("unresolved", unresolved.outerHTML);
    const { notice, hint: words } = actions.dataset;
    say(words, { error: "failed", warning: "paused" }[notice]);
    return true;
  }

  // Buttons are not changed under a finger, nor a dialog under its reader.
  function isInHand() {
    const dialog = openDialog();
    if (dialog) dialog.querySelector("[data-changed]").hidden = false;
    return Boolean(dialog) || pressing;
  }

  const isOld = () => wanted !== document.getElementById("actions").dataset.controlVersion;

  async function refresh(version) {
    wanted = String(version ?? wanted);
    if (isInHand() || fetching) return;
    fetching = true;
    const asked = wanted;
    try {
      const answer = await fetch(room.dataset.actions, { headers: { "HX-Request": "true" } });
      const html = await answer.text();
      // It may have been taken in hand while this was under way.
      if (answer.ok && !answer.redirected && !isInHand()) show(html);
    } catch {
      say("The buttons could not be loaded again. The server checks them anyway.", "paused");
    }
    fetching = false;
    if (asked !== wanted) refresh();
  }

  async function send(form, submitter) {
    const body = new FormData(form, submitter);
    const buttons = form.querySelectorAll("button");
    buttons.forEach((button) => { button.disabled = true; });
    try {
      const answer = await fetch(form.action, { method: "POST", body, headers: { "HX-Request": "true" } });
      if (answer.redirected) { location.reload(); return; }
      form.closest("dialog")?.close();
      form.querySelectorAll("textarea").forEach((field) => { field.value = ""; });
      if (!ANSWERS.has(answer.status) || !show(await answer.text())) {
        say(`The server answered ${answer.status}. Look at the events before you press again.`, "failed");
      }
      hint.focus({ preventScroll: true });
    } catch {
      form.closest("dialog")?.close();
      say("No answer: we do not know whether this was recorded. Pressing again is safe.", "failed");
    }
    buttons.forEach((button) => { button.disabled = false; });
  }

  function mayPress(verb) {
    if (!room.classList.contains("is-stale") || STOPS.has(verb)) return true;
    say("This page is not fresh. Wait until it is, look again, then press.", "paused");
    refresh();
    return false;
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-opens], [data-closes], [data-presses]");
    if (!button) return;
    if (button.dataset.presses) document.getElementById(button.dataset.presses)?.click();
    else if ("closes" in button.dataset) button.closest("dialog").close();
    else if (mayPress(button.dataset.opens.replace("ask-", ""))) document.getElementById(button.dataset.opens).showModal();
  });

  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-command]");
    if (!form) return;
    event.preventDefault();
    if (mayPress(form.elements.command?.value)) send(form, event.submitter);
  });

  document.addEventListener("pointerdown", (event) => {
    pressing = Boolean(event.target.closest("#actions"));
  });

  // What was held back comes when it is let go, after the click that this makes.
  const letGo = () => setTimeout(() => { pressing = false; if (isOld()) refresh(); });
  document.addEventListener("pointerup", () => pressing && letGo());
  document.addEventListener("pointercancel", () => pressing && letGo());
  document.addEventListener("close", (event) => {
    if (event.target.matches("#actions dialog")) letGo();
  }, true);

  window.controls = {
    changed(version) { if (String(version) !== wanted) refresh(version); },
    refresh,
  };
})();
