// Choosing a saved query fills the field that it is for; what the field says is what counts.
document.addEventListener("change", (event) => {
  "use strict";
  const field = document.getElementById(event.target.dataset.fills ?? "");
  if (!field) return;
  field.value = event.target.value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
});
