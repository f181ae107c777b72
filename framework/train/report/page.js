// The page around the charts: head, controls, configuration, model, samples.

const number = (text, small) => el("td", { class: "number" }, text, small && el("small", {}, small));

// Head -----------------------------------------------------------------------------------------------

function tile(label, value, small, note, result) {
  return el("div", { class: `card tile${result ? " result" : ""}` },
    el("dt", {}, label), el("dd", {}, value, small && el("small", {}, small)), note && el("p", {}, note));
}

function when(run, step) {
  return run.steps_per_epoch ? `epoch ${+(step / run.steps_per_epoch).toFixed(1)}` : `step ${grouped(step)}`;
}

function tiles(run) {
  const epochs = run.steps_per_epoch && run.steps !== null ? +(run.steps / run.steps_per_epoch).toFixed(1) : null;
  return el("dl", { class: "tiles" },
    run.results.map((r, i) => {
      if (!r.best) return tile(r.label, digits(r.last), null, "last", i === 0);
      const atEnd = r.best.value === r.last;
      return tile(r.label, digits(r.best.value), null, atEnd ? "best, and last" : `best, at ${when(run, r.best.step)}; last ${digits(r.last)}`, i === 0);
    }),
    run.trainLoss !== null && tile("train loss", digits(run.trainLoss), null, "mean of last 5\u00a0%", run.results.length === 0),
    run.seconds !== null && tile("training time", ...duration(run.seconds).split(" "), run.steps ? `${digits(run.steps / run.seconds, 3)} steps a second` : null),
    run.steps !== null && tile("steps", grouped(run.steps), null, epochs && `${epochs} ${epochs === 1 ? "epoch" : "epochs"}`),
    run.parameters !== null && tile("parameters", compact(run.parameters), null, run.parameters >= 1e4 ? grouped(run.parameters) : null),
    run.rate !== null && tile("throughput", compact(run.rate), "/s", "median"),
    run.memory !== null && Number.isFinite(run.memory) && tile("memory", digits(run.memory, 3), "MB", "at most"));
}

function runTable() {
  const names = [...new Map(runs.flatMap((run) => run.results.map((r) => [r.name, r]))).values()];
  const columns = names.map((r) => ({ head: r.way ? `best ${r.label}` : r.label, way: r.way, small: true, of: (run) => {
    const own = run.results.find((o) => o.name === r.name);
    return own ? { value: own.best ? own.best.value : own.last, small: own.best && own.best.value !== own.last ? `last ${digits(own.last)}` : null } : null;
  } }));
  const plain = (head, key, text, way = 0) => columns.push({ head, way, text, of: (run) => (run[key] == null ? null : { value: run[key] }) });
  plain("train loss", "trainLoss", digits, -1);
  plain("time", "seconds", duration);
  plain("steps", "steps", grouped);
  plain("throughput /s", "rate", compact);
  plain("memory MB", "memory", (v) => digits(v, 3));
  plain("parameters", "parameters", grouped);
  const used = columns.filter((c) => runs.some((run) => c.of(run)));
  const best = used.map((c) => {
    const values = runs.map((run) => c.of(run)?.value).filter((v) => v != null && Number.isFinite(v));
    return c.way && values.length > 1 ? Math.max(...values.map((v) => v * c.way)) * c.way : null;
  });
  return el("div", { class: "card scroll", style: "margin-top: 1.1rem" }, el("table", { class: "runs" },
    el("thead", {}, el("tr", {}, el("th", {}, "run"), used.map((c) => el("th", { class: "number" }, c.head)))),
    el("tbody", {}, runs.map((run, index) => el("tr", {},
      el("td", {}, el("span", { class: "dot", style: `--color: ${runColor(index)}` }), run.name),
      used.map((c, i) => {
        const cell = c.of(run);
        const td = number(cell ? (c.text ?? digits)(cell.value) : "–", cell?.small);
        if (cell && best[i] !== null && cell.value === best[i]) td.classList.add("best");
        return td;
      }))))));
}

function header() {
  const notices = runs.flatMap((run) => run.notices.map((text) => (comparing ? `${run.name}: ${text}` : text)));
  return el("header", {},
    el("p", { class: "brand" }, comparing ? `Temper · ${runs.length} runs compared` : "Temper · training run"),
    el("h1", {}, data.title ? data.title : !comparing ? runs[0].name : runs.length <= 4 ? runs.map((run) => run.name).join(" · ") : `${runs.length} runs`),
    !comparing && el("p", { class: "where" }, `${runs[0].folder} · Temper ${data.version}`),
    data.text && el("pre", { class: "card", style: "margin-top: 1.1rem" }, data.text),
    comparing ? runTable() : tiles(runs[0]),
    notices.length > 0 && el("ul", { class: "notices" }, notices.map((text) => el("li", {}, text))));
}

// Controls -------------------------------------------------------------------------------------------

function segments(names, current, disabled, choose) {
  const buttons = names.map((name) => el("button", { type: "button", "aria-pressed": String(name === current), disabled: disabled(name) ? "" : null, "data-choice": name, onclick: () => {
    buttons.forEach((b) => b.setAttribute("aria-pressed", String(b.dataset.choice === name)));
    choose(name);
  } }, name));
  return el("div", { class: "segments", role: "group" }, buttons);
}

function theme(name) {
  const dark = name === "dark" || (name === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  document.documentElement.style.colorScheme = dark ? "dark" : "light";
}

function controls() {
  const percent = () => (view.smooth === 0 ? "off" : `${+(view.smooth * 100).toPrecision(2)} %`);
  const output = el("output", {}, percent());
  // The slider's 0 turns smoothing off; each further step multiplies the width by the same factor, up to 0.2 of the run.
  const slider = el("input", { id: "smooth", type: "range", min: 0, max: 50, value: 17, oninput: () => {
    view.smooth = slider.value === "0" ? 0 : 0.002 * 100 ** (slider.value / 50);
    output.textContent = percent();
    redraw();
  } });
  view.smooth = 0.002 * 100 ** (slider.value / 50);
  output.textContent = percent();
  let chosen = "auto";
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { theme(chosen); redraw(); });
  return el("div", { class: "bar" },
    el("div", { class: "group" }, el("span", {}, "against"), segments(["step", "epoch", "time"], "step",
      (name) => (name === "epoch" && !hasEpochs) || (name === "time" && !hasTime),
      (name) => { view.axis = name; view.zoom = null; redraw(); })),
    el("div", { class: "group" }, el("label", { for: "smooth", title: "averages a curve over this part of the run" }, "smoothing"), slider, output),
    el("button", { id: "unzoom", type: "button", class: "plain", disabled: "", title: "drag across a chart to zoom in", onclick: () => zoomTo(null) }, "whole run"),
    comparing && el("div", { class: "chips" }, runs.map((run, index) => el("button",
      { type: "button", class: "chip", "aria-pressed": "true", "data-key": `run ${index}`, title: run.folder, onclick: () => toggle(`run ${index}`) },
      el("i", { class: "dot", style: `--color: ${runColor(index)}` }), el("span", {}, run.name)))),
    el("div", { class: "group push" }, segments(["auto", "light", "dark"], "auto", () => false, (name) => { chosen = name; theme(name); redraw(); })));
}

// Curves ---------------------------------------------------------------------------------------------

function curves() {
  const all = quantities();
  if (!all.length) return el("p", { class: "card none", style: "margin-top: 1rem" }, comparing ? "None of these runs has written a metric yet." : "This run has not written a metric yet.");
  const grid = (some, first) => some.length > 0 && el("div", { class: `charts${first ? " first" : ""}` }, some.map(makeChart));
  return [grid(all.filter((q) => q.first), true), grid(all.filter((q) => !q.first), false),
    el("p", { class: "hint" }, "Drag across a chart to zoom, double-click for the whole run, click a name to hide its curve. Smoothed curves have what they were made from behind them.")];
}

// Configuration --------------------------------------------------------------------------------------

function configuration() {
  if (!runs.some((run) => run.config.length)) return null;
  if (!comparing) {
    return [el("h2", {}, "Configuration"), el("dl", { class: "card pairs" }, runs[0].config.map(([key, value]) => el("div", {}, el("dt", {}, key), el("dd", {}, value || "–"))))];
  }
  const maps = runs.map((run) => new Map(run.config));
  const keys = [...new Set(maps.flatMap((map) => [...map.keys()]))];
  const differs = (key) => new Set(maps.map((map) => map.get(key))).size > 1;
  const rows = keys.map((key) => el("tr", { class: differs(key) ? "differs" : "same" },
    el("th", { scope: "row" }, key), maps.map((map) => el("td", {}, map.get(key) || "–"))));
  const same = rows.filter((row) => row.classList.contains("same"));
  const button = same.length > 0 && el("button", { type: "button", class: "plain", onclick: () => show(same[0].hidden) });
  const show = (all) => {
    same.forEach((row) => { row.hidden = !all; });
    if (button) button.textContent = all ? "only what differs" : `and ${same.length} that are the same`;
  };
  show(same.length === rows.length);
  return [el("h2", {}, "Configuration", button), el("div", { class: "card scroll" }, el("table", { class: "settings" },
    el("thead", {}, el("tr", {}, el("th", {}), runs.map((run) => el("th", {}, run.name)))), el("tbody", {}, rows)))];
}

// Model ----------------------------------------------------------------------------------------------

/** The table of model.txt, cut at the columns of its head; null if it has no such head. */
function modelRows(text) {
  const lines = text.split("\n").filter((line) => line.trim());
  const head = lines[0] ?? "";
  const words = [...head.matchAll(/\S+/g)].map((m) => ({ name: m[0], begin: m.index, end: m.index + m[0].length }));
  const at = Object.fromEntries(words.map((w) => [w.name, w]));
  if (words[0]?.name !== "name" || !at.parameters || words.at(-2)?.name !== "count" || words.at(-1)?.name !== "memory") return null;
  const left = words.slice(0, -2);
  return { head: words.map((w) => w.name), rows: lines.slice(1).map((line) => {
    const [, rest, count = "", memory = ""] = /^(.*?)(?: ([\d,]+) +([\d.]+ \w+))?\s*$/.exec(line);
    return [...left.map((w, i) => rest.slice(w.begin, left[i + 1]?.begin).trim()), count, memory];
  }) };
}

function modelTable(text) {
  const table = modelRows(text);
  if (!table) return el("pre", {}, text);
  const count = (row) => Number(row.at(-2).replaceAll(",", "")) || 0;
  const total = Math.max(1, ...table.rows.map(count));
  return el("div", { class: "scroll" }, el("table", { class: "model" },
    el("thead", {}, el("tr", {}, table.head.map((name, i) => el("th", { class: i >= table.head.length - 2 ? "number" : null }, name === "name" ? "part" : name)))),
    el("tbody", {}, table.rows.map((row) => {
      const isTotal = row.at(-3) === "total";
      return el("tr", { class: isTotal ? "total" : null }, row.map((cell, i) => {
        const fromEnd = row.length - i;
        if (fromEnd > 2) return el("td", { class: i === 0 ? "name" : i === 1 ? "" : "shape" }, cell);
        return el("td", { class: `number${fromEnd === 2 && count(row) && !isTotal ? " share" : ""}`, style: `--share: ${count(row) / total}` }, cell);
      }));
    }))));
}

function models() {
  const texts = new Map();
  for (const run of runs) if (run.model.trim()) texts.set(run.model, [...(texts.get(run.model) ?? []), run.name]);
  if (!texts.size) return null;
  const only = texts.size === 1;
  return [el("h2", {}, "Model"), [...texts].map(([text, names]) => only ? el("div", { class: "card" }, modelTable(text))
    : el("details", { class: "card" }, el("summary", {}, names.join(", ")), modelTable(text)))];
}

// Samples --------------------------------------------------------------------------------------------

function image(sample) {
  const { width, height, channels } = sample;
  const canvas = el("canvas", { width, height, role: "img", "aria-label": sample.caption });
  let bytes;
  try {
    bytes = Uint8Array.from(atob(sample.pixels), (c) => c.charCodeAt(0));
  } catch { bytes = new Uint8Array(0); }
  const pixels = new ImageData(width, height);
  for (let i = 0; i < width * height; ++i) {
    for (let c = 0; c < 3; ++c) pixels.data[4 * i + c] = bytes[i * channels + (channels < 3 ? 0 : c)] ?? 0;
    pixels.data[4 * i + 3] = channels === 2 || channels === 4 ? bytes[i * channels + channels - 1] : 255;
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return el("figure", {}, canvas, el("figcaption", {}, sample.caption));
}

function sampleCards(run) {
  const titles = [...new Set(run.samples.map((s) => s.title))];
  return el("div", { class: "samples" }, titles.map((name) => {
    const own = run.samples.filter((s) => s.title === name);
    const images = own.filter((s) => s.kind === "image");
    return el("div", { class: "card" }, el("h3", {}, name), own.filter((s) => s.kind === "text").map((s) => el("pre", { class: "text" }, s.text)),
      own.filter((s) => s.kind === "chart").map(chart), own.filter((s) => s.kind === "matrix").map(matrix), images.length > 0 && el("div", { class: "images" }, images.map(image)));
  }));
}

function samples() {
  const some = runs.filter((run) => run.samples.length);
  if (!some.length) return null;
  return [el("h2", {}, "Samples"), comparing ? some.map((run, i) => el("details", { open: i === 0 ? "" : null }, el("summary", {}, run.name), sampleCards(run))) : sampleCards(some[0])];
}

theme("auto");
const sections = [controls(), el("section", {}, curves()), configuration(), models(), histograms(), samples()].flat(3).filter(Boolean);
document.body.append(header(), el("main", {}, sections));
document.querySelectorAll(".charts").forEach(arrange);
draw();
charts.forEach((chart) => resize.observe(chart.plot));
