// Draws the neighbourhood of an account. Data comes as JSON, colours from the level.
// No style reaches the page's markup: the library paints on a canvas.
"use strict";
(() => {
  const box = document.getElementById("graph");
  const status = document.getElementById("graph-status");
  if (!box || typeof cytoscape === "undefined") return;

  const colours = {
    low: "#2e7d32", moderate: "#8a6d00", elevated: "#b45309",
    high: "#c2410c", critical: "#9f1239",
  };
  // The library reads no oklch(): a colour is painted once and read back.
  function plain(colour) {
    const brush = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
    brush.fillStyle = colour;
    brush.fillRect(0, 0, 1, 1);
    const [red, green, blue] = brush.getImageData(0, 0, 1, 1).data;
    return `rgb(${red},${green},${blue})`;
  }
  const page = getComputedStyle(document.body);
  const [text, ground] = [plain(page.color), plain(page.backgroundColor)];

  function elements(data) {
    const nodes = data.nodes.map((node) => ({
      data: {
        id: String(node.id), url: node.url, level: node.level,
        label: node.score === null ? node.label : `${node.label} (${node.score})`,
        colour: colours[node.level] || "#64748b",
        shape: node.suspended ? "rectangle" : "ellipse",
        size: node.depth === 0 ? 44 : 30,
      },
    }));
    const known = new Set(data.nodes.map((node) => node.id));
    const edges = data.edges
      .filter((edge) => known.has(edge.source) && known.has(edge.target))
      .map((edge) => ({
        data: {
          id: `e${edge.id}`, source: String(edge.source), target: String(edge.target),
          label: String(edge.strength),
          width: 1 + edge.strength / 18,
          line: edge.status === "confirmed" ? "solid" : "dashed",
        },
      }));
    return [...nodes, ...edges];
  }

  function draw(data) {
    const graph = cytoscape({
      container: box,
      elements: elements(data),
      maxZoom: 2,
      wheelSensitivity: 0.3,
      // Names are wider than circles: the circles keep their distance for their sake.
      layout: {
        name: "cose", animate: false, padding: 40, nodeOverlap: 60, componentSpacing: 120,
        nodeRepulsion: () => 600000, idealEdgeLength: () => 170,
      },
      style: [
        { selector: "node", style: {
          "background-color": "data(colour)", shape: "data(shape)", width: "data(size)",
          height: "data(size)", label: "data(label)", color: text, "font-size": 11,
          "text-valign": "bottom", "text-margin-y": 4 } },
        { selector: "node.chosen", style: { "border-width": 5, "border-color": text } },
        { selector: "edge", style: {
          width: "data(width)", "line-color": "#94a3b8", "line-style": "data(line)",
          label: "data(label)", color: text, "font-size": 9, "curve-style": "bezier",
          "text-background-color": ground, "text-background-opacity": 0.8 } },
      ],
    });
    keyboard(graph);
    graph.on("tap", "node", (event) => open(event.target));
  }

  function open(node) {
    window.location.assign(node.data("url"));
  }

  function keyboard(graph) {
    let chosen = graph.getElementById(box.dataset.centre);
    const choose = (node) => {
      graph.nodes().removeClass("chosen");
      chosen = node;
      node.addClass("chosen");
      status.textContent = node.data("label") +
        (node.data("level") ? ` – ${node.data("level")}` : "") +
        ` – ${node.connectedEdges().length}`;
    };
    const towards = (dx, dy) => {
      const from = chosen.position();
      let best = null, least = Infinity;
      graph.nodes().forEach((node) => {
        const x = node.position().x - from.x, y = node.position().y - from.y;
        const along = x * dx + y * dy, aside = Math.abs(x * dy - y * dx);
        if (node.id() !== chosen.id() && along > 1) {
          const cost = along + 2 * aside;
          if (cost < least) { least = cost; best = node; }
        }
      });
      if (best) choose(best);
    };
    const keys = {
      ArrowLeft: () => towards(-1, 0), ArrowRight: () => towards(1, 0),
      ArrowUp: () => towards(0, -1), ArrowDown: () => towards(0, 1),
      Enter: () => open(chosen),
      "+": () => graph.zoom(graph.zoom() * 1.2), "-": () => graph.zoom(graph.zoom() / 1.2),
    };
    box.addEventListener("keydown", (event) => {
      if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
    });
    box.addEventListener("focus", () => choose(chosen));
    box.dataset.ready = String(graph.nodes().length);
  }

  fetch(box.dataset.url, { credentials: "same-origin" })
    .then((answer) => answer.ok ? answer.json() : Promise.reject(answer.status))
    .then(draw)
    .catch((fault) => { status.textContent = `⚠ ${fault}`; });
})();
