// Light, dark, or as the system has it. A classic script, so that no page is painted wrongly first.

(() => {
  const THEMES = ["auto", "light", "dark"];
  const WORDS = { auto: "as the system", light: "light", dark: "dark" };
  const root = document.documentElement;

  function kept() {
    try {
      const theme = localStorage.getItem("theme");
      return THEMES.includes(theme) ? theme : "auto";
    } catch {
      return "auto"; // the browser keeps nothing for this page
    }
  }

  function keep(theme) {
    try {
      localStorage.setItem("theme", theme);
    } catch {
      // It holds until the page is left.
    }
  }

  function wire() {
    const button = document.getElementById("theme");
    const label = () => {
      const words = `Colours: ${WORDS[root.dataset.theme]}`;
      button.setAttribute("aria-label", words);
      button.title = words;
    };
    button.addEventListener("click", () => {
      const next = THEMES[(THEMES.indexOf(root.dataset.theme) + 1) % THEMES.length];
      root.dataset.theme = next;
      keep(next);
      label();
    });
    label();
  }

  root.dataset.theme = kept();
  document.addEventListener("DOMContentLoaded", wire);
})();
