#!/usr/bin/env python3
"""Opens every page of the site in a headless Chromium: check.py SITE. No page may write to the console, use the network or fail
to load something, and all must have the menu and the search. build.py checks the links."""

import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent.parent / "tests/train/browser"))
from chromium import Chromium  # noqa: E402

WRONG = """(() => {
  const images = [...document.images].filter((image) => image.complete && !image.naturalWidth).map((image) => "no image " + image.src);
  const bare = document.querySelector("#side-nav, #MSearchBox") ? [] : ["there is no menu"];
  return [...images, ...bare, ...(document.querySelector("div.contents, div.header") ? [] : ["the page is empty"])];
})()"""


def main():
    site = pathlib.Path(sys.argv[1])
    pages = sorted(site.glob("*.html"))
    failures = 0
    with Chromium() as browser:
        browser.size(1440, 900)
        for page in pages:
            browser.open(page.resolve().as_uri())
            wrong = [*browser.problems, *browser.run(WRONG)]
            for problem in wrong:
                print(f"{page.name}: {problem}")
            failures += bool(wrong)
    if not pages:
        sys.exit("there is no page")
    print(f"{len(pages)} pages, {failures} with something wrong")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
