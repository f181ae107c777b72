#!/usr/bin/env python3
"""Builds the documentation's site: build.py FOLDER

It has the pages of docs/, README, CONTRIBUTING, CHANGELOG and the models, and a reference of all public names, made from the
headers. Undocumented public names, broken links and warnings of doxygen are errors."""

import html.parser
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SITE = ROOT / "docs/site"

# In the order of the menu.
PAGES = """README.md docs/getting-started.md docs/tutorial-first-network.md docs/tutorial-your-data.md
  docs/tutorial-your-own.md docs/tutorial-fine-tuning.md docs/pytorch-names.md docs/libtorch.md docs/design.md docs/data.md docs/runs.md docs/distributed.md docs/search.md
  docs/warm-up.md docs/weight-decay.md docs/safetensors.md docs/onnx.md CONTRIBUTING.md CHANGELOG.md""".split()


def headers():
    """All public headers."""
    models = {re.search(r"models/(\w+)/", str(path))[1] for path in ROOT.glob("models/*/*.hpp")} - {"common", "study", "report"}
    for folder in ["framework", "optim", *(f"models/{name}" for name in sorted(models))]:
        for path in sorted((ROOT / folder).rglob("*.hpp")):
            if "kernels" not in path.parts and not path.stem.endswith("_internal"):
                yield path


def doxyfile(output):
    others = [str(path.relative_to(ROOT)) for path in sorted([*ROOT.glob("docs/*.md"), *ROOT.glob("models/*/README.md"), ROOT / "bench/RESULTS.md"])]
    pages = PAGES + [page for page in others if page not in PAGES]
    missing = [page for page in pages if not (ROOT / page).exists()]
    if missing:
        sys.exit(f"there is no {missing[0]}")
    version = re.findall(r"define TEMPER_VERSION_\w+ (\d+)", (ROOT / "framework/core/version.hpp").read_text())
    settings = {
        "PROJECT_NAME": "Temper",
        "PROJECT_NUMBER": ".".join(version),
        "PROJECT_BRIEF": '"Trains neural networks on the CPU, from C++20"',
        "INPUT": " ".join([*(f"{ROOT}/{page}" for page in pages), *(str(path.relative_to(ROOT)) for path in headers())]),
        "USE_MDFILE_AS_MAINPAGE": ROOT / "README.md",
        "FILTER_PATTERNS": f"*.hpp={SITE}/filter.py *.md={SITE}/filter.py",
        "STRIP_FROM_PATH": ROOT,
        "STRIP_FROM_INC_PATH": ROOT / "framework",
        "OUTPUT_DIRECTORY": output,
        "HTML_OUTPUT": ".",
        "HTML_EXTRA_STYLESHEET": SITE / "style.css",
        "LAYOUT_FILE": SITE / "layout.xml",
        "IMAGE_PATH": "docs bench",
        "EXCLUDE_SYMBOLS": "detail temper::detail temper::*::detail",
        "PREDEFINED": "DOXYGEN",
        "GENERATE_LATEX": "NO",
        "GENERATE_TREEVIEW": "YES",
        "SEARCHENGINE": "YES",
        "SHOW_FILES": "NO",
        "SHOW_USED_FILES": "NO",
        "VERBATIM_HEADERS": "NO",
        "HAVE_DOT": "NO",
        "CLASS_GRAPH": "NO",
        "EXTRACT_STATIC": "NO",
        "HIDE_FRIEND_COMPOUNDS": "YES",
        "HIDE_SCOPE_NAMES": "YES",
        "JAVADOC_AUTOBRIEF": "YES",
        "REPEAT_BRIEF": "NO",
        "SORT_MEMBER_DOCS": "NO",
        "BUILTIN_STL_SUPPORT": "YES",
        "MARKDOWN_SUPPORT": "YES",
        "TOC_INCLUDE_HEADINGS": "0",
        "AUTOLINK_SUPPORT": "YES",
        "QUIET": "YES",
        "WARN_IF_UNDOCUMENTED": "YES",
        "WARN_NO_PARAMDOC": "NO",
        "WARN_FORMAT": '"$file:$line: $text"',
    }
    return "".join(f"{name} = {value}\n" for name, value in settings.items())


class Links(html.parser.HTMLParser):
    """The targets and the anchors of a page."""

    def __init__(self, text):
        super().__init__()
        self.targets, self.anchors = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("href", "src") and value:
                self.targets.append(value)
            elif name == "id" or (tag == "a" and name == "name"):
                self.anchors.add(value)


def broken_links(folder):
    pages = {path.name: Links(path.read_text(encoding="utf-8", errors="replace")) for path in folder.glob("*.html")}
    for name, page in sorted(pages.items()):
        for target in page.targets:
            file, _, anchor = target.partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            file = file.partition("?")[0] or name
            if not (folder / file).exists():
                yield f"{name}: {target}: there is no such file"
            elif anchor and file in pages and anchor not in pages[file].anchors:
                yield f"{name}: {target}: there is no such place on the page"


def without_dead_anchors(folder):
    """Redirects links that doxygen makes to sections which it left out because they are empty to their page."""
    texts = {path: path.read_text(encoding="utf-8", errors="replace") for path in folder.glob("*.html")}
    anchors = {path.name: Links(text).anchors for path, text in texts.items()}
    for path, text in texts.items():
        # On our own pages these are the links to other pages, which filter.py lets doxygen alone make.
        file = r"[\w.-]+" if path.name.startswith("md_") or path.name == "index.html" else r"[\w.-]*"
        fixed = re.sub(rf'href="({file})#([\w-]+)"', lambda m: m[0] if m[2] in anchors.get(m[1] or path.name, {m[2]}) else f'href="{m[1] or path.name}"', text)
        if fixed != text:
            path.write_text(fixed, encoding="utf-8")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    output = pathlib.Path(sys.argv[1]).resolve()
    output.mkdir(parents=True, exist_ok=True)
    for old in output.glob("*.html"):
        old.unlink()
    done = subprocess.run(["doxygen", "-"], input=doxyfile(output), cwd=ROOT, capture_output=True, text=True, check=False)
    complaints = [line.removeprefix(f"{ROOT}/") for line in done.stderr.splitlines() if line.strip()]
    if done.returncode != 0 and not complaints:
        complaints = [f"doxygen ended with status {done.returncode}"]
    without_dead_anchors(output)
    complaints += broken_links(output)
    for complaint in complaints:
        print(complaint)
    if complaints:
        sys.exit(f"{len(complaints)} complaints")
    print(output / "index.html")


if __name__ == "__main__":
    main()
