// Draws the figures of the admin's home. Numbers come as JSON in the page, colours from its theme.
"use strict";
(() => {
  const source = document.getElementById("home-series");
  if (!source || typeof Chart === "undefined") return;
  const series = JSON.parse(source.textContent);
  const drawn = [];

  const colour = (name) =>
    getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function options(unit) {
    const quiet = colour("--body-quiet-color");
    const grid = colour("--hairline-color");
    return {
      animation: false,
      maintainAspectRatio: false,
      interaction: { mode: "index", intersect: false },
      plugins: {
        legend: { display: false },
        tooltip: { callbacks: { label: (item) => `${item.formattedValue} ${unit}`.trim() } },
      },
      scales: {
        x: { ticks: { color: quiet, maxTicksLimit: 3, maxRotation: 0 }, grid: { display: false } },
        y: { beginAtZero: true, ticks: { color: quiet, maxTicksLimit: 3 }, grid: { color: grid } },
      },
    };
  }

  function draw() {
    drawn.splice(0).forEach((chart) => chart.destroy());
    document.querySelectorAll("canvas[data-figure]").forEach((canvas) => {
      const figure = series[canvas.dataset.figure];
      drawn.push(new Chart(canvas, {
        type: "line",
        data: {
          labels: figure.labels,
          datasets: [{
            data: figure.values,
            borderColor: colour("--link-fg"),
            borderWidth: 2,
            pointRadius: 0,
            pointHitRadius: 12,
            tension: 0.25,
          }],
        },
        options: options(figure.unit),
      }));
    });
  }

  draw();
  // The switch between light and dark changes an attribute and loads nothing anew.
  new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
})();
