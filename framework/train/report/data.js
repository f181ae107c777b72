// The runs of the page, and how their names and numbers are written.

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

// Names. A metric is "split/quantity" ("test/accuracy", also "test accuracy") or a quantity alone ("lr").
const SPLITS = new Set(["train", "training", "test", "valid", "val", "validation", "eval", "dev", "pretrain"]);

const KNOWN = {
  loss: { title: "Loss" },
  accuracy: { title: "Accuracy" },
  lr: { title: "Learning rate", exact: true },
  grad_norm: { title: "Gradient norm" },
  update_ratio: { title: "Update ratio", unit: "length of an update / length of the weights" },
  throughput: { title: "Throughput", unit: "per second" },
  memory_mb: { title: "Memory", unit: "MB" },
};
const ORDER = ["lr", "grad_norm", "update_ratio", "throughput", "memory_mb"];

function parts(name) {
  const match = /^(.*?)[\/ ](.*)$/.exec(name);
  return match && SPLITS.has(match[1]) ? { split: match[1], quantity: match[2] } : { split: "", quantity: name };
}

const isTraining = (split) => split === "" || split.includes("train");

function title(quantity) {
  if (Object.hasOwn(KNOWN, quantity)) return KNOWN[quantity].title;
  const words = quantity.replace(/[_\/]+/g, " ").trim() || quantity;
  return words.charAt(0).toUpperCase() + words.slice(1);
}

const unit = (quantity) => (Object.hasOwn(KNOWN, quantity) ? KNOWN[quantity].unit : undefined);

/** 1 when more of it is better, -1 when less is, 0 when nobody knows. */
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

/** The number at a tick, as exact as the distance of ticks asks for. */
function tick(value, step) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 1e-3 || size >= 1e9) return value.toExponential(Math.max(0, Math.floor(Math.log10(size)) - Math.floor(Math.log10(step) + 1e-9))).replace("e+", "e");
  const scales = [[1e6, "M"], [1e3, "k"]];
  for (const [scale, letter] of scales) {
    if (size >= 10 * scale || (scale === 1e6 && size >= scale)) return +(value / scale).toFixed(3) + letter;
  }
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return size >= 1000 ? grouped(+value.toFixed(decimals)) : value.toFixed(Math.min(decimals, 8));
}

function duration(seconds) {
  if (seconds == null || !Number.isFinite(seconds)) return "–";
  if (seconds < 60) return (seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)) + " s";
  const s = Math.round(seconds), two = (n) => String(n).padStart(2, "0");
  if (s < 3600) return `${Math.floor(s / 60)}:${two(s % 60)} min`;
  return `${Math.floor(s / 3600)}:${two(Math.floor((s % 3600) / 60))} h`;
}

// What a run came to.
const finite = (values) => values.filter((v) => v !== null);

function findBest(series, way) {
  let best = -1;
  series.value.forEach((v, i) => {
    if (v !== null && (best < 0 || (v - series.value[best]) * way > 0)) best = i;
  });
  return best < 0 ? null : { value: series.value[best], step: series.step[best] };
}

function median(values) {
  const sorted = finite(values).sort((a, b) => a - b);
  return sorted.length ? sorted[sorted.length >> 1] : null;
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
  for (const series of run.series) Object.assign(series, parts(series.name));
  const find = (name) => run.series.find((s) => s.name === name);
  run.steps = lastOf(run, "step");
  run.seconds = lastOf(run, "time");
  run.parameters = parameters(run);
  run.rate = find("throughput") ? median(find("throughput").value) : null;
  run.memory = find("memory_mb") ? Math.max(...finite(find("memory_mb").value)) : null;
  run.results = run.series.filter((s) => s.split && !isTraining(s.split)).map((s) => {
    const way = direction(s.quantity);
    return { name: s.name, label: `${s.split} ${s.quantity.replaceAll("_", " ")}`, way, last: finite(s.value).at(-1) ?? null,
             best: way ? findBest(s, way) : null };
  });
  // Losses come last: accuracy says more.
  run.results.sort((a, b) => /loss/.test(a.name) - /loss/.test(b.name));
  const loss = run.series.find((s) => isTraining(s.split) && s.quantity === "loss");
  // One batch's loss is noise; the last twentieth of them says where training arrived.
  const tail = loss ? finite(loss.value).slice(-Math.max(1, Math.ceil(loss.value.length / 20))) : [];
  run.trainLoss = tail.length ? tail.reduce((a, b) => a + b) / tail.length : null;
}
