"""Lines over linear or logarithmic axes as an SVG picture. It carries its own background and colours, for light pages and
for dark ones. Needs Python 3 alone."""

import math
from html import escape

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 84, 24, 44, 56
LEGEND_ROW = 20

# Apart from each other for colour-blind eyes too; each line has a mark of its own besides.
LIGHT = ["#0060c0", "#c04000", "#007a4d", "#8a3fa8", "#8a6a00", "#5a6068"]
DARK = ["#6cb0ff", "#ff9a5c", "#4fcf9a", "#d59af0", "#e0c050", "#b0b8c0"]
MARKS = ["M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z", "M-3.5 -3.5h7v7h-7z", "M0 -4.8l4.6 8h-9.2z", "M0 -5l5 5l-5 5l-5 -5z",
         "M0 4.8l4.6 -8h-9.2z", "M-5 -1.5h10v3h-10z"]


def lines(series, title, x_label, y_label, x_log=True, y_log=True, x_text=None, y_text=None):
    """The picture of `series`, a list of (label, [(x, y), ...]); a y that is None leaves a gap.

    `x_text` and `y_text` write the number at a tick. Values on a logarithmic axis must be above 0.
    """
    if not any(y is not None for _, points in series for _, y in points):
        raise ValueError("plot: there is nothing to draw")
    if len(series) > len(MARKS):
        raise ValueError(f"plot: {len(series)} lines, at most {len(MARKS)} can be told apart")
    x_axis = Axis([x for _, points in series for x, y in points if y is not None], x_log, LEFT, WIDTH - RIGHT)
    y_axis = Axis([y for _, points in series for _, y in points if y is not None], y_log, HEIGHT - BOTTOM, TOP)
    height = HEIGHT + LEGEND_ROW * ((len(series) + 1) // 2)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
             f'font-family="sans-serif" font-size="12" role="img" aria-label="{escape(title)}">', style(len(series)),
             '<rect class="page" width="100%" height="100%"/>',
             f'<text x="{LEFT}" y="24" font-size="15" font-weight="bold">{escape(title)}</text>']
    for value, strong in x_axis.ticks():
        at = f"{x_axis(value):.1f}"
        parts.append(f'<path class="{"grid" if strong else "faint"}" d="M{at} {TOP}V{HEIGHT - BOTTOM}"/>')
        if strong:
            parts.append(f'<text x="{at}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">'
                         f'{escape((x_text or plain)(value))}</text>')
    for value, strong in y_axis.ticks():
        at = y_axis(value)
        parts.append(f'<path class="{"grid" if strong else "faint"}" d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}"/>')
        if strong:
            parts.append(f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">'
                         f'{escape((y_text or plain)(value))}</text>')
    parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 16}" text-anchor="middle">{escape(x_label)}</text>')
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(f'<text transform="translate(18 {middle}) rotate(-90)" text-anchor="middle">{escape(y_label)}</text>')
    for i, (label, points) in enumerate(series):
        path, pen = [], "M"
        for x, y in points:
            if y is None:
                pen = "M"
                continue
            path.append(f"{pen}{x_axis(x):.1f} {y_axis(y):.1f}")
            pen = "L"
        parts.append(f'<path class="line c{i}" d="{"".join(path)}"/>')
        parts += [mark(i, x_axis(x), y_axis(y), f"{label}: {(x_text or plain)(x)}, {(y_text or plain)(y)}")
                  for x, y in points if y is not None]
        x, y = LEFT + (i % 2) * (WIDTH - LEFT - RIGHT) / 2, HEIGHT + LEGEND_ROW * (i // 2) + 4
        parts += [f'<path class="line c{i}" d="M{x:.0f} {y - 4}h28"/>', mark(i, x + 14, y - 4, label),
                  f'<text x="{x + 36:.0f}" y="{y}">{escape(label)}</text>']
    return "\n".join(parts) + "\n</svg>\n"


def style(count):
    def rules(page, ink, grid, faint, colours):
        return (f".page{{fill:{page}}}text{{fill:{ink}}}.grid{{stroke:{grid}}}.faint{{stroke:{faint}}}" +
                "".join(f".c{i}{{stroke:{colours[i]}}}.m{i}{{fill:{colours[i]}}}" for i in range(count)))
    return (f"<style>{rules('#ffffff', '#24292f', '#d0d7de', '#eef1f4', LIGHT)}.line{{fill:none;stroke-width:2}}"
            f"@media(prefers-color-scheme:dark){{{rules('#0d1117', '#d8dee6', '#3a424c', '#1c222a', DARK)}}}</style>")


def mark(i, x, y, text):
    return f'<path class="m{i}" transform="translate({x:.1f} {y:.1f})" d="{MARKS[i]}"><title>{escape(text)}</title></path>'


class Axis:
    """Maps values to pixels from `begin` to `end`, and knows where its ticks stand."""

    def __init__(self, values, log, begin, end):
        self.log, self.begin, self.end = log, begin, end
        low, high = min(values), max(values)
        if log:
            if low <= 0:
                raise ValueError(f"plot: {low} on a logarithmic axis")
            # Whole decades, but for a part of one that would stay empty.
            self.low, self.high = self._down(low), self._up(high)
            if self.low == self.high:
                self.low, self.high = self.low / 10, self.high * 10
        else:
            self.step = self._step(min(low, 0.0), high)
            self.low = math.floor(min(low, 0.0) / self.step) * self.step
            self.high = max(math.ceil(high / self.step) * self.step, self.low + self.step)

    def __call__(self, value):
        share = (math.log(value / self.low) / math.log(self.high / self.low) if self.log
                 else (value - self.low) / (self.high - self.low))
        return self.begin + share * (self.end - self.begin)

    def ticks(self):
        """(value, whether it gets a number)."""
        if not self.log:
            count = round((self.high - self.low) / self.step)
            return [(self.low + i * self.step, True) for i in range(count + 1)]
        first, last = math.floor(math.log10(self.low) + 1e-9), math.ceil(math.log10(self.high) - 1e-9)
        few = last - first <= 2  # numbers between the powers of ten as well
        return [(value, factor == 1 or few and factor in (2, 5)) for power in range(first, last + 1)
                for factor in range(1, 10)
                if self.low * (1 - 1e-9) <= (value := factor * 10.0 ** power) <= self.high * (1 + 1e-9)]

    @staticmethod
    def _down(value):
        power = 10.0 ** math.floor(math.log10(value) + 1e-9)
        return max(f for f in (1, 2, 5) if f * power <= value * (1 + 1e-9)) * power

    @staticmethod
    def _up(value):
        power = 10.0 ** math.floor(math.log10(value) + 1e-9)
        return min(f for f in (1, 2, 5, 10) if f * power >= value * (1 - 1e-9)) * power

    @staticmethod
    def _step(low, high):
        rough = (high - low) / 6 or 1.0
        power = 10.0 ** math.floor(math.log10(rough))
        return min(f for f in (1, 2, 2.5, 5, 10) if f * power >= rough * (1 - 1e-9)) * power


def plain(x):
    return f"{x:.4g}"


def count(x):
    """A number of things: 1,000 as 1 k, 1,000,000 as 1 M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if x >= size:
            return f"{x / size:.4g} {letter}"
    return plain(x)


def duration(ms):
    return (f"{ms * 1e6:.4g} ns" if ms < 1e-3 * (1 - 1e-9) else f"{ms * 1e3:.4g} us" if ms < 1 - 1e-9
            else f"{ms:.4g} ms" if ms < 1000 * (1 - 1e-9) else f"{ms / 1e3:.4g} s")
