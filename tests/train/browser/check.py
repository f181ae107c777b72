"""Looks at the report's pages in a headless Chromium: check.py TEMPER_REPORT [SCREENSHOTS]

Every page must load without a message on the console, a request or an error. Every chart must have points and draw them,
and the controls must work. SCREENSHOTS is a folder for screenshots."""

import pathlib
import subprocess
import sys
import tempfile

import runs
from chromium import Chromium

WIDTHS = [360, 768, 1440, 3840]

# For each chart: its quantity, its points, and the number of pixels in the colour of a curve (the grid is grey).
CHARTS = """charts.map(({quantity, u, plot}) => {
  const {width, height} = u.ctx.canvas;
  const copy = Object.assign(document.createElement("canvas"), {width, height}).getContext("2d", {willReadFrequently: true});
  copy.drawImage(u.ctx.canvas, 0, 0);
  const {data} = copy.getImageData(0, 0, width, height);
  let coloured = 0;
  for (let i = 0; i < data.length; i += 4) {
    coloured += data[i + 3] > 128 && Math.max(data[i], data[i + 1], data[i + 2]) - Math.min(data[i], data[i + 1], data[i + 2]) > 60;
  }
  return {quantity, points: Number(plot.dataset.points), coloured, min: u.scales.x.min, max: u.scales.x.max,
          width: plot.clientWidth, reads: plot.parentElement.querySelector(".reads").textContent,
          at: plot.parentElement.querySelector(".at").textContent};
})"""

failures = []


def expect(what, good, got=""):
    if not good:
        failures.append(f"{what}: {got}")
        print(f"FAILED {what}: {got}", file=sys.stderr)


def faults(browser, empty=False):
    """The problems of the page in its current state."""
    wrong = list(browser.problems)
    try:
        charts = browser.run(CHARTS)
    except RuntimeError as error:
        return wrong + [str(error)]
    if not charts and not empty:
        wrong.append("there are no charts")
    for chart in charts:
        if chart["points"] < 1:
            wrong.append(f"{chart['quantity']} has no points")
        if chart["coloured"] < 10:
            wrong.append(f"{chart['quantity']} shows no curve ({chart['coloured']} coloured pixels)")
    wide, inner = browser.run("[document.documentElement.scrollWidth, innerWidth]")
    if wide > inner:
        wrong.append(f"the page is {wide} wide in a window of {inner}")
    return wrong


def look(browser, page, name, empty=False, screenshots=None):
    for width in WIDTHS:
        for dark in (False, True):
            browser.size(width, 900)
            browser.dark(dark)
            browser.open(page.as_uri())
            expect(f"{name}, {width} wide, {'dark' if dark else 'light'}", not (wrong := faults(browser, empty)), wrong)
            if screenshots:
                browser.screenshot(screenshots / f"{page.parent.name}-{page.stem}-{width}-{'dark' if dark else 'light'}.png".replace("/", "%"))


def controls(browser, page):
    """Tests the controls on the page of a run that has all kinds of data."""
    browser.size(1440, 900)
    browser.dark(False)
    browser.open(page.as_uri())
    before = browser.run(CHARTS)
    expect("the charts of a run", {c["quantity"] for c in before} == {"loss", "accuracy", "lr", "grad_norm", "update_ratio", "throughput", "memory_mb"}, before)
    expect("one x axis", len({(c["min"], c["max"]) for c in before}) == 1, before)
    box = browser.run("(() => { const b = charts[0].u.over.getBoundingClientRect(); return [b.left, b.top, b.width, b.height]; })()")
    x, y = (lambda part: box[0] + box[2] * part), box[1] + box[3] / 2

    browser.mouse("mouseMoved", x(0.2), y)
    browser.mouse("mouseMoved", x(0.25), y)
    browser.settle()
    hovered = browser.run(CHARTS)
    expect("all charts read at one step", len({c["at"] for c in hovered}) == 1 and hovered[0]["at"].startswith("step "), hovered)
    expect("hovering shows the values there", all(a["reads"] != b["reads"] for a, b in zip(before, hovered) if a["quantity"] != "memory_mb"), hovered)
    browser.mouse("mouseMoved", 5, 5)
    browser.settle()
    expect("then the last values again", [c["reads"] for c in browser.run(CHARTS)] == [c["reads"] for c in before])

    browser.drag(x(0.4), x(0.6), y)
    zoomed = browser.run(CHARTS)
    length = (before[0]["max"] - before[0]["min"]) / 5
    expect("dragging zooms all charts", len({(c["min"], c["max"]) for c in zoomed}) == 1 and abs(zoomed[0]["max"] - zoomed[0]["min"] - length) < length / 10, zoomed)
    browser.run("document.getElementById('unzoom').click()")
    expect("and back", browser.run(CHARTS)[0]["max"] == before[0]["max"])

    for axis, end in (("epoch", 5), ("time", 49.25)):
        browser.run(f"document.querySelector('[data-choice={axis}]').click()")
        browser.settle()
        expect(f"against {axis}", not (wrong := faults(browser)) and abs(browser.run(CHARTS)[0]["max"] - end) < 0.5, wrong or browser.run(CHARTS))
    rough = browser.run(CHARTS)[0]["reads"]
    browser.run("(() => { const s = document.getElementById('smooth'); s.value = 0; s.dispatchEvent(new Event('input')); })()")
    browser.settle()
    expect("smoothing", browser.run(CHARTS)[0]["reads"] != rough and not faults(browser))
    browser.run("document.querySelectorAll('.log').forEach((button) => button.click())")
    browser.settle()
    expect("logarithmic", not (wrong := faults(browser)) and browser.run("charts[0].u.scales.y.distr") == 3, wrong)
    browser.run("document.querySelector('.read').click()")
    browser.settle()
    expect("a click on a name hides its curve", browser.run("[charts[0].u.series[1].show, charts[0].u.series[2].show]") == [False, True])

    ground = "getComputedStyle(document.documentElement).backgroundColor"
    light = browser.run(ground)
    browser.run("document.querySelector('[data-choice=dark]').click()")
    browser.settle()
    expect("dark", browser.run(ground) != light)
    expect("configuration", browser.run("document.querySelectorAll('.pairs div').length") == 16)
    expect("model table", browser.run("[...document.querySelectorAll('.model tr:nth-child(5) td')].map((td) => td.textContent)") ==
           ["3", "Conv2d(32, 64, kernel=3, padding=1)", "[128, 14, 14, 64]", "weight [64, 32, 3, 3], bias [64]", "18,496", "72.2 KiB"])
    bright = "[...document.querySelectorAll('.images canvas')].filter((c) => c.getContext('2d').getImageData(0, 0, 28, 28).data.some((v, i) => i % 4 < 3 && v > 200)).length"
    expect("misclassified images", browser.run(bright) == 24)
    expect("generated text", "king" in browser.run("document.querySelector('.text').textContent"))
    expect("the picture of a range test", browser.run("[...document.querySelectorAll('.chart svg')].map((s) => [s.querySelectorAll('path.curve').length, s.querySelector('text.mark').textContent])") == [[2, "--lr 0.002"]])
    expect("a confusion matrix", browser.run("[...document.querySelectorAll('.matrix tbody tr:nth-child(2) td')].map((td) => td.textContent)") == ["12", "1,288", "1"])
    browser.run("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    drawn = "[...document.querySelectorAll('.heat canvas')].map((c) => [c.width, c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v, i) => i % 4 === 3 && v > 200)])"
    histograms = browser.run(drawn)  # once: the browser complains of canvases that are read again
    expect("histograms", histograms == [[120, True]] * 4, histograms)
    expect("nothing was wrong meanwhile", not browser.problems, browser.problems)


def comparison(browser, page):
    browser.size(1440, 900)
    browser.open(page.as_uri())
    expect("three runs", browser.run("document.querySelectorAll('.runs tbody tr').length") == 3)
    expect("a curve each", browser.run("charts.find((c) => c.quantity === 'accuracy').curves.length") == 3)
    rows = "[...document.querySelectorAll('.settings tr.differs th')].map((th) => th.textContent)"
    expect("what differs", browser.run(rows) == ["epochs", "optimizer", "lr", "seed", "decay-to"], browser.run(rows))
    expect("what is the same is hidden", browser.run("[...document.querySelectorAll('.settings tr.same')].every((tr) => tr.hidden)"))
    browser.run("document.querySelector('.chip').click()")
    browser.settle()
    expect("a run can be hidden everywhere", browser.run("charts.every((c) => c.curves.every((v) => c.u.series[v.column].show === (v.index !== 0)))"))
    expect("and the others stay", not (wrong := faults(browser)), wrong)


def notices_of(browser, page):
    browser.open(page.as_uri())
    return browser.run("[...document.querySelectorAll('.notices li')].map((li) => li.textContent)")


def main():
    program = sys.argv[1]
    screenshots = pathlib.Path(sys.argv[2]).resolve() if len(sys.argv) > 2 else None
    if screenshots:
        screenshots.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, Chromium() as browser:
        root = pathlib.Path(temporary)
        folders = runs.make(root / "runs")
        out = root / "pages"
        out.mkdir()

        def report(name, *of):
            page = out / f"{name}.html"
            subprocess.run([program, *of, "-o", page], check=True, stdout=subprocess.DEVNULL)
            return page

        for i, folder in enumerate(folders):
            page = report(f"run{i}", folder)
            look(browser, page, folder.name, folder.name == "empty", screenshots)
            expect(f"{folder.name}: its name", browser.run("document.querySelector('h1').textContent") == folder.name)
            expect(f"{folder.name}: nothing of it became an element", browser.run("document.querySelectorAll('img, script, iframe').length") == 3)
        folder = root / "runs"
        controls(browser, report("controls", folder / "cnn"))
        compared = report("comparison", folder / "cnn", folder / "cnn-sgd", folder / "cnn-long")
        look(browser, compared, "comparison", screenshots=screenshots)
        comparison(browser, compared)
        look(browser, report("all", *folders), "all together")
        look(browser, report("none", folder / "empty", folder / "empty"), "two empty ones", empty=True)
        notices = notices_of(browser, report("killed", folder / "killed"))
        expect("notices", len(notices) == 3 and "1 line could not be read, the first is line 61" in notices[0] and
               notices[1].startswith("train/loss: not finite in 19 of ") and notices[1].endswith("step 710"), notices)

        # The checks must fail for a page with an error.
        good = compared.read_text(encoding="utf-8")
        for what, old, new in [("no curves", "\ndraw();", "\n"), ("a message", "\ndraw();", "\ndraw(); console.warn('so');"),
                               ("an error", "\ndraw();", "\ndraw(); setTimeout(() => { throw new Error('late'); });"),
                               ("a request", "<body>", "<body><img src='https://example.org/x.png'>"),
                               ("too wide", "<body>", "<body><p style='width: 200vw'>x</p>")]:
            assert good.count(old) == 1, old
            page = out / "broken.html"
            page.write_text(good.replace(old, new), encoding="utf-8")
            browser.open(page.as_uri())
            expect(f"a page with {what} must be noticed", faults(browser))
    print(f"{len(failures)} failures" if failures else "the report's pages are as they should be")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
