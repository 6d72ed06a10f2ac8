// The behaviour of the shell. Every control works without it: links, forms, <details>, <dialog>.
// Attributes: data-open="#dialog", data-close, data-closes (a form), data-dismiss (of notices and toasts),
// data-key="r" (presses or focuses on that key), data-scroll-end.
"use strict";
(() => {
  const $ = (query, at = document) => at.querySelector(query);
  const $$ = (query, at = document) => [...at.querySelectorAll(query)];
  const isTyping = (target) =>
    target.matches?.("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");

  // Menus are <details>: a press elsewhere and Esc close them, one is open at a time.
  function closeMenus(except) {
    for (const menu of $$("details.at-menu[open]")) {
      if (menu !== except) menu.open = false;
    }
  }
  document.addEventListener("click", (event) => {
    closeMenus(event.target.closest("details.at-menu"));
    const control = event.target.closest("button, a");
    if (!control) return;
    const dialog = control.dataset.open && $(control.dataset.open);
    if (dialog) {
      event.preventDefault(); // a link leads to the same thing as a page, where there is no script
      open(dialog);
    }
    if (control.matches("[data-back]")) history.back();
    if (control.matches("[data-close]")) control.closest("dialog")?.close();
    if (control.matches("[data-dismiss]")) control.closest(".at-toast, .at-strip, .at-notice")?.remove();
  });

  // A form that says so closes its dialog as it is sent; what is refused stands in the page.
  document.addEventListener("submit", (event) => {
    if (event.target.matches("[data-closes]")) event.target.closest("dialog")?.close();
  });

  function open(dialog) {
    if (dialog.open) return;
    dialog.showModal();
    for (const element of $$("[hx-trigger~='at:open']", dialog)) {
      element.select?.();
      window.htmx?.trigger(element, "at:open");
    }
  }

  function press(target) {
    if (isTyping(target)) target.focus();
    else target.click();
  }

  // On any list: a new one, and its own search; J and K walk through the rows.
  const LISTS = { n: ".object-tools a.addlink", f: "#searchbar" };
  let wentAt = 0;
  function move(step) {
    const rows = $$("#main :is(.at-rows a.at-row-link, #result_list tbody th a)");
    const at = rows.indexOf(document.activeElement);
    rows[Math.min(Math.max(at < 0 ? 0 : at + step, 0), rows.length - 1)]?.focus();
  }

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      const menu = $("details.at-menu[open]");
      closeMenus(null);
      if (menu) $("summary", menu).focus();
    }
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k" && $("#palette")) {
      event.preventDefault();
      open($("#palette"));
      return;
    }
    // A key that is held down presses once.
    if (event.repeat || isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
    if ($("dialog:modal") || document.body.dataset.singleKeys === "off") return;
    const key = event.key.toLowerCase();
    // G, then a letter: another desk.
    const isGoing = Date.now() - wentAt < 1500;
    wentAt = key === "g" ? Date.now() : 0;
    const hit = isGoing
      ? $(`[data-go="${CSS.escape(key)}"]`)
      : $(`[data-key="${CSS.escape(key)}"]`) || (LISTS[key] && $(LISTS[key]));
    if (hit) {
      event.preventDefault();
      press(hit);
    } else if (key === "j" || key === "k") {
      move(key === "j" ? 1 : -1);
    }
  });

  // The palette: the box keeps the focus, arrows choose among the results, Enter opens.
  const box = $("#palette [role=combobox]");
  const list = $("#palette-list");
  function choose(option) {
    for (const other of $$("[aria-selected=true]", list)) other.setAttribute("aria-selected", "false");
    if (option) {
      option.setAttribute("aria-selected", "true");
      option.scrollIntoView({ block: "nearest" });
      box.setAttribute("aria-activedescendant", option.id);
    } else {
      box.removeAttribute("aria-activedescendant");
    }
  }
  box?.addEventListener("keydown", (event) => {
    const options = $$("[role=option]", list);
    const at = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      choose(options[(at + step + options.length) % options.length]);
    } else if (event.key === "Enter" && at >= 0 && !event.shiftKey) {
      event.preventDefault();
      options[at].click();
    }
  });
  list?.addEventListener("htmx:afterSwap", () => choose($("[role=option]", list)));
  // A press beside an open dialog closes it.
  document.addEventListener("click", (event) => {
    if (event.target.matches?.("dialog.at-palette")) event.target.close();
  });

  // A refusal of an htmx request comes back into the page as a notice; what was typed stays.
  function notice(text, isBad) {
    const list = $("#notices");
    if (!list) return;
    const item = document.createElement("li");
    item.className = `at-notice ${isBad ? "at-notice-bad" : "at-notice-warn"}`;
    item.textContent = text;
    list.replaceChildren(item);
    item.scrollIntoView({ block: "nearest" });
  }

  document.addEventListener("htmx:responseError", (event) => {
    const answer = event.detail.xhr;
    const text = (answer.getResponseHeader("Content-Type") || "").startsWith("text/plain")
      ? answer.responseText
      : document.body.dataset.failed || `${answer.status} ${answer.statusText}`;
    notice(text, answer.status >= 500);
  });

  // Elements with hx-trigger="at:tick" ask again every 15 seconds, in the tab one looks at.
  setInterval(() => {
    if (document.hidden) return;
    for (const element of $$("[hx-trigger~='at:tick']")) {
      // Never under the pointer or the focus: what one is about to press stays where it is.
      const isInUse = element.id !== "rail" && (element.matches(":hover") || element.matches(":focus-within"));
      if (!isInUse) window.htmx?.trigger(element, "at:tick");
    }
  }, 15000);

  document.addEventListener("htmx:sendError", (event) => {
    // What a page asks by itself may fail in silence: it asks again.
    if (event.detail.requestConfig?.triggeringEvent?.type !== "at:tick") notice(document.body.dataset.failed, true);
  });

  // Fields to search a choice in (select2) are named after the <select> that they stand for.
  function nameChoice(select) {
    const label = select.labels?.[0];
    const box = select.nextElementSibling;
    if (!label || !box?.matches(".select2")) return;
    label.id ||= `${select.id}-label`;
    $(".select2-search__field", box)?.setAttribute("aria-labelledby", label.id);
    const single = $(".select2-selection--single", box);
    const chosen = single && $(".select2-selection__rendered", single);
    chosen?.setAttribute("aria-labelledby", label.id);
    single?.setAttribute("aria-labelledby", `${label.id} ${chosen.id}`);
  }
  // Django makes them as soon as the page is parsed, by jQuery's queue, in which this comes next.
  window.django?.jQuery?.(() => $$("select.admin-autocomplete").forEach(nameChoice));
  document.addEventListener("focusin", (event) => {
    if (!event.target.matches?.(".select2-search--dropdown .select2-search__field")) return;
    const label = $(".select2-container--open")?.previousElementSibling?.labels?.[0];
    if (label) event.target.setAttribute("aria-labelledby", label.id);
  });

  function ready(root) {
    for (const button of $$("[data-back]", root)) button.hidden = history.length < 2;
    for (const pane of $$("[data-scroll-end]", root)) pane.scrollTop = pane.scrollHeight;
  }
  ready(document);

  // The first page tells the server the browser's time zone, by which exact times are shown.
  if (!document.cookie.includes("atalaya_zone=")) {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (zone) document.cookie = `atalaya_zone=${zone}; path=/; max-age=31536000; samesite=lax`;
  }
  document.addEventListener("htmx:load", (event) => ready(event.target));
})();
