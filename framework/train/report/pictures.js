// Samples that are drawn from numbers: charts, matrices, histograms.

function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) if (value != null) element.setAttribute(name, value);
  element.append(...children.flat(3).filter((child) => child != null && child !== false));
  return element;
}

/** Round values from low to high, about `count` of them; of a logarithmic axis powers of ten. */
function roundValues(low, high, count, log) {
  const values = [];
  if (log) {
    const first = Math.ceil(Math.log10(low) - 1e-9), last = Math.floor(Math.log10(high) + 1e-9), every = Math.max(1, Math.ceil((last - first + 1) / count));
    for (let e = first; e <= last; e += every) values.push(10 ** e);
    return values;
  }
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough)), step = power * [1, 2, 5, 10].find((f) => f * power >= rough);
  for (let v = Math.ceil(low / step) * step; v <= high + step * 1e-9; v += step) values.push(Math.abs(v) < step * 1e-9 ? 0 : v);
  return values;
}

/** Curves over one axis of x, with marks: what a range test found. */
function drawChart(sample) {
  const width = 760, height = 280, left = 56, right = 14, top = 24, bottom = 42;
  const { log, values: xs } = sample.x, all = sample.series.flatMap((s) => s.values).filter(Number.isFinite);
  if (xs.length < 2 || !all.length) return el("p", { class: "hint" }, "nothing was measured");
  const at = (v) => (log ? Math.log10(v) : v), x0 = at(xs[0]), x1 = at(xs.at(-1)), low = Math.min(...all), high = Math.max(...all), span = high - low || 1;
  const x = (v) => +(left + (at(v) - x0) / (x1 - x0 || 1) * (width - left - right)).toFixed(1), y = (v) => +(height - bottom - (v - low) / span * (height - top - bottom)).toFixed(1);
  const down = roundValues(low, low + span, 4), across = roundValues(xs[0], xs.at(-1), 8, log), names = ticks(down, false);
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": sample.caption },
    down.map((v, i) => [svg("path", { class: "grid", d: `M${left} ${y(v)}H${width - right}` }), svg("text", { x: left - 6, y: y(v) + 4, "text-anchor": "end" }, names[i])]),
    across.map((v) => svg("text", { x: x(v), y: height - bottom + 18, "text-anchor": "middle" }, log ? v.toExponential(0).replace("e+", "e") : digits(v, 3))),
    svg("text", { x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle" }, sample.x.name),
    sample.marks.map((m) => [svg("path", { class: "mark", d: `M${x(m.x)} ${top}V${height - bottom}` }), svg("text", { class: "mark", x: x(m.x), y: top - 8, "text-anchor": "middle" }, m.label)]),
    sample.series.map((s) => svg("path", { class: s.faint ? "curve faint" : "curve", d: s.values.map((v, i) => (Number.isFinite(v) ? `${i && Number.isFinite(s.values[i - 1]) ? "L" : "M"}${x(xs[i])} ${y(v)}` : "")).join("") },
      svg("title", {}, s.name))));
}

function chart(sample) {
  return el("figure", { class: "chart" }, drawChart(sample), el("figcaption", {}, sample.caption));
}

/** Counts of guesses a label, darker where more of the label's examples are. */
function matrix(sample) {
  const share = (row, count) => count / Math.max(1, row.reduce((a, b) => a + b, 0));
  return el("div", { class: "scroll" }, el("table", { class: "matrix" },
    el("thead", {}, el("tr", {}, el("th", {}, "label \\ guess"), sample.names.map((name) => el("th", { class: "number" }, name)))),
    el("tbody", {}, sample.rows.map((row, i) => el("tr", {}, el("th", { scope: "row" }, sample.names[i]),
      row.map((count, j) => el("td", { class: i === j ? "number right" : "number", style: `--share: ${share(row, count).toFixed(3)}` }, count ? grouped(count) : "")))))));
}

/** A tensor's histograms over the steps: a column a step, a row a range of values. */
function heat({ name, snapshots }) {
  const rows = 40, wide = 6, low = Math.min(...snapshots.map((s) => s.low)), high = Math.max(...snapshots.map((s) => s.high)), span = high - low || 1;
  const canvas = el("canvas", { width: snapshots.length * wide, height: rows * 2, role: "img", "aria-label": name });
  const context = canvas.getContext("2d");
  context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--accent").trim() || "#1f6feb";
  snapshots.forEach((s, column) => {
    const cells = new Array(rows).fill(0), size = (s.high - s.low) / s.counts.length;
    s.counts.forEach((count, i) => {
      // A cell's count is spread over the rows that it covers.
      const first = (s.low + i * size - low) / span * rows, last = (s.low + (i + 1) * size - low) / span * rows;
      for (let r = Math.floor(first); r <= Math.min(rows - 1, Math.ceil(last)); ++r) {
        const covered = last > first ? Math.max(0, Math.min(last, r + 1) - Math.max(first, r)) / (last - first) : r === Math.min(rows - 1, Math.floor(first)) ? 1 : 0;
        cells[r] += count * covered;
      }
    });
    const most = Math.max(...cells, 1);
    cells.forEach((count, r) => {
      context.globalAlpha = Math.sqrt(count / most);
      context.fillRect(column * wide, (rows - 1 - r) * 2, wide, 2);
    });
  });
  const last = snapshots.at(-1);
  return el("figure", { class: "heat" }, canvas, el("figcaption", {}, `${name}: ${digits(last.low, 3)} to ${digits(last.high, 3)} at step ${grouped(last.step)}`));
}

function histograms() {
  const some = runs.filter((run) => run.histograms.length);
  if (!some.length) return null;
  const kinds = [...new Set(some[0].histograms.map((h) => h.kind))];
  return [el("h2", {}, comparing ? `Histograms of ${some[0].name}` : "Histograms"), kinds.map((kind) => el("details", { class: "card", open: kind === kinds[0] ? "" : null },
    el("summary", {}, `${kind}s, over the steps`), el("div", { class: "heats" }, some[0].histograms.filter((h) => h.kind === kind && h.snapshots.length).map(heat))))];
}
