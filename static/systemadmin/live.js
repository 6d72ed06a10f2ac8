// Hears from the server that something changed. A page says what it waits for with
// data-live="topic" and, for the one thing it shows, data-live-shown="key"; it is told by the event
// "at:live" of the document, and whatever has hx-trigger="at:tick" asks again. Without it, or when
// the stream cannot be had, the page asks by itself every 15 seconds.
"use strict";
// A list, or figures, asked for anew (data-part is their address) without moving what one reads.
window.atParts = (() => {
  const $ = (query, at = document) => at.querySelector(query);
  const $$ = (query, at = document) => [...at.querySelectorAll(query)];

  async function fetched(element) {
    const answer = await fetch(element.dataset.part);
    if (!answer.ok || !element.isConnected) return null;
    return new DOMParser().parseFromString(await answer.text(), "text/html");
  }
  function setText(query, there) {
    const [here, fresh] = [$(query), $(query, there)];
    if (here && fresh && here.innerHTML !== fresh.innerHTML) here.innerHTML = fresh.innerHTML;
  }
  // The rows of a list whose items have ids; `button` says how many are new while one reads.
  async function freshenList(rows, button, words, others = []) {
    const there = rows && (await fetched(rows));
    if (!there) return;
    for (const query of others) setText(query, there);
    const fresh = $(`#${rows.id}`, there);
    if (!fresh) return;
    const known = new Set($$(".at-item", rows).map((one) => one.id));
    const added = $$(".at-item", fresh).filter((one) => !known.has(one.id));
    const isRead = rows.scrollTop > 4 || rows.matches(":hover, :focus-within") || $(":checked", rows);
    if (!isRead) return replace(rows, fresh, button);
    // Rows stay where they are; what they say is brought up to date.
    for (const one of $$(".at-item", fresh)) setText(`#${one.id}`, fresh);
    button.hidden = !added.length;
    if (added.length) button.textContent = added.length === 1 ? words.one : words.many.replace("{n}", added.length);
    button.onclick = () => { rows.scrollTop = 0; replace(rows, fresh, button); };
  }
  function replace(rows, fresh, button) {
    const at = rows.scrollTop;
    rows.innerHTML = fresh.innerHTML;
    rows.scrollTop = at;
    window.htmx.process(rows);
    button.hidden = true;
  }
  // Figures change where they stand: each element with an id by itself, unless it has the focus.
  async function freshenFigures(element) {
    const there = element && (await fetched(element));
    if (!there) return;
    for (const one of $$("[id]", element)) if (!one.matches(":focus-within")) setText(`#${one.id}`, there);
  }
  return { fetched, freshenList, freshenFigures };
})();

(() => {
  const figures = () => document.querySelector("[data-figures]");
  document.addEventListener("at:live", (event) => {
    if (figures()?.dataset.figures === event.detail) window.atParts.freshenFigures(figures());
  });
})();

(() => {
  const waiting = () => document.querySelector("[data-live]");
  if (!waiting() || !window.EventSource) return;
  let source = null;
  let address = "";
  let rested = 0;

  function listen() {
    const wanted = waiting();
    const next = wanted && !document.hidden
      ? `${document.body.dataset.liveUrl}?topics=${wanted.dataset.live}&shown=${wanted.dataset.liveShown || ""}`
      : "";
    if (next === address && source?.readyState !== EventSource.CLOSED) return;
    source?.close();
    source = null;
    address = next;
    if (!next) return;
    source = new EventSource(next);
    for (const topic of wanted.dataset.live.split(",")) {
      for (const name of [topic, `${topic}-shown`]) source.addEventListener(name, () => tell(name));
    }
    source.onopen = () => { rested = 0; };
    source.onerror = () => {
      // Refused: it is tried again, each time later, and the page asks by itself meanwhile.
      if (source?.readyState === EventSource.CLOSED) setTimeout(listen, Math.min(60000, 2000 * 2 ** rested++));
    };
  }

  // Many changes within a moment are one question, and many pages do not ask at the same instant.
  const due = {};
  const told = {};
  function tell(name) {
    if (due[name]) return;
    // Where every act of anybody counts, one question in five seconds is enough.
    const pause = name === "work" && Date.now() - (told[name] || 0) < 5000 ? 5000 : 0;
    due[name] = setTimeout(() => {
      due[name] = 0;
      told[name] = Date.now();
      document.dispatchEvent(new CustomEvent("at:live", { detail: name }));
      if (name.endsWith("-shown")) return;
      for (const element of document.querySelectorAll("[hx-trigger~='at:tick']")) {
        const isInUse = element.id !== "rail" && element.matches(":hover, :focus-within");
        if (!isInUse) window.htmx?.trigger(element, "at:tick");
      }
    }, pause + 50 + Math.random() * 300);
  }

  document.addEventListener("visibilitychange", listen);
  document.addEventListener("htmx:afterSettle", listen);
  addEventListener("pagehide", () => source?.close());
  listen();
})();
