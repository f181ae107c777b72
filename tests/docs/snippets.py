#!/usr/bin/env python3
"""Compiles the C++ in Markdown files (syntax and types; nothing is linked or run).

usage: snippets.py --compiler g++ [--flag=-I...]... --work FOLDER [--cmake FOLDER] FILE.md...

A block marked ```cpp is compiled
  - as it is, if it is a whole program (it has a main);
  - else inside a function or, if it does not compile there (it defines functions or classes), at file scope; both after
    `#include <temper/temper.hpp>` and `using namespace temper;`. What it uses is declared in a comment, which readers do
    not see, right before the block:
        <!-- given: Tensor x; nn::Linear model(2, 3); -->

A block marked ```cpp nocompile must not compile. The comment <!-- error: TEXT --> before it has the text that the compiler's
message must contain (GCC's | Clang's if they differ). A block marked ```cmake must be part of a CMakeLists.txt below the
folder given with --cmake, which the tests build.
"""

import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import re
import subprocess
import sys

PRELUDE = "#include <temper/temper.hpp>\n#include <cstdint>\n#include <cstdio>\n#include <string>\n#include <vector>\n"
BLOCK = re.compile(
    r"(?:^<!--\s*given:(?P<given>.*?)-->\s*\n)?(?:^<!--\s*error:(?P<error>.*?)-->\s*\n)?^```(?P<mark>(?:cpp|c\+\+|cmake)\b[^\n]*)\n(?P<text>.*?)^```\s*$",
    re.MULTILINE | re.DOTALL,
)
INCLUDE = re.compile(r"^\s*#\s*include\b.*\n?", re.MULTILINE)


@dataclasses.dataclass
class Snippet:
    file: str
    line: int  # of the block's first line
    mark: str
    given: str
    error: str
    text: str

    def place(self):
        return f"{self.file}:{self.line}"


def snippets_of(file):
    document = pathlib.Path(file).read_text(encoding="utf-8")
    for match in BLOCK.finditer(document):
        line = document.count("\n", 0, match.start("text")) + 1
        yield Snippet(file, line, match["mark"].strip(), match["given"] or "", (match["error"] or "").strip(), match["text"])


def ways_to_compile(snippet):
    """The ways to compile the snippet, of which one must succeed."""
    here = f'#line {snippet.line} "{snippet.file}"\n'
    if re.search(r"\bint\s+main\s*\(", snippet.text):
        return [here + snippet.text]
    includes = "".join(INCLUDE.findall(snippet.text))
    body = here + INCLUDE.sub("\n", snippet.text)
    head = f"{includes}using namespace temper;\n"
    return [
        f"{head}void snippet() {{\n{snippet.given}\n{{\n{body}\n}}}}\n",
        f"{head}{snippet.given}\n{body}\n",
    ]


class Compiler:
    def __init__(self, command, flags, work):
        self.command = [command, "-std=c++20", *flags]
        self.work = pathlib.Path(work)
        self.work.mkdir(parents=True, exist_ok=True)
        # Compiled once: reading the headers takes longer than the snippets. GCC looks for the .gch beside the header.
        header = self.work / "prelude.hpp"
        header.write_text(PRELUDE)
        subprocess.run([*self.command, "-x", "c++-header", str(header), "-o", f"{header}.gch"], check=True)

    def errors(self, text, name, prelude):
        """The compiler's errors; empty if there are none."""
        source = self.work / f"{name}.cpp"
        source.write_text(text)
        include = ["-include", str(self.work / "prelude.hpp")] if prelude else []
        done = subprocess.run(
            [*self.command, *include, "-w", "-fsyntax-only", str(source)], capture_output=True, text=True, check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
        return "" if done.returncode == 0 else done.stderr or "the compiler failed"


def check(snippet, number, compiler, cmake_texts):
    """An error message for a snippet; empty if it is right."""
    words = snippet.mark.split()
    if words == ["cmake"]:
        if any(snippet.text in text for text in cmake_texts):
            return ""
        return "this CMake text stands in none of the projects that the tests build"
    if words[0] == "cmake" or words[1:] not in ([], ["nocompile"]):
        return f"unknown mark '{snippet.mark}': a block is cpp, cpp nocompile or cmake"

    texts = ways_to_compile(snippet)
    found = [compiler.errors(text, f"snippet{number}_{way}", len(texts) > 1) for way, text in enumerate(texts)]
    if words[1:] == ["nocompile"]:
        if not all(found):
            return "marked nocompile, but it compiles"
        said = re.findall(r"error: .*", "\n".join(found))
        if not any(text in line for text in snippet.error.split(" | ") for line in said):
            return f"does not compile, but nothing says \"{snippet.error}\":\n" + "\n".join(said)
        return ""
    if not all(found):
        return ""
    titles = ["inside a function:", "at file scope:"] if len(found) > 1 else [""]
    return "\n".join(f"{title}\n{errors}" for title, errors in zip(titles, found))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--compiler", required=True)
    parser.add_argument("--flag", action="append", default=[])
    parser.add_argument("--work", required=True)
    parser.add_argument("--cmake")
    parser.add_argument("files", nargs="*")
    options = parser.parse_args()

    cmake_files = pathlib.Path(options.cmake).rglob("CMakeLists.txt") if options.cmake else []
    cmake_texts = [file.read_text(encoding="utf-8") for file in cmake_files]
    snippets = [snippet for file in options.files for snippet in snippets_of(file)]
    compiler = Compiler(options.compiler, options.flag, options.work)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda item: check(item[1], item[0], compiler, cmake_texts), enumerate(snippets))
        for snippet, wrong in zip(snippets, results):
            if wrong:
                failed += 1
                print(f"{snippet.place()}: {wrong}\n")
    print(f"{len(snippets)} snippets in {len(options.files)} files, {failed} wrong")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
