// What unfold draws as a span and answers only to a mouse answers to the keyboard too; its icons,
// which are words in a font of signs, are read as what they do; the page says where its content is;
// the menu of the tabs that have no room goes when one is chosen, with Escape, or with a click aside.
(() => {
  const NAMES = {
    en: { dock_to_right: "Menu", mail: "Start page", search: "Search", more_vert: "More", more_horiz: "More", close: "Close", delete: "Remove", computer: "Colours", dark_mode: "Colours", light_mode: "Colours" },
    es: { dock_to_right: "Menú", mail: "Página de inicio", search: "Buscar", more_vert: "Más", more_horiz: "Más", close: "Cerrar", delete: "Quitar", computer: "Colores", dark_mode: "Colores", light_mode: "Colores" },
  };
  const names = NAMES[document.documentElement.lang] || NAMES.en;
  const clickable = "span[x-on\\:click], div.cursor-pointer[x-on\\:click], h2[x-on\\:click], a[x-on\\:click]:not([href])";

  const name = (icon) => {
    const sign = icon.textContent.trim();
    const part = icon.closest("a, button, [role=button]");
    if (part && part.textContent.trim() === sign && !part.title && !part.hasAttribute("aria-label")) {
      part.setAttribute("aria-label", names[sign] || sign.replaceAll("_", " "));
    }
    if (icon !== part) icon.setAttribute("aria-hidden", "true");
  };

  const mend = () => {
    document.getElementById("content")?.setAttribute("role", "main");
    for (const part of document.querySelectorAll(clickable)) {
      if (!part.hasAttribute("tabindex")) part.tabIndex = 0;
      part.setAttribute("role", "button");
    }
    document.querySelectorAll(".material-symbols-outlined").forEach(name);
  };

  // The button of the menu of tabs, while it is open.
  const opener = () => {
    const menu = document.getElementById("tabs-dropdown");
    return menu?.offsetParent ? menu.previousElementSibling : null;
  };

  document.addEventListener("click", (event) => {
    const button = opener();
    const isWithin = button?.parentElement.contains(event.target);
    if (button && (!isWithin || event.target.closest("#tabs-dropdown a"))) button.click();
  });
  document.addEventListener("keydown", (event) => {
    const button = event.key === "Escape" && opener();
    if (button) {
      button.click();
      button.focus();
    }
  });
  document.addEventListener("keydown", (event) => {
    if ((event.key === "Enter" || event.key === " ") && event.target.matches?.(clickable)) {
      event.preventDefault();
      event.target.click();
    }
  });
  document.addEventListener("DOMContentLoaded", mend);
  // unfold counts the room of the tabs before the button of their menu takes some of it: once more.
  addEventListener("load", () => setTimeout(() => dispatchEvent(new Event("resize"))));
})();
