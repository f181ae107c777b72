"""Formats results as tables, and writes them to the generated parts of bench/RESULTS.md."""

import json
import re

import plot
import scale


def table(head, rows):
    """A Markdown table with aligned columns, which is readable on a terminal too."""
    cells = [head] + [[str(c) for c in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = ["| " + " | ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))) + " |"
             for row in cells]
    lines.insert(1, "|" + "|".join("-" * (w + 1) + ("-" if i == 0 else ":") for i, w in enumerate(widths)) + "|")
    return "\n".join(lines)


def number(x):
    """About three significant digits."""
    return "" if x is None else f"{x:.0f}" if x >= 100 else f"{x:.1f}" if x >= 10 else f"{x:.3g}"


def duration(ms):
    return f"{number(ms)} ms" if ms >= 0.1 else f"{number(ms * 1e3)} us" if ms >= 1e-3 else f"{number(ms * 1e6)} ns"


def facts(data):
    return ", ".join(f"{k} {v}" for k, v in data.items())


def family(results):
    rates = sorted({k for r in results["rows"] for k in r["rates"]})
    rows = [[r["name"], duration(r["median_ms"]), duration(r["low_ms"]), duration(r["high_ms"]),
             *(number(r["rates"].get(k)) for k in rates)] for r in results["rows"]]
    parts = [table(["benchmark", "median", "lowest", "highest", *rates], rows)]
    if results["ratios"]:
        rows = [[r["text"], f"{r['ratio']:.2f}", number(r["at_least"])] for r in results["ratios"]]
        parts.append(table(["ratio of medians", "measured", "at least"], rows))
    return parts


def operations(results):
    """A row per operation with the times of Temper, oneDNN and LibTorch."""
    times = {}
    for r in results["rows"]:
        operation, side = r["name"].split("/")
        times.setdefault(operation, {})[side] = r["median_ms"]
    rows = []
    for operation, by_side in times.items():
        ours = by_side.get("temper")
        cells = [duration(ours) if ours else ""]
        for side in ("onednn", "torch"):
            other = by_side.get(side)
            cells += [duration(other) if other else "", f"{other / ours:.2f}" if other and ours else ""]
        rows.append([operation, *cells])
    return [table(["operation", "Temper", "oneDNN", "ratio", "LibTorch", "ratio"], rows)]


def comparison(results, limits):
    peak = {r["name"]: r["rates"] for r in limits["rows"]} if limits else {}
    def best(bf16):
        return max((r["GFLOP/s"] for name, r in peak.items() if name.startswith("fma") and ("bf16" in name) == bf16),
                   default=None)
    rows = []
    for r in results["rows"]:
        ours, theirs = r["temper"], r["torch"]
        fma = best(r["name"].endswith("-bf16"))
        rows.append([r["name"], duration(ours["median_ms"]), f"{number(ours['low_ms'])} to {number(ours['high_ms'])}",
                     duration(theirs["median_ms"]), f"{number(theirs['low_ms'])} to {number(theirs['high_ms'])}",
                     f"{r['ratio']:.2f}", number(r["at_least"]), number(r["gflops"]),
                     f"{100 * r['gflops'] / fma:.0f} %" if fma else "", number(ours["peak_mb"]),
                     number(theirs["peak_mb"]), r["torch_setting"]])
    head = ["one training step", "Temper", "(rounds, ms)", "LibTorch", "(rounds, ms)", "ratio", "at least", "GFLOP/s",
            "of FMA peak", "peak MB", "LibTorch MB", "LibTorch's setting"]
    return [table(head, rows), f"LibTorch: {facts(results['peer'])}; in f32 also beside our bf16, whose share is of the bf16 peak."]


def growth(results):
    """A row per size with the times of one thread and of two."""
    rows = []
    for axis, values in scale.ALONG.items():
        for value in values:
            found = [r for t in scale.THREADS for r in results["rows"] if (r["axis"], r["value"], r["threads"]) == (axis, value, t)]
            if len(found) == 2:
                one, two = found
                rows.append([f"{axis} {value}", duration(one["median_ms"]), duration(two["median_ms"]),
                             f"{one['median_ms'] / two['median_ms']:.2f}", number(two["gflops"]),
                             number(two["peak_mb"])])
    return ["![time of a step by batch, width, layers and context](scale-time.svg)",
            "![memory by batch, width, layers and context](scale-memory.svg)",
            table(["size", "1 thread", "2 threads", "ratio", "GFLOP/s", "peak MB"], rows)]


def overheads(results):
    rows = [[r["name"], *(duration(r[k]) for k in ("median_ms", "low_ms", "high_ms")),
             duration(r["at_most"]) if r["at_most"] else ""] for r in results["rows"]]
    return [table(["overhead", "median", "lowest", "highest", "at most"], rows)]


def any_length(results):
    rows = [["a step, lengths in random order", duration(results["any_order_ms"])],
            ["the same steps, a length at a time", duration(results["one_size_ms"])],
            ["ratio", f"{results['ratio']:.3f}"],
            ["at most", f"{results['at_most']:.2f}"],
            ["a step, each length for the first time", duration(results["first_ms"])],
            ["the pool holds, times what was in use at the peak", f"{results['pool_held'] / results['pool_peak']:.2f}"],
            ["its requests to the system after that", str(results["system_requests"])]]
    return [table(["lengths 1 to 512", ""], rows)]


def loaders(results):
    def rate(side, workers):
        return f"{side[workers] / 1e3:.1f}" if workers in side else ""
    rows = []
    for r in results["rows"]:
        # Numbers of workers are texts once they were kept as JSON.
        ours, theirs = ({int(w): v for w, v in r[side].items()} for side in ("temper", "torch"))
        rows.append([r["name"], *(rate(ours, w) for w in (0, 1, 2)), *(rate(theirs, w) for w in (0, 1, 2)),
                     f"{r['ratio']:.1f}" if r["ratio"] else "", number(r["at_least"])])
    head = ["1,000 examples a second", "Temper, 0 workers", "1", "2", "PyTorch, 0 workers", "1", "2", "ratio of the best", "at least"]
    return [table(head, rows), f"PyTorch: {results['torch']}, whose workers are processes; one thread each."]


def cliffs(results):
    """The worst size along each axis, and how many are beyond the bounds."""
    axes, rows = {}, []
    for r in results["rows"]:
        axes.setdefault(f"{r['operation']} by {r['axis']}", []).append(r)
    for name, points in axes.items():
        worst, slowest = max(points, key=lambda p: p["cliff"]), max(points, key=lambda p: p["threads"])
        rows.append([name, str(len(points)), f"{worst['cliff']:.2f} at {worst['value']}",
                     str(sum(p["cliff"] > results["at_most"] for p in points)),
                     f"{slowest['threads']:.2f} at {slowest['value']}",
                     str(sum(p["threads"] > results["slower"] for p in points))])
    return [table(["a step of", "sizes", "price beside its neighbours", f"above {results['at_most']:g}",
                   "all threads beside one", f"above {results['slower']:g}"], rows)]


BODIES = {"compare": comparison, "ops": lambda results, _: operations(results), "scale": lambda results, _: growth(results),
          "overheads": lambda results, _: overheads(results), "lengths": lambda results, _: any_length(results),
          "loader": lambda results, _: loaders(results), "cliffs": lambda results, _: cliffs(results)}


def parts(what, results, limits=None):
    body = BODIES.get(what, lambda results, _: family(results))(results, limits)
    return body + [f"Measured with {facts(results['machine'])}; load before: {results['load']:.2f}, meanwhile others had "
                   f"up to {100 * results['others']:.0f} % of the processors."]


def text(what, results):
    return "\n\n".join(parts(what, results))


def optimizer_growth(results):
    """The plot of the optimizer's step time over the number of parameters, a curve per number of tensors."""
    time, each = {}, {}
    for r in results["rows"]:
        if found := re.fullmatch(r"growth/parameters:(\d+)/tensors:(\d+)", r["name"]):
            parameters, name = int(found[1]), f"{int(found[2]):,} tensor{'s' if found[2] != '1' else ''}"
            time.setdefault(name, []).append((parameters, r["median_ms"]))
            each.setdefault(name, []).append((parameters, r["median_ms"] * 1e6 / parameters))
    panels = [("AdamW, time of a step", "parameters", "ms", time), ("for each parameter", "parameters", "ns", each)]
    return {"optim-growth.svg": plot.figure(panels)} if time else {}


def write(path, folder):
    """Writes the tables of all results between the marks in RESULTS.md, and leaves the text around them as it is."""
    kept = {what: json.loads((folder / f"{what}.json").read_text())
            for what in ("limits", "optim", "ops", "compare", "scale", "lengths", "cliffs", "loader", "overheads") if (folder / f"{what}.json").exists()}
    page = path.read_text()
    for what, results in kept.items():
        begin, end = f"<!-- {what}: written by bench.py -->", f"<!-- end of {what} -->"
        body = "\n\n".join(parts(what, results, kept.get("limits")))
        page = re.sub(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: f"{begin}\n\n{body}\n\n{end}", page,
                      flags=re.S)
    path.write_text(page)
    figures = scale.figure(kept["scale"]) if "scale" in kept else {}
    if "optim" in kept:
        figures |= optimizer_growth(kept["optim"])
    for name, figure in figures.items():
        (path.parent / name).write_text(figure)
