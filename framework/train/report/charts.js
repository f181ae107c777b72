// The curves: one chart for each quantity, all with one x axis, one cursor and one zoom.

const view = { axis: "step", smooth: 0.02, zoom: null, hidden: new Set(), log: new Set() };
const charts = [];  // {quantity, curves, card, plot, at}
const sync = uPlot.sync("temper");

const AXES = {
  step: { label: "step", of: (run, s) => s.step, text: (x) => `step ${grouped(Math.round(x))}` },
  epoch: { label: "epoch", of: (run, s) => s.step.map((v) => v / run.steps_per_epoch), text: (x) => `epoch ${x.toFixed(2)}` },
  time: { label: "time", of: (run, s) => s.time, text: duration },
};
const hasEpochs = runs.some((run) => run.steps_per_epoch) && runs.every((run) => run.steps_per_epoch || !run.series.length);
const hasTime = runs.some((run) => run.seconds !== null);

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const runColor = (index) => `var(--c${index % 8})`;
const concrete = (color) => (color.startsWith("var(") ? style(color.slice(4, -1)) : color);

/** Curves of one quantity over all runs. With one run colours tell splits apart, else runs, and dashes the splits. */
function curvesOf(quantity) {
  const curves = [];
  const splits = [...new Set(runs.flatMap((run) => run.series.filter((s) => s.quantity === quantity).map((s) => s.split)))];
  runs.forEach((run, index) => {
    for (const series of run.series.filter((s) => s.quantity === quantity)) {
      const which = splits.indexOf(series.split);
      const dashed = comparing && splits.length > 1 && isTraining(series.split);
      // Evaluations and scheduled values have no noise: smoothing would only delay them.
      const exact = KNOWN[quantity]?.exact || series.value.length < 30;
      curves.push({
        run, index, series, dashed, exact,
        key: comparing ? `run ${index}` : series.name,
        label: [comparing && run.name, (!comparing || splits.length > 1) && series.split].filter(Boolean).join(" "),
        color: comparing ? runColor(index) : runColor(isTraining(series.split) ? 0 : Math.max(1, which)),
      });
    }
  });
  return curves;
}

function quantities() {
  const all = [...new Set(runs.flatMap((run) => run.series.map((s) => s.quantity)))];
  const split = (q) => runs.some((run) => run.series.some((s) => s.quantity === q && s.split));
  const rank = (q) => (q === "loss" ? 0 : split(q) ? 1 : 2 + (ORDER.includes(q) ? ORDER.indexOf(q) : ORDER.length));
  return all.sort((a, b) => rank(a) - rank(b)).map((q) => ({ quantity: q, first: split(q) }));
}

/** Exponential moving averages of ys; `width` is the time constant as a fraction of the run's length. `means` are the
 * averages of all lines around each point, for a run of which not all lines are points. */
function smooth(xs, ys, means, width) {
  const length = (xs.at(-1) - xs[0]) * width;
  if (!(length > 0)) return ys;
  let sum = 0, weight = 0, before = xs[0];
  return ys.map((y, i) => {
    if (y === null) return null;
    const keep = Math.exp(-(xs[i] - before) / length);
    before = xs[i];
    sum = sum * keep + means[i];
    weight = weight * keep + 1;
    return sum / weight;
  });
}

/** x and y of a curve as they are drawn, ascending in x. */
function drawn(curve) {
  const xs = [], ys = [], means = [];
  AXES[view.axis].of(curve.run, curve.series).forEach((x, i) => {
    if (x === null || !Number.isFinite(x) || (xs.length && x <= xs.at(-1))) return;
    xs.push(x);
    ys.push(curve.series.value[i]);
    means.push((curve.series.mean ?? curve.series.value)[i]);
  });
  const smoothed = view.smooth > 0 && !curve.exact;
  return { xs, raw: ys, line: smoothed ? smooth(xs, ys, means, view.smooth) : ys, smoothed };
}

/** Ticks at 1, 2 and 5 times the powers of ten, or only at the powers when there are many. */
function logTicks(min, max) {
  const decades = Math.log10(max / min);
  if (decades < 0.5) {
    const step = 10 ** Math.floor(Math.log10((max - min) / 2)), ticks = [];
    for (let v = Math.ceil(min / step) * step; v <= max; v += step) ticks.push(v);
    return ticks.filter((_, i) => i % Math.ceil(ticks.length / 6) === 0);
  }
  const ticks = [];
  for (let e = Math.floor(Math.log10(min)); e <= Math.ceil(Math.log10(max)); ++e) {
    for (const m of decades < 1.2 ? [1, 2, 3, 5, 7] : decades < 2.5 ? [1, 2, 5] : [1]) ticks.push(Number(`${m}e${e}`));
  }
  return ticks.filter((v) => v >= min && v <= max);
}

function yRange(log) {
  return (u, min, max) => {
    if (min === null || max === null || !Number.isFinite(min)) return [0, 1];
    if (log) return min < max ? [min / (max / min) ** 0.05, max * (max / min) ** 0.05] : [min / 2, max * 2];
    if (min === max) return min === 0 ? [-1, 1] : [Math.min(min * 0.9, min * 1.1), Math.max(max * 0.9, max * 1.1)];
    const pad = (max - min) * 0.06;
    // The axis of values that are never negative does not begin below 0.
    return [min >= 0 ? Math.max(0, min - pad) : min - pad, max + pad];
  };
}

function fullRange() {
  let min = Infinity, max = -Infinity;
  for (const chart of charts) {
    for (const curve of chart.curves) {
      const { xs } = drawn(curve);
      if (!xs.length) continue;
      min = Math.min(min, xs[0]);
      max = Math.max(max, xs.at(-1));
    }
  }
  if (!Number.isFinite(min)) return [0, 1];
  return min < max ? [min <= max / 50 ? 0 : min, max] : [min - 1, max + 1];
}

/** The index of a curve's nearest point with a value; null beyond the end of a curve. */
function nearest(u, series, index, x) {
  const ys = u.data[series], xs = u.data[0];
  if (!ys || ys[index] != null) return index;
  let left = index, right = index;
  while (left >= 0 && ys[left] == null) --left;
  while (right < ys.length && ys[right] == null) ++right;
  if (left < 0 && right >= ys.length) return index;
  if (right >= ys.length && x - xs[left] > (u.scales.x.max - u.scales.x.min) * 0.03) return null;
  if (left < 0) return right;
  return right >= ys.length || x - xs[left] <= xs[right] - x ? left : right;
}

function showValues(chart, indices) {
  chart.curves.forEach((curve, i) => {
    const at = indices ? indices[curve.column] : undefined;
    const value = indices ? (at == null ? null : chart.u.data[curve.column][at]) : curve.last;
    curve.read.lastChild.textContent = digits(value ?? null);
  });
}

function followCursor(u, chart) {
  const x = u.cursor.left >= 0 ? u.posToVal(u.cursor.left, "x") : null;
  showValues(chart, x === null ? null : u.cursor.idxs);
  chart.at.textContent = x === null ? "" : AXES[view.axis].text(x);
}

function zoomTo(range) {
  view.zoom = range;
  const [min, max] = range ?? fullRange();
  for (const chart of charts) chart.u?.setScale("x", { min, max });
  document.getElementById("unzoom").disabled = !range;
}

function axisOf(scale, extra) {
  const size = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const font = `${Math.round(size * 0.74)}px ${getComputedStyle(document.body).fontFamily}`;
  return { scale, font, stroke: style("--soft"), grid: { stroke: style("--grid"), width: 1 }, ticks: { show: false }, gap: 6, ...extra };
}

function plot(chart, range) {
  const log = view.log.has(chart.quantity);
  const positive = (y) => (log && y <= 0 ? null : y);
  const tables = [], series = [{}];
  let column = 1;
  for (const curve of chart.curves) {
    const { xs, raw, line, smoothed } = drawn(curve);
    const shown = !view.hidden.has(curve.key), color = concrete(curve.color);
    curve.last = finite(line).at(-1);
    curve.points = xs.length;
    if (smoothed) {
      tables.push([xs, raw.map(positive)]);
      series.push({ scale: "y", show: shown, stroke: color + "38", width: 1, points: { show: false } });
      ++column;
    }
    curve.column = column++;
    tables.push([xs, line.map(positive)]);
    // A run that is short compared with others would be an invisible line, so its points are drawn.
    const short = xs.at(-1) - xs[0] < (range[1] - range[0]) / 50;
    series.push({ scale: "y", show: shown, stroke: color, width: curve.dashed ? 1.5 : 2, dash: curve.dashed ? [6, 4] : undefined,
                  points: { show: short || xs.length < (isTraining(curve.series.split) ? 10 : 40), size: 6, fill: color, stroke: color } });
  }
  const size = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const isTime = view.axis === "time";
  const options = {
    width: Math.max(chart.plot.clientWidth, 50), height: Math.max(chart.plot.clientHeight, 50),
    legend: { show: false }, padding: [8, size * 1.2, 0, 0], series,
    cursor: {
      y: false, dataIdx: nearest, sync: { key: sync.key, scales: ["x", null], filters: { pub: (type) => /^mouse(move|enter|leave)$/.test(type) } },
      drag: { x: true, y: false, setScale: false },
      points: { show: (u, i) => chart.curves.some((curve) => curve.column === i), size: 7 },
      bind: { dblclick: () => () => zoomTo(null) },
    },
    scales: { x: { time: false, auto: false, min: range[0], max: range[1] }, y: { distr: log ? 3 : 1, range: yRange(log) } },
    axes: [
      axisOf("x", { space: size * 4.4, size: size * 1.9,
        incrs: isTime ? [0.1, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400, 172800, 604800] : undefined,
        values: (u, splits) => (isTime ? splits.map(roundDuration) : ticks(splits, false)) }),
      axisOf("y", { space: size * 2.4, splits: log ? (u, i, min, max) => logTicks(min, max) : undefined, filter: (u, splits) => splits,
        values: (u, splits) => ticks(splits, log),
        size: (u, values) => Math.max(size * 2, ...(values ?? []).map((v) => 12 + String(v).length * size * 0.47)) }),
    ],
    hooks: {
      setCursor: [(u) => followCursor(u, chart)],
      setSelect: [(u) => {
        if (u.select.width < 4) return;
        const ends = [u.select.left, u.select.left + u.select.width].map((px) => u.posToVal(px, "x"));
        u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
        zoomTo(ends);
      }],
    },
  };
  chart.u?.destroy();
  chart.u = new uPlot(options, uPlot.join(tables), chart.plot);
  chart.plot.setAttribute("data-points", chart.curves.reduce((sum, curve) => sum + curve.points, 0));
  showValues(chart, null);
}

function draw() {
  const range = view.zoom ?? fullRange();
  for (const chart of charts) plot(chart, range);
  for (const button of document.querySelectorAll("[data-key]")) {
    button.setAttribute("aria-pressed", !view.hidden.has(button.dataset.key));
  }
  document.getElementById("unzoom").disabled = !view.zoom;
}

let waiting = false;
/** Draws once before the next frame, however often it is asked for. */
function redraw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; draw(); });
}

function toggle(key) {
  if (!view.hidden.delete(key)) view.hidden.add(key);
  redraw();
}

function makeChart({ quantity }) {
  const chart = { quantity, curves: curvesOf(quantity) };
  const positive = chart.curves.every((curve) => curve.series.value.every((v) => v === null || v >= 0));
  const log = positive && el("button", { class: "log", "aria-pressed": "false", title: "logarithmic scale", onclick: () => {
    if (!view.log.delete(quantity)) view.log.add(quantity);
    log.setAttribute("aria-pressed", view.log.has(quantity));
    redraw();
  } }, "log");
  const reads = chart.curves.map((curve) => curve.read = el("button",
    { class: `read${curve.dashed ? " dashed" : ""}`, style: `--color: ${curve.color}`, "data-key": curve.key, "aria-pressed": "true",
      title: curve.label || title(quantity), onclick: () => toggle(curve.key) },
    el("i"), curve.label && el("span", { class: "name" }, curve.label), el("b")));
  chart.at = el("span", { class: "at" });
  chart.plot = el("div", { class: "plot", role: "img", "aria-label": `${title(quantity)} of ${runs.map((run) => run.name).join(", ")}` });
  chart.card = el("section", { class: "card chart", "data-quantity": quantity },
    el("div", { class: "top" }, el("h3", {}, title(quantity), unit(quantity) && el("span", { class: "unit" }, unit(quantity))), log, chart.at),
    el("div", { class: "reads" }, reads), chart.plot);
  charts.push(chart);
  return chart.card;
}

/** As few rows as possible, filled evenly: five charts in three and two, not in four and one. */
function arrange(grid) {
  const size = parseFloat(getComputedStyle(grid).fontSize), narrowest = size * (grid.classList.contains("first") ? 30 : 17);
  const count = grid.children.length, most = Math.max(1, Math.floor(grid.clientWidth / narrowest));
  grid.style.setProperty("--columns", Math.ceil(count / Math.ceil(count / most)));
}

const resize = new ResizeObserver(() => {
  document.querySelectorAll(".charts").forEach(arrange);
  for (const { u, plot } of charts) {
    if (u && plot.clientWidth > 50) u.setSize({ width: plot.clientWidth, height: plot.clientHeight });
  }
});
