#!/usr/bin/env python3
"""Every program has a man page with all options of its --help, without warnings of man: man.py FOLDER"""

import pathlib
import re
import shutil
import subprocess
import sys

pages = sorted(pathlib.Path(sys.argv[1]).glob("*.1"))
assert len(pages) > 10, f"{len(pages)} pages"
for page in pages:
    text = page.read_text().replace("\\-", "-").replace("\\:", "").replace("\\e", "\\")
    assert re.match(rf"\.TH {page.stem.upper()} 1 .*\n\.ad l\n\.SH NAME\n{page.stem} \\?- \w.*\w\n", text), f"{page}: {text[:200]}"
    options = re.findall(r"^  (?:-\w,)?(--[\w-]+)", page.with_suffix(".1.help").read_text(), re.MULTILINE)
    assert "--version" in options, f"{page}: of {options}"
    for option in options:
        # In bold, as a title of its own, with a text below it.
        found = re.search(rf"^\.TP\n\\fB(?:-\w, )?{option}\\fR( .*)?\n[^.\n].*$", text, re.MULTILINE)
        assert found, f"{page}: no {option} in\n{text}"
    if shutil.which("man"):
        shown = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(page)], check=True,
                               env={"LC_ALL": "C.UTF-8", "MANROFFSEQ": "", "MANWIDTH": "80", "PATH": "/usr/bin:/bin"},
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        assert not shown.stderr, f"{page}: {shown.stderr}"
print(f"{len(pages)} pages")
