#!/usr/bin/env python3
"""check.py --program LINES: the tokenizers of golden/, each on the first 2,000 lines of corpus.py. What comes out must have the
hash that record.py wrote for what Hugging Face's `tokenizers` makes of them; of the first lines all of it is known. The
vocabulary of `bert` is read once more as a vocab.txt."""

import argparse
import base64
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import corpus  # noqa: E402
import oracle  # noqa: E402

GOLDEN = pathlib.Path(__file__).parent / "golden"
LINES = 2000


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True, help="what lines.cpp was compiled to")
    program = parser.parse_args().program
    expected = json.loads((GOLDEN / "hashes.json").read_text())
    lines = corpus.lines()[:LINES]
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        texts, out, vocabulary = (pathlib.Path(folder) / name for name in ("lines", "out", "vocab.txt"))
        corpus.write(texts, lines)
        tokens = json.loads((GOLDEN / "bert.json").read_text())["model"]["vocab"]
        vocabulary.write_text("".join(token + "\n" for token in sorted(tokens, key=tokens.get)), encoding="utf-8")
        files = [(name, GOLDEN / f"{name}.json", golden) for name, golden in expected.items()]
        files.append(("bert of a vocab.txt", vocabulary, expected["bert"]))
        for name, path, golden in files:
            run = subprocess.run([program, path, texts, out], capture_output=True, text=True)
            data = out.read_bytes() if run.returncode == 0 else b""
            if run.returncode == 0 and hashlib.sha256(data).hexdigest() == golden["sha256"]:
                print(f"{name}: {len(lines)} lines are equal")
                continue
            failed += 1
            print(f"{name}: differs {run.stderr.strip()}")
            first = oracle.split(zlib.decompress(base64.b64decode(golden["first"])))
            for i, (got, want) in enumerate(zip(oracle.split(data), first)):
                if got != want:
                    print(f"  line {i}: {lines[i]!r}\n    {got}\n    expected {want}")
                    break
    print(f"{len(files) - failed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
