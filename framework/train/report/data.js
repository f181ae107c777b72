// The data of the page, and the formatting of names and numbers.

const data = JSON.parse(document.getElementById("data").textContent);
const runs = data.runs;
const comparing = runs.length > 1;

/** An element with attributes and children; text is text, never HTML. */
function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") element.style.cssText = value;
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child != null && child !== false));
  return element;
}

// Names. A metric is "split/quantity" ("test/accuracy") or a quantity alone ("lr").

const KNOWN = {
  loss: { title: "Loss" },
  accuracy: { title: "Accuracy" },
  lr: { title: "Learning rate", exact: true },
  grad_norm: { title: "Gradient norm" },
  update_ratio: { title: "Update ratio", unit: "‖update‖ / ‖weights‖" },
  noise_scale: { title: "Gradient noise scale", unit: "examples" },
  throughput: { title: "Throughput", unit: "per second" },
  memory_mb: { title: "Memory", unit: "MB", exact: true },
};
const ORDER = ["lr", "grad_norm", "update_ratio", "noise_scale", "throughput", "memory_mb"];

function parts(name) {
  const slash = name.indexOf("/");
  return { split: name.slice(0, Math.max(slash, 0)), quantity: name.slice(slash + 1) };
}

const isTraining = (split) => split === "" || split.includes("train");

function title(quantity) {
  if (Object.hasOwn(KNOWN, quantity)) return KNOWN[quantity].title;
  const words = quantity.replace(/[_\/]+/g, " ").trim() || quantity;
  return words.charAt(0).toUpperCase() + words.slice(1);
}

const unit = (quantity) => (Object.hasOwn(KNOWN, quantity) ? KNOWN[quantity].unit : undefined);

/** 1 if larger is better, -1 if smaller is, 0 if unknown. */
function direction(quantity) {
  if (/loss|error|perplex|nats|bits|entropy|\b(mae|mse|rmse)\b/i.test(quantity)) return -1;
  if (/acc|f1|exact|match|precision|recall|auc|score|bleu|reward|r2/i.test(quantity)) return 1;
  return 0;
}

// Numbers.
const grouped = (n) => n.toLocaleString("en-US");

function digits(value, significant = 4) {
  if (value == null || !Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e7 || size < 1e-3) return value.toExponential(Math.max(significant - 2, 1)).replace("e+", "e");
  if (size >= 1000) return grouped(Math.round(value));
  return value.toFixed(Math.min(6, Math.max(0, significant - 1 - Math.floor(Math.log10(size)))));
}

/** The smallest number of decimals for which `write` is exact enough for ticks `step` apart. */
function decimals(value, step, write) {
  let n = 0;
  while (n < 8 && Math.abs(Number(write(value, n)) - value) > step / 100) ++n;
  return n;
}

/** The labels of ticks, with as many decimals as their distance needs, all in one format. */
function ticks(values, log) {
  const largest = Math.max(...values.map(Math.abs)), step = values.length > 1 ? values[1] - values[0] : largest;
  const fixed = (v, n) => v.toFixed(n), power = (v, n) => v.toExponential(n);
  const few = Math.max(...values.map((v) => decimals(v, step, fixed)));
  return values.map((v) => {
    const size = Math.abs(v);
    if (v === 0) return "0";
    if (largest < 0.01 || largest >= 1e9 || (log && size < 1e-3)) return power(v, decimals(v, log ? v : step, power)).replace("e+", "e");
    if (log) return size >= 1000 ? compact(v) : String(+v.toPrecision(6));
    if (largest >= 1e6) return +(v / 1e6).toFixed(3) + "M";
    if (largest >= 1e4) return +(v / 1e3).toFixed(3) + "k";
    return largest >= 1000 ? grouped(+v.toFixed(few)) : v.toFixed(few);
  });
}

function compact(n) {
  for (const [scale, letter] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (n >= 10 * scale || (scale >= 1e6 && n >= scale)) return +(n / scale).toPrecision(3) + letter;
  }
  return grouped(Math.round(n));
}

function duration(seconds) {
  if (seconds == null || !Number.isFinite(seconds)) return "–";
  if (seconds < 60) return (seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)) + " s";
  const s = Math.round(seconds), two = (n) => String(n).padStart(2, "0");
  if (s < 3600) return `${Math.floor(s / 60)}:${two(s % 60)} min`;
  return `${Math.floor(s / 3600)}:${two(Math.floor((s % 3600) / 60))} h`;
}

/** A duration as the label of a tick. */
function roundDuration(seconds) {
  if (seconds === 0) return "0";
  for (const [scale, letter] of [[3600, "h"], [60, "min"]]) if (seconds % scale === 0) return `${seconds / scale} ${letter}`;
  return duration(seconds);
}

// Results of a run.
const finite = (values) => values.filter((v) => v !== null);

function findBest(series, way) {
  let best = -1;
  series.value.forEach((v, i) => {
    if (v !== null && (best < 0 || (v - series.value[best]) * way > 0)) best = i;
  });
  return best < 0 ? null : { value: series.value[best], step: series.step[best] };
}

function lastOf(run, key) {
  const all = run.series.map((s) => finite(s[key]).at(-1)).filter((v) => v !== undefined);
  return all.length ? Math.max(...all) : null;
}

function parameters(run) {
  const match = /(?:^|\s)total\s+([\d,]+)/.exec(run.model);
  return match ? Number(match[1].replaceAll(",", "")) : null;
}

for (const run of runs) {
  run.histograms ??= [];
  run.series = run.series.filter((s) => finite(s.value).length);
  for (const series of run.series) Object.assign(series, parts(series.name));
  const find = (name) => run.series.find((s) => s.name === name);
  run.steps = lastOf(run, "step");
  run.seconds = lastOf(run, "time");
  run.parameters = parameters(run);
  run.rate = find("throughput")?.median ?? null;
  run.memory = find("memory_mb") ? Math.max(...finite(find("memory_mb").value)) : null;
  run.results = run.series.filter((s) => s.split && !isTraining(s.split)).map((s) => {
    const way = direction(s.quantity);
    return { name: s.name, label: `${s.split} ${s.quantity.replaceAll("_", " ")}`, way, last: finite(s.value).at(-1) ?? null,
             best: way ? findBest(s, way) : null };
  });
  // Losses come last: accuracy says more.
  run.results.sort((a, b) => /loss/.test(a.name) - /loss/.test(b.name));
  const loss = run.series.find((s) => isTraining(s.split) && s.quantity === "loss");
  run.trainLoss = loss?.tail ?? null;
}
