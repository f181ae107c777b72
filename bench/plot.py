"""Draws measurements as SVG: panels side by side, both axes logarithmic, for light and dark pages."""

import html
import math

WIDTH, HEIGHT = 400, 280
LEFT, RIGHT, TOP, BOTTOM = 56, 14, 34, 44
COLORS = ["#2f6fb7", "#c2571a", "#2b8a57", "#8a4fb0", "#b03a5b", "#7a6a1e"]
STYLE = """text { font: 12px system-ui, sans-serif; fill: #24292f } .title { font-weight: 600 } .grid { stroke: #d0d7de }
@media (prefers-color-scheme: dark) { text { fill: #c9d1d9 } .grid { stroke: #30363d } }"""


def label(x):
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if x >= size:
            return f"{x / size:g}{unit}"
    return f"{x:g}"


def ticks(low, high):
    """The powers of ten in [low, high]; if these are fewer than three, also their multiples by 3, or by 2 and 5."""
    for digits in ((1,), (1, 3), (1, 2, 5)):
        found = [d * 10.0**e for e in range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
                 for d in digits if low * 0.999 <= d * 10.0**e <= high * 1.001]
        if len(found) >= 3:
            break
    return found


def panel(title, x_label, y_label, series, left):
    """One pair of axes as SVG elements. `series` is {name: [(x, y), ...]}, all positive."""
    xs = [x for points in series.values() for x, _ in points]
    ys = [y for points in series.values() for _, y in points]
    x0, x1, y0, y1 = min(xs), max(xs), min(ys) / 1.15, max(ys) * 1.15
    across = lambda x: left + LEFT + (WIDTH - LEFT - RIGHT) * math.log(x / x0) / (math.log(x1 / x0) or 1)  # noqa: E731
    up = lambda y: HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * math.log(y / y0) / math.log(y1 / y0)  # noqa: E731
    edge = left + WIDTH - RIGHT
    out = [f'<text class="title" x="{left + LEFT}" y="16">{html.escape(title)}</text>',
           f'<text x="{(left + LEFT + edge) / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle">{html.escape(x_label)}</text>',
           f'<text x="{left + LEFT}" y="{TOP - 4}" font-size="11">{html.escape(y_label)}</text>']
    for y in ticks(y0, y1):
        out.append(f'<path class="grid" d="M{left + LEFT} {up(y):.1f}H{edge}"/>')
        out.append(f'<text x="{left + LEFT - 6}" y="{up(y) + 4:.1f}" text-anchor="end">{label(y)}</text>')
    marks = sorted(set(xs))
    for x in marks if len(marks) <= 7 else ticks(x0, x1):
        out.append(f'<text x="{across(x):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{label(x)}</text>')
    for number, (name, points) in enumerate(series.items()):
        color, at = COLORS[number % len(COLORS)], [(across(x), up(y)) for x, y in sorted(points)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
        out.append(f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2"/>')
        out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>' for x, y in at]
        if name:
            row = TOP + 14 + 15 * number
            out.append(f'<path d="M{left + LEFT + 8} {row - 4}h16" stroke="{color}" stroke-width="2"/>')
            out.append(f'<text x="{left + LEFT + 28}" y="{row}">{html.escape(name)}</text>')
    return out


def figure(panels):
    """An SVG of panels (title, x label, y label, {name: points}) in one row."""
    body = [line for i, p in enumerate(panels) for line in panel(*p, left=i * WIDTH)]
    size = f'width="{WIDTH * len(panels)}" height="{HEIGHT}" viewBox="0 0 {WIDTH * len(panels)} {HEIGHT}"'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size}>', f"<style>{STYLE}</style>", *body, "</svg>", ""])
