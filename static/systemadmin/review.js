// The review desk and the actions of an object; every control works without this.
"use strict";
(() => {
  const $ = (query, at = document) => at.querySelector(query);
  const $$ = (query, at = document) => [...at.querySelectorAll(query)];

  // A ticked reason writes its text, an unticked one takes it away; what was typed stays.
  document.addEventListener("change", (event) => {
    const body = event.target.dataset?.body;
    const text = $("#why");
    if (!body || !text) return;
    const rest = text.value.replace(body, "").replace(/\s{2,}/g, " ").trim();
    text.value = event.target.checked ? [rest, body].filter(Boolean).join(" ") : rest;
    text.removeAttribute("aria-invalid");
  });

  document.addEventListener("click", (event) => {
    const control = event.target.closest("button");
    if (!control) return;
    const text = $("#why");
    if (control.hasAttribute("data-needs-text") && text && !text.value.trim() && !$("input[name=reason]:checked")) {
      event.preventDefault();
      text.setAttribute("aria-invalid", "true");
      text.focus();
      return;
    }
    if (control.dataset.pane) {
      for (const pane of $$("#review > [data-shown]")) pane.removeAttribute("data-shown");
      $(control.dataset.pane)?.setAttribute("data-shown", "");
      for (const tab of $$("[data-pane]")) tab.setAttribute("aria-pressed", String(tab === control));
    }
    if (control.dataset.photo) {
      const photos = control.closest("[data-photos]");
      $(":scope > img", photos).src = control.dataset.photo;
      for (const one of $$("[data-photo]", photos)) one.setAttribute("aria-pressed", String(one === control));
    }
  }, true);

  // Enter in the reason decides nothing: it would press the first button.
  document.addEventListener("keydown", (event) => {
    if (event.target.id === "why" && event.key === "Enter") event.preventDefault();
    if (event.target.id === "why" && event.key === "Escape") event.target.blur();
  });

  // A form that opens takes the focus.
  document.addEventListener("toggle", (event) => {
    if (event.target.matches?.(".at-act[open]")) $("input:not([type=hidden]), textarea, select", event.target)?.focus();
  }, true);

  // A toast goes after eight seconds, unless somebody is on it.
  function fade(toast) {
    let left = 8;
    const clock = setInterval(() => {
      if (!toast.isConnected) clearInterval(clock);
      else if (!toast.matches(":hover, :focus-within") && --left <= 0) toast.remove();
    }, 1000);
  }
  for (const toast of $$("[data-fades]")) fade(toast);
  document.addEventListener("htmx:oobAfterSwap", (event) => $$("[data-fades]", event.target).forEach(fade));
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.target.id === "review") show();
  });
  // The chosen thing and its queue are in sight.
  function show() {
    $("#p-list .at-item[aria-current=true]")?.scrollIntoView({ block: "nearest" });
    const tab = $("#p-list .at-tab[aria-current=true]");
    if (tab) tab.parentElement.scrollLeft = tab.offsetLeft - tab.parentElement.offsetLeft - 12;
  }
  show();

  // What is new comes in without moving what one reads; where no stream is to be had, by asking.
  const freshen = () => {
    if ($("#review-rows")) {
      window.atParts.freshenList($("#review-rows"), $("#review-new"), $("#p-list").dataset, ["#review-count"]);
    }
  };
  document.addEventListener("at:live", (event) => { if (event.detail === "work") freshen(); });
  if ($("#review")) setInterval(() => { if (!document.hidden) freshen(); }, 30000);

  for (const dialog of $$("dialog[data-start]")) dialog.showModal();

  // <at-money max digits>: reads 95, 95,5, 95.00 and 1.234,50; the server reads it again and decides.
  const comma = document.documentElement.lang.startsWith("es");
  function read(text, digits) {
    const typed = text.trim();
    if (!/^[0-9.,]+$/.test(typed)) return NaN;
    const at = Math.max(typed.lastIndexOf(","), typed.lastIndexOf("."));
    const decimals = at < 0 ? 0 : typed.length - at - 1;
    if (at < 0 || (decimals === 3 && digits !== 3) || decimals > 3) return Number(typed.replace(/[.,]/g, ""));
    return decimals > digits ? NaN : Number(`${typed.slice(0, at).replace(/[.,]/g, "")}.${typed.slice(at + 1)}`);
  }
  customElements.define("at-money", class extends HTMLElement {
    connectedCallback() {
      const input = $("input", this);
      const digits = Number(this.getAttribute("digits") || 2);
      const most = Number(this.getAttribute("max") || Infinity);
      const box = this.closest("form");
      const write = (amount) => (comma ? amount.toFixed(digits).replace(".", ",") : amount.toFixed(digits));
      const check = () => {
        const amount = read(input.value, digits);
        const isBad = !(amount > 0) || amount > most;
        input.setAttribute("aria-invalid", String(isBad));
        for (const one of $$("[data-needs-amount]", box)) one.disabled = isBad;
        for (const one of $$("[data-amount-error]", box)) one.hidden = !isBad;
        for (const one of $$("[data-amount-says]", box)) one.hidden = isBad;
        for (const one of $$("[data-amount]", box)) one.textContent = isBad ? "–" : write(amount);
        return isBad ? null : amount;
      };
      const tidy = () => {
        const amount = check();
        if (amount !== null) input.value = write(amount);
      };
      // What is chosen beside the amount adds up to it; nothing chosen leaves it to be typed.
      const parts = $("[data-sums]", box);
      const typed = input.value;
      parts?.addEventListener("change", () => {
        const sums = [...$$("option:checked", parts), ...$$("input:checked", parts)];
        const sum = sums.reduce((all, one) => all + Number(one.dataset.sum || 0), 0);
        input.readOnly = sum > 0;
        input.value = sum > 0 ? write(sum) : typed;
        check();
      });
      input.addEventListener("input", check);
      input.addEventListener("blur", tidy);
      box.addEventListener("submit", tidy);
    }
  });
})();
