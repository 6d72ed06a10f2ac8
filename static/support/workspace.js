// The ticket workspace. Links and forms work without this; here is what makes them quick:
// drafts that save themselves, templates into the box, files by drag and paste, mentions, who
// else is there, and what is new without moving what one reads.
"use strict";
(() => {
  const $ = (query, at = document) => at.querySelector(query);
  const $$ = (query, at = document) => [...at.querySelectorAll(query)];
  const form = () => $("#reply-form");
  const box = () => $("#reply-body");
  const kind = () => ($("#reply-form .at-as-note")?.checked ? "internal" : "public");
  const token = () => $("#work [name=csrfmiddlewaretoken]")?.value;
  let typedAt = 0;

  // -- drafts: a second after the last key, one for each mode -------------------------
  let timer = 0;
  let saving = Promise.resolve();
  let saved = {};

  function remember() {
    if (!box()) return;
    saved = { public: "", internal: "" };
    saved[kind()] = box().value;
    saved[kind() === "public" ? "internal" : "public"] = $("#reply-other").value;
  }
  function says(text) {
    const state = $("#draft-state");
    if (state && state.textContent !== text) state.textContent = text;
  }
  function save(mode, body, keepalive = false) {
    const here = form();
    if (!here || saved[mode] === body) return saving;
    clearTimeout(timer);
    const data = new FormData();
    data.append("kind", mode);
    data.append("body", body);
    data.append("expected_version", here.dataset[`${mode}Version`]);
    data.append("csrfmiddlewaretoken", token());
    const before = saved[mode];
    saved[mode] = body;
    says(here.dataset.saving);
    saving = saving.then(() => fetch(here.dataset.draft, { method: "POST", body: data, keepalive })).then(
      async (answer) => {
        if (answer.status === 409) return conflict(here, mode, await answer.json());
        if (!answer.ok) throw new Error(String(answer.status));
        here.dataset[`${mode}Version`] = (await answer.json()).version;
        if (here.isConnected) says(body.trim() ? here.dataset.saved : "");
        return null;
      },
    ).catch(() => {
      if (saved[mode] === body) saved[mode] = before;
      if (here.isConnected) says(here.dataset.unsaved);
      if (here.isConnected && !keepalive) later();
    });
    return saving;
  }
  function later() {
    clearTimeout(timer);
    timer = setTimeout(() => box() && save(kind(), box().value), 1000);
  }
  function conflict(here, mode, answer) {
    if (!here.isConnected) return;
    says(here.dataset.unsaved);
    const notice = document.createElement("p");
    notice.className = "at-notice at-notice-warn";
    notice.setAttribute("role", "alert");
    const text = document.createElement("span");
    text.className = "at-grow";
    text.textContent = here.dataset.conflict;
    notice.append(text);
    const choices = [[here.dataset.theirs, true], [here.dataset.ours, false]];
    for (const [words, isTheirs] of choices) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "at-link";
      button.textContent = words;
      button.addEventListener("click", () => {
        notice.remove();
        here.dataset[`${mode}Version`] = answer.version;
        if (isTheirs) {
          saved[mode] = answer.body;
          if (kind() === mode) box().value = answer.body;
          says(here.dataset.saved);
        } else {
          saved[mode] = null;
          save(mode, box().value);
        }
        box().focus();
      });
      notice.append(button);
    }
    $("#work-notice").replaceChildren(notice);
  }
  const flush = () => box() && save(kind(), box().value, true);
  addEventListener("pagehide", flush);
  addEventListener("beforeunload", (event) => {
    if (box() && saved[kind()] !== box().value) {
      flush();
      if ($("#draft-state")?.textContent === form().dataset.unsaved) event.preventDefault();
    }
  });

  document.addEventListener("input", (event) => {
    if (event.target.id !== "reply-body") {
      const list = event.target.dataset?.filters;
      if (!list) return;
      const words = event.target.value.toLowerCase();
      for (const one of $$(list)) one.hidden = !one.textContent.toLowerCase().includes(words);
      return;
    }
    if (!typedAt) look(true);
    typedAt = Date.now();
    later();
    mention();
  });

  // Another mode, another draft: the texts change places.
  document.addEventListener("change", (event) => {
    if (event.target.name === "internal" && event.target.closest("#reply-form")) {
      const left = kind() === "public" ? "internal" : "public";
      save(left, box().value);
      const other = $("#reply-other");
      [box().value, other.value] = [other.value, box().value];
      says(box().value ? form().dataset.saved : "");
      box().focus();
    }
    if (event.target.name === "attachments") listFiles();
  });
  document.addEventListener("click", (event) => {
    // R and I press the mode that is chosen already: the box takes the focus.
    if (event.target.matches?.("#reply-form [name=internal]")) setTimeout(() => box()?.focus());
  });

  // -- sending ------------------------------------------------------------------------
  // A draft on its way to the server arrives before the reply that ends it.
  document.addEventListener("htmx:confirm", (event) => {
    if (!event.target.closest?.("#work")) return;
    const isReply = event.target.id === "reply-form";
    if (isReply) clearTimeout(timer);
    else if (box() && $("#work").contains(event.target) && event.detail.target?.id === "work") flush();
    event.preventDefault();
    saving.finally(() => event.detail.issueRequest(true));
  });
  document.addEventListener("keydown", (event) => {
    if (event.target.id !== "reply-body") return;
    const people = $("#work-people");
    if (people && !people.hidden && choose(event, people)) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      $(`#reply-form [name=then][value=${event.shiftKey ? "resolve" : "next"}]`)?.click();
    } else if (event.key === "/" && !event.target.value.trim() && kind() === "public") {
      event.preventDefault();
      openMenu($("#template-menu"));
    } else if (event.key === "Escape") event.target.blur();
  });

  // -- templates ----------------------------------------------------------------------
  function openMenu(menu) {
    if (!menu) return;
    menu.open = true;
    $("input", menu)?.focus();
  }
  document.addEventListener("toggle", (event) => {
    if (event.target.matches?.("#template-menu[open], #macro-menu[open]")) $("input", event.target).focus();
  }, true);
  document.addEventListener("keydown", (event) => {
    const menu = event.target.closest?.("#work details.at-menu[open]");
    if (!menu) return;
    const found = $$("input[type=search], button", menu).filter((one) => !one.hidden);
    const at = found.indexOf(event.target);
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      found[Math.min(Math.max(at + (event.key === "ArrowDown" ? 1 : -1), 0), found.length - 1)]?.focus();
    } else if (event.key === "Enter" && event.target.type === "search" && menu.id) {
      event.preventDefault();
      found.find((one) => one.matches("button"))?.click();
    }
  });
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-template]");
    if (!button) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const answer = await fetch(button.dataset.template);
    if (!answer.ok || !box()) return;
    const text = (await answer.json()).body;
    const typed = box().value.replace(/\s*$/, "");
    box().value = typed ? `${typed}\n\n${text}` : text;
    $("#reply-form [name=template]").value = button.value;
    const menu = button.closest("details");
    if (menu) menu.open = false;
    box().focus();
    box().dispatchEvent(new Event("input", { bubbles: true }));
  }, true);

  // -- files: chosen, dropped, pasted -------------------------------------------------
  function addFiles(files) {
    const input = $("#reply-form [name=attachments]");
    if (!input || !files.length) return;
    const all = new DataTransfer();
    for (const file of [...input.files, ...files]) all.items.add(file);
    input.files = all.files;
    listFiles();
  }
  function listFiles() {
    const input = $("#reply-form [name=attachments]");
    $("#reply-files").replaceChildren(...[...input.files].map((file, at) => {
      const item = document.createElement("li");
      item.className = "at-file";
      const name = document.createElement("span");
      name.className = "at-cut";
      name.textContent = file.name;
      const off = document.createElement("button");
      off.type = "button";
      off.className = "at-link";
      off.textContent = form().dataset.remove;
      off.setAttribute("aria-label", `${form().dataset.remove}: ${file.name}`);
      off.addEventListener("click", () => {
        const rest = new DataTransfer();
        [...input.files].forEach((one, number) => number !== at && rest.items.add(one));
        input.files = rest.files;
        listFiles();
      });
      const facts = document.createElement("small");
      facts.append(`${size(file.size)} · `, off);
      item.append(file.type.startsWith("image/") ? picture(file) : sign(file), name, facts);
      return item;
    }));
  }
  function size(bytes) {
    const [value, unit] = bytes < 1e6 ? [Math.max(bytes / 1e3, 0.1), "kilobyte"] : [bytes / 1e6, "megabyte"];
    return new Intl.NumberFormat(document.documentElement.lang, {
      style: "unit", unit, maximumFractionDigits: value < 10 ? 1 : 0,
    }).format(value);
  }
  // An icon and the ending of its name: as a file that was sent is shown in the conversation.
  function sign(file) {
    const box = document.createElement("span");
    box.className = "at-file-i";
    const space = "http://www.w3.org/2000/svg";
    const icon = document.createElementNS(space, "svg");
    icon.setAttribute("class", "at-i at-i-s");
    icon.setAttribute("aria-hidden", "true");
    const sprite = $("svg.at-i use").getAttribute("href").split("#")[0];
    icon.append(document.createElementNS(space, "use"));
    icon.firstChild.setAttribute("href", `${sprite}#file-text`);
    const ending = /\.([a-z0-9]{1,5})$/i.exec(file.name);
    box.append(icon, ending ? ending[1].toUpperCase() : "");
    return box;
  }
  // Drawn, because the policy of the place lets no page show a blob as a picture.
  function picture(file) {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [88, 72];
    canvas.setAttribute("aria-hidden", "true");
    createImageBitmap(file).then((image) => {
      const scale = Math.max(88 / image.width, 72 / image.height);
      const [width, height] = [image.width * scale, image.height * scale];
      canvas.getContext("2d").drawImage(image, (88 - width) / 2, (72 - height) / 2, width, height);
    }).catch(() => canvas.replaceWith(sign(file)));
    return canvas;
  }
  document.addEventListener("paste", (event) => {
    if (event.target.id !== "reply-body" || !event.clipboardData?.files.length) return;
    event.preventDefault();
    addFiles(event.clipboardData.files);
  });
  for (const name of ["dragover", "drop", "dragleave"]) {
    document.addEventListener(name, (event) => {
      const pane = event.target.closest?.("#p-talk");
      if (!pane || !form() || !event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      form().classList.toggle("at-work-drop", name === "dragover");
      if (name === "drop") addFiles(event.dataTransfer.files);
    });
  }

  // -- mentions: @ and the beginning of a name, in a note -------------------------------
  function begun() {
    const text = box().value.slice(0, box().selectionStart);
    return kind() === "internal" ? /(?:^|\s)@([\w.+-]*)$/.exec(text) : null;
  }
  function mention() {
    const people = $("#work-people");
    const found = begun();
    const words = found ? found[1].toLowerCase() : null;
    let first = true;
    for (const one of $$("li", people)) {
      one.hidden = words === null || !one.textContent.toLowerCase().includes(words);
      one.setAttribute("aria-selected", String(!one.hidden && first));
      if (!one.hidden) first = false;
    }
    people.hidden = words === null || first;
  }
  function choose(event, people) {
    const shown = $$("li:not([hidden])", people);
    const at = shown.findIndex((one) => one.getAttribute("aria-selected") === "true");
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const next = (at + (event.key === "ArrowDown" ? 1 : -1) + shown.length) % shown.length;
      shown.forEach((one, number) => one.setAttribute("aria-selected", String(number === next)));
      shown[next].scrollIntoView({ block: "nearest" });
    } else if ((event.key === "Enter" && !event.ctrlKey) || event.key === "Tab") take(shown[at]);
    else if (event.key === "Escape") people.hidden = true;
    else return false;
    event.preventDefault();
    return true;
  }
  function take(person) {
    const found = begun();
    if (!person || !found) return;
    const at = box().selectionStart - found[1].length;
    box().setRangeText(`${person.dataset.name} `, at, box().selectionStart, "end");
    box().dispatchEvent(new Event("input", { bubbles: true }));
  }
  document.addEventListener("mousedown", (event) => {
    const person = event.target.closest?.("#work-people li");
    if (!person) return;
    event.preventDefault();
    take(person);
  });

  // -- who else is here ---------------------------------------------------------------
  async function look(isWriting = Date.now() - typedAt < 20000) {
    const others = $("#support-others");
    if (document.hidden || !others) return;
    const body = new FormData();
    body.append("writing", isWriting ? "1" : "0");
    body.append("csrfmiddlewaretoken", token());
    try {
      const answer = await fetch(others.dataset.url, { method: "POST", body });
      if (answer.ok && others.isConnected) show(others, await answer.json());
    } catch { /* offline for a moment: the next round tells */ }
  }
  function show(others, state) {
    const lines = state.others.map(
      (one) => `${one.name} ${one.writing ? others.dataset.writing : others.dataset.looking}.`,
    );
    if (String(state.last_reply ?? "") !== others.dataset.lastReply) lines.push(others.dataset.new);
    const text = lines.join(" ");
    if (others.textContent.trim() !== text) others.textContent = text;
    others.hidden = !text;
  }
  setInterval(look, 10000);
  document.addEventListener("visibilitychange", () => look());

  // -- live: what is new comes in without moving what one reads --------------------------
  const part = (element) => window.atParts.fetched(element);
  const freshenList = () => window.atParts.freshenList(
    $("#work-rows"), $("#work-new"), $("#p-list").dataset, ["#queue-count", "#p-list .at-tabs-scroll"],
  );
  async function freshenTalk() {
    const messages = $("#messages");
    const there = messages && (await part(messages));
    if (!there) return;
    const pane = $("#work-talk");
    const isAtEnd = pane.scrollHeight - pane.scrollTop - pane.clientHeight < 40;
    const known = new Set($$("article", messages).map((one) => one.id));
    const added = $$("article", there).filter((one) => !known.has(one.id));
    if ($("details[open]", messages)) messages.append(...added);
    else messages.innerHTML = there.body.innerHTML;
    if (isAtEnd) pane.scrollTop = pane.scrollHeight;
    else if (added.length) {
      $("#talk-new").hidden = false;
      $("#talk-new").onclick = () => {
        pane.scrollTop = pane.scrollHeight;
        $("#talk-new").hidden = true;
      };
    }
    look();
  }
  document.addEventListener("at:live", (event) => {
    if (event.detail === "tickets") freshenList();
    if (event.detail === "tickets-shown") freshenTalk();
  });
  // Where no stream is to be had.
  setInterval(() => { if (!document.hidden) freshenList(); }, 30000);

  // -- panes, toasts, places ----------------------------------------------------------
  document.addEventListener("click", (event) => {
    const tab = event.target.closest("[data-pane]");
    if (tab) {
      for (const pane of $$("#work > [data-shown]")) pane.removeAttribute("data-shown");
      $(tab.dataset.pane)?.setAttribute("data-shown", "");
      for (const one of $$("[data-pane]")) one.setAttribute("aria-pressed", String(one === tab));
    }
    if (event.target.closest("[href='#participants']")) {
      $("[data-pane='#p-ctx']")?.click();
      const more = $("#add-participant");
      if (!more) return;
      event.preventDefault();
      more.open = true;
      $("input:not([type=hidden])", more).focus();
    }
  });
  function fade(toast) {
    let left = 8;
    const clock = setInterval(() => {
      if (!toast.isConnected) clearInterval(clock);
      else if (!toast.matches(":hover, :focus-within") && --left <= 0) toast.remove();
    }, 1000);
  }
  document.addEventListener("htmx:oobAfterSwap", (event) => $$("[data-fades]", event.target).forEach(fade));

  // The list stays where it was scrolled to, unless the chosen ticket would be out of sight.
  let listAt = 0;
  let tabsAt = 0;
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.target.id !== "work") return;
    listAt = $("#work-rows")?.scrollTop ?? 0;
    tabsAt = $("#p-list .at-tabs-scroll")?.scrollLeft ?? 0;
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.target.id !== "work") return;
    $("#work-rows").scrollTop = listAt;
    $("#p-list .at-tabs-scroll").scrollLeft = tabsAt;
    start();
  });
  function start() {
    typedAt = 0;
    $("#work-rows .at-item[aria-current=true]")?.scrollIntoView({ block: "nearest" });
    remember();
  }
  start();
})();
