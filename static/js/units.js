// Swaps the units of a page: elements with an id whose inside the server sends anew.
// The element itself stays, so that focus and whatever watches it stay too.
(() => {
  "use strict";
  const last = new Map();

  function swap(id, html) {
    const here = document.getElementById(id);
    if (!here || last.get(id) === html) return false;
    last.set(id, html);
    const holder = document.createElement("template");
    holder.innerHTML = html;
    const sent = holder.content.getElementById(id);
    const focused = here.contains(document.activeElement) ? document.activeElement.id : "";
    if (sent) {
      for (const { name, value } of [...sent.attributes]) here.setAttribute(name, value);
      here.replaceChildren(...sent.childNodes);
    } else {
      here.replaceChildren(holder.content);
    }
    times.format(here);
    relate();
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    return true;
  }

  // A button that presses another one shows only where that other one exists.
  function relate() {
    document.querySelectorAll("[data-presses]").forEach((button) => {
      button.hidden = !document.getElementById(button.dataset.presses);
    });
  }

  relate();
  window.units = { swap };
})();
