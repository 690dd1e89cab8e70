// Light or dark theme, or the system's. A classic script, so that the first paint is right.

(() => {
  const THEMES = ["auto", "light", "dark"];
  const WORDS = { auto: "system", light: "light", dark: "dark" };
  const root = document.documentElement;

  function kept() {
    try {
      const theme = localStorage.getItem("theme");
      return THEMES.includes(theme) ? theme : "auto";
    } catch {
      return "auto"; // the browser stores nothing for this page
    }
  }

  function keep(theme) {
    try {
      localStorage.setItem("theme", theme);
    } catch {
      // The choice lasts until the page is closed.
    }
  }

  function wire() {
    const button = document.getElementById("theme");
    const label = () => {
      const words = `Theme: ${WORDS[root.dataset.theme]}`;
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
