#!/usr/bin/env python3
"""Plants bugs in a copy of the sources: plant.py BUGS.txt SOURCE [COPY]

BUGS.txt lists the bugs, each with one or more places:

    12 name: what goes wrong
    path/of/a/file.cpp
    - the lines without the bug
    + the lines with the bug, in which BUG is true if it is enabled

The lines of a place must occur in the file exactly once; indentation does not matter. All bugs are planted at once, and the
environment variable TEMPER_BUG=12 enables one for a program. Without COPY, only checks that the places of all bugs are found.
Files that have not changed are not written again, so that rebuilding the copy is quick."""

import pathlib
import re
import subprocess
import sys

SWITCH = """#pragma once

#include <cstdlib>

namespace temper {

// Internal linkage: objects of different instruction sets must not share symbols.
static const int planted_bug = std::getenv("TEMPER_BUG") ? std::atoi(std::getenv("TEMPER_BUG")) : 0;

}  // namespace temper
"""


def bugs_of(text):
    """(number, name, file, old lines, new lines) of every place. Exits if the list is invalid."""
    number = name = file = None
    places, numbers = [], set()
    for line_number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if match := re.fullmatch(r"(\d+) (\w+): .+", line):
            number, name, file = int(match[1]), match[2], None
            if number in numbers:
                sys.exit(f"line {line_number}: there are two bugs {number}")
            numbers.add(number)
        elif line[0] == "-" and file:
            if not places or places[-1][2] != file or places[-1][4] or places[-1][0] != number:
                places.append((number, name, file, [], []))
            places[-1][3].append(line[1:].strip())
        elif line[0] == "+" and file and places:
            places[-1][4].append(line[1:].strip())
        elif number and re.fullmatch(r"[\w./-]+", line):
            file = line
        else:
            sys.exit(f"line {line_number}: expected a bug, a file, - or +: {line}")
    return places


def planted(text, place, faults):
    """The file with the bug added. Adds to `faults` if its lines do not occur exactly once."""
    number, name, file, old, new = place
    lines = text.split("\n")
    found = [i for i in range(len(lines)) if [line.strip() for line in lines[i : i + len(old)]] == old]
    if len(found) != 1 or not new:
        faults.append(f"bug {number}, {name}: {len(found)} places in {file}, expected 1, for: {' / '.join(old)}")
        return text
    switched = [line.replace("BUG", f"(temper::planted_bug == {number})") for line in new]
    return "\n".join(lines[: found[0]] + switched + lines[found[0] + len(old) :])


def write(path, content):
    if not path.exists() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def main():
    listing, source = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    places = bugs_of(listing.read_text(encoding="utf-8"))
    texts, faults = {}, []
    for place in places:
        file = place[2]
        if file not in texts:
            path = source / file
            texts[file] = path.read_text(encoding="utf-8") if path.exists() else ""
        texts[file] = planted(texts[file], place, faults)
    if faults:
        sys.exit("\n".join(faults))
    if len(sys.argv) < 4:
        print(f"{len({place[0] for place in places})} bugs find their {len(places)} places")
        return

    copy = pathlib.Path(sys.argv[3])
    listed = subprocess.run(["git", "-C", source, "ls-files", "-co", "--exclude-standard", "-z"], capture_output=True, check=True)
    for file in listed.stdout.decode().split("\0"):
        if not file or not (source / file).is_file():
            continue
        content = (source / file).read_bytes()
        if file in texts:
            head = '#include "tests/mutation/planted_bug.hpp"\n' if not file.endswith(".hpp") else ""
            text = texts[file]
            if not head:
                text = text.replace("#pragma once\n", '#pragma once\n\n#include "tests/mutation/planted_bug.hpp"\n', 1)
            content = (head + text).encode()
        write(copy / file, content)
    write(copy / "tests/mutation/planted_bug.hpp", SWITCH.encode())


if __name__ == "__main__":
    main()
