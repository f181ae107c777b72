#!/usr/bin/env python3
"""Prints a header or a page for doxygen. In headers, it expands the project's conventions for comments:

- A comment `/// ...` documents all declarations that follow it without an empty line or another comment between.
- A comment `// ...` before an empty line is the heading of a section: it documents all declarations up to the next heading
  that have no comment of their own.
- Members with the same meaning in many classes are documented by names.txt, option structs and constructors by their class.
- `Throws:` and `Source:` are paragraphs of their own.
- Blocks indented by four within a comment are code.
"""

import pathlib
import re
import sys

SCOPE = re.compile(r"^\s*(class|struct|enum|union|namespace|extern)\b|^\s*(public|private|protected):|^\s*(friend|using namespace)\b")


def declarations(lines):
    """Pairs (first, last) of the lines of each declaration. The opening line of a scope is a declaration of its own."""
    depth, first, found = 0, None, []
    for number, line in enumerate(lines):
        code = re.sub(r'"(\\.|[^"\\])*"', '""', re.sub(r"//.*", "", line)).strip()
        if not code or code.startswith("#"):
            continue
        if first is None:
            first, depth = number, 0
        depth += code.count("(") + code.count("{") + code.count("[") - code.count(")") - code.count("}") - code.count("]")
        opens_scope = SCOPE.match(lines[first]) or (lines[first].strip().startswith("template") and any(
            re.match(r"\s*(class|struct)\b|.*>\s*(class|struct)\s", text) for text in lines[first : number + 1]))
        if opens_scope and (code.endswith("{") or code.endswith(":")):
            found.append((first, number))
            first = None
        elif depth <= 0 and (code[-1] in ";}" or code.endswith(":") or code.startswith("}")):
            found.append((first, number))
            first = None
    return found


def glossary():
    """The texts of names.txt by member or Class::member."""
    known = {}
    for line in (pathlib.Path(__file__).parent / "names.txt").read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, text = re.fullmatch(r"(.+?)(: )(.+)", line).groups()
            known[name] = text
    return known


KNOWN = glossary()
DOCS = pathlib.Path(__file__).resolve().parent.parent


def said_elsewhere(declaration, scope):
    """The text for a declaration without a comment, by its name and class; None if there is none."""
    text = re.sub(r"\s+", " ", declaration).strip()
    if match := re.match(r"(?:struct|class) (\w+?)Options\b", text):
        return f"Options of {match[1]}."
    if match := re.match(r"(?:struct|class) (\w+)", text):
        return KNOWN.get(f"{scope}::{match[1]}") or KNOWN.get(match[1])
    if not scope or SCOPE.match(text) and not text.startswith("enum"):
        return None
    text = re.sub(r"^template (<([^<>]|<[^<>]*>)*>)( requires .*?(?= \w+\())?", "", text).strip()
    if re.match(rf"(explicit |constexpr )*{scope}\(", text):
        return "Constructs the object; see the class for its arguments."
    if match := re.search(r"operator const Tensor ?&|operator \w+|operator(\(\)|\[\]|->|\+\+|=|\*)(?=\()", text):
        name = match[0].replace("Tensor&", "Tensor &")
    elif match := re.search(r"~?(\w+)\s*(?:\(|=|\{|;)", re.sub(r"<[^<>]*(<[^<>]*>[^<>]*)*>", "", text)):
        name = match[1]
    else:
        return None
    return KNOWN.get(f"{scope}::{name}") or KNOWN.get(name)


def is_doc(line):
    return re.match(r"^\s*///(?!<)", line) is not None


def one_each(lines):
    """`Parameter weight, bias;` as two lines."""
    several = re.compile(r"^(\s+)([\w:]+(?:<[\w:, ]*>)?) (\w+(?:\{\}| = [^,;()]+)?(?:,\s+\w+(?:\{\}| = [^,;()]+)?)+);(.*)$")
    lines = list(lines)
    for number, line in enumerate(lines):
        if re.match(r"^\s+[\w:]+ \w+ = \w+,$", line) and number + 1 < len(lines):  # continued on the next line
            lines[number + 1] = line.rstrip("\n") + " " + lines[number + 1].lstrip()
            continue
        match = several.match(line.rstrip("\n"))
        if match and match[2] not in ("return", "using"):
            for name in re.split(r",\s+", match[3]):
                yield f"{match[1]}{match[2]} {name};{match[4]}\n"
        else:
            yield line


def spelled_out(lines):
    """The lines with each comment repeated before every declaration that it documents."""
    starts, ends = {}, {}
    for first, last in declarations(lines):
        starts[first] = last
        ends[last] = first
    out, doc, section, scopes, number = [], [], [], [], 0
    while number < len(lines):
        line = lines[number]
        if is_doc(line):
            doc = []
            while number < len(lines) and is_doc(lines[number]):
                doc.append(lines[number].rstrip("\n"))
                number += 1
            continue
        if re.match(r"^\s*//(?!/)", line) and (number == 0 or not lines[number - 1].strip() or lines[number - 1].strip() in ("public:", "{")):
            block = []
            while number < len(lines) and re.match(r"^\s*//(?!/)", lines[number]):
                block.append(re.sub(r"^(\s*)//", r"\1///", lines[number]).rstrip("\n"))
                number += 1
            doc = []
            if number < len(lines) and not lines[number].strip():
                section = block
            continue
        if not line.strip():
            doc = []
            out.append("")
            number += 1
            continue
        if number in starts:
            last = starts[number]
            text = [lines[i].rstrip("\n") for i in range(number, last + 1)]
            closes = text[0].strip().startswith("}")
            if closes or sum(part.count("{") - part.count("}") for part in text) < 0:  # the latter: the values of an enum
                doc, section = [], []
                if scopes:
                    scopes.pop()
            trailing = any("///<" in part for part in text)
            inner = text[0].strip().rstrip() in ("public:", "private:", "protected:")
            if inner:
                doc = []
            elif not closes and not trailing:
                plain = re.match(r"^\s*(namespace|template <>|extern)\b", text[0])
                declaration = " ".join(re.sub(r"//.*", "", part) for part in text)
                said = said_elsewhere(declaration, scopes[-1] if scopes else None)
                out.extend(doc or ([] if plain else section) or ([f"/// {said}"] if said else []))
            out.extend(text)
            if text[-1].rstrip().endswith("{") and not closes:
                opened = re.search(r"\b(?:class|struct) (\w+)(?: final)?(?: : [^;()]*)? \{$", " ".join(text).rstrip())
                scopes.append(opened[1] if opened else None)
                doc = []
                if not re.match(r"^\s*namespace\b", text[0]):
                    section = []
            number = last + 1
            continue
        out.append(line.rstrip("\n"))
        number += 1
    return out


def marked_up(line):
    """Makes `Throws:` and `Source:` paragraphs, and file names links."""
    match = re.match(r"^(\s*///)(.*)$", line)
    if not match:
        return line
    return match[1] + re.sub(
        r"(^| )(Throws(?: also)?|Source(?: of [a-z ]+)?):", lambda m: f"\n{match[1]} @par {m[2]}\n{match[1]} ", match[2]
    )


def label(stem):
    """The label of docs/STEM.md."""
    return "md_" + stem.replace("-", "_")


def page(path, text):
    """Markdown for doxygen: without the comments that declare what a snippet uses, and with one-word marks of C++ blocks."""
    # Pages of docs/ get labels, because what doxygen makes of a file's name depends on its version.
    if path.parent.name == "docs":
        text = re.sub(r"\A(# .*)", rf"\1 {{#{label(path.stem)}}}", text)
    # The site does not contain the sources, so links to them become text.
    text = re.sub(r"\[([^\]]+)\]\((?!https?:|#)[^)\s]*?(?:/|\.(?:hpp|cpp|sh|py|txt))\)", r"\1", text)
    text = re.sub(r"(\]\([\w./-]+\.md)#[\w-]+\)", r"\1)", text)  # doxygen cannot link to sections of other pages
    text = re.sub(r"\]\([\w./-]*?([\w-]+)\.md\)", lambda m: f"](@ref {label(m[1])})" if (DOCS / f"{m[1]}.md").exists() else m[0], text)
    text = re.sub(r"^<!--\s*(given|error):.*?-->\s*\n", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"^```(\w+)[^\n]*$", r"```{.\1}", text, flags=re.MULTILINE)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        lines = file.readlines()
    if sys.argv[1].endswith(".md"):
        print(page(pathlib.Path(sys.argv[1]), "".join(lines)), end="")
        return
    print("\n".join(marked_up(line) for line in spelled_out(list(one_each(lines)))))


if __name__ == "__main__":
    main()
