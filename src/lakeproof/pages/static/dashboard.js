// Draws the time series of a dashboard, of the panels that are in sight, and again every ten seconds.
"use strict";
const PAUSE = 10_000;
const COLOURS = ["#3b82d0", "#d9822b", "#2f9e63", "#c8507a", "#8a6fd1", "#1a9db0", "#b0902c", "#cf5b4a", "#6b8e23", "#7a8799"];
const inSight = new Set();
const plots = new Map();

function short(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  return size >= 1000 || value === Math.round(value) ? value.toLocaleString("en", { maximumFractionDigits: 0 }) : value.toPrecision(3);
}

function clock(seconds) {
  return new Date(seconds * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
}

function last(values) {
  return values.findLast((value) => value !== null && value !== undefined);
}

function options(box, found) {
  const style = getComputedStyle(box);
  const ink = { stroke: style.color, grid: { stroke: style.borderTopColor, width: 1 }, ticks: { stroke: style.borderTopColor, width: 1 }, font: "12px system-ui, sans-serif" };
  const withUnit = (value) => (value === null || value === undefined ? "–" : `${short(value)} ${found.unit}`.trim());
  const drawLines = (plot) => {
    for (const line of found.lines) {
      const y = plot.valToPos(line, "y", true);
      if (y < plot.bbox.top || y > plot.bbox.top + plot.bbox.height) continue;
      plot.ctx.save();
      plot.ctx.strokeStyle = "#cf5b4a";
      plot.ctx.setLineDash([6, 5]);
      plot.ctx.beginPath();
      plot.ctx.moveTo(plot.bbox.left, y);
      plot.ctx.lineTo(plot.bbox.left + plot.bbox.width, y);
      plot.ctx.stroke();
      plot.ctx.restore();
    }
  };
  return {
    width: box.clientWidth,
    height: 190,
    cursor: { sync: { key: "dashboard" } },
    legend: { live: true },
    scales: { y: { range: (plot, low, high) => {
      const least = found.minimum === null ? low : Math.min(found.minimum, low ?? 0);
      return high === null || high === undefined ? [0, 1] : [least, high === least ? least + 1 : high + (high - least) * 0.08];
    } } },
    axes: [{ ...ink, values: (plot, ticks) => ticks.map(clock) }, { ...ink, size: 62, values: (plot, ticks) => ticks.map(withUnit) }],
    hooks: { draw: [drawLines] },
    series: [{ label: "", value: (plot, value) => clock(value ?? plot.data[0].at(-1)) }, ...found.names.map((name, at) => ({ label: name, stroke: COLOURS[at % COLOURS.length], width: 1.5, points: { show: false }, value: (plot, value, series, at) => withUnit(at === null ? last(plot.data[series]) : value) }))],
  };
}

function say(box, text) {
  plots.get(box)?.plot.destroy();
  plots.delete(box);
  const line = document.createElement("p");
  line.className = "soft";
  line.textContent = text;
  box.replaceChildren(line);
}

async function draw(box) {
  let found;
  try {
    const answer = await fetch(box.dataset.chart);
    found = await answer.json();
    if (!answer.ok) return say(box, found.error);
  } catch (error) {
    return say(box, String(error.message ?? error));
  }
  if (!found.names.length) return say(box, box.dataset.none);
  const data = [found.times, ...found.values];
  const known = plots.get(box);
  const shape = JSON.stringify([found.names, found.unit]);
  if (known && known.shape === shape) return known.plot.setData(data);
  known?.plot.destroy();
  box.replaceChildren();
  plots.set(box, { shape, plot: new uPlot(options(box, found), data, box) });
}

const boxes = [...document.querySelectorAll("[data-chart]")];
for (const box of boxes) box.dataset.none = box.textContent.trim();
const watch = new IntersectionObserver((seen) => {
  for (const one of seen) {
    if (!one.isIntersecting) inSight.delete(one.target);
    else if (!inSight.has(one.target)) { inSight.add(one.target); draw(one.target); }
  }
}, { rootMargin: "200px" });
boxes.forEach((box) => watch.observe(box));
setInterval(() => { if (!document.hidden) inSight.forEach(draw); }, PAUSE);
addEventListener("resize", () => plots.forEach(({ plot }, box) => plot.setSize({ width: box.clientWidth, height: 190 })));
