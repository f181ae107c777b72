// Samples that are drawn from numbers: charts, matrices, histograms.

function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) if (value != null) element.setAttribute(name, value);
  element.append(...children.flat().filter((child) => child != null && child !== false));
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
