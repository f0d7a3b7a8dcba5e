// Disables the strategies that cannot be carried out in the chosen place. The reasons come
// with each preview; the choice itself is never swapped, so that nobody's click is lost.
(() => {
  "use strict";
  const form = document.getElementById("build");

  function heed() {
    const reasons = [...form.querySelectorAll("[data-unavailable]")].map((e) => e.dataset.unavailable);
    form.querySelectorAll('input[name="strategy"]').forEach((choice) => {
      choice.disabled = reasons.includes(choice.value) && !choice.checked;
    });
  }

  document.addEventListener("htmx:after:swap", heed);
  form.addEventListener("change", heed);
  heed();
})();
