"use strict";
// Who else is looking, whether someone replied meanwhile, and templates into the reply box.
(function () {
  const others = document.getElementById("support-others");
  const box = document.getElementById("id_body");
  const token = document.querySelector("[name=csrfmiddlewaretoken]");
  if (!others || !token) return;

  let typedAt = 0;
  if (box) box.addEventListener("input", () => { typedAt = Date.now(); });

  async function look() {
    if (document.hidden) return;
    const body = new FormData();
    body.append("writing", Date.now() - typedAt < 20000 ? "1" : "0");
    try {
      const answer = await fetch(others.dataset.url, {
        method: "POST", body, headers: { "X-CSRFToken": token.value },
      });
      if (!answer.ok) return;
      show(await answer.json());
    } catch { /* offline for a moment: the next round tells */ }
  }

  function show(state) {
    const lines = state.others.map(
      (one) => one.name + " " + (one.writing ? others.dataset.writing : others.dataset.looking) + "."
    );
    if (String(state.last_reply ?? "") !== others.dataset.lastReply) lines.push(others.dataset.new);
    const text = lines.join(" ");
    if (others.textContent.trim() !== text) others.textContent = text;
  }

  setInterval(look, 10000);
  document.addEventListener("visibilitychange", look);

  const picker = document.getElementById("template-picker");
  const select = picker && picker.querySelector("select");
  if (!select || !box) return;
  select.addEventListener("change", async () => {
    if (!select.value) return;
    const answer = await fetch(picker.dataset.templateUrl.replace("/0/", "/" + select.value + "/"));
    if (!answer.ok) return;
    const text = (await answer.json()).body;
    box.value = box.value.trim() ? box.value.replace(/\s*$/, "\n\n") + text : text;
    typedAt = Date.now();
    box.focus();
  });
})();
