#!/usr/bin/env python3
"""Records golden/ for check.py: small tokenizers trained by Hugging Face's `tokenizers` (0.23.3), and what it makes of the
first lines of corpus.py. Needs tokenizers, sentencepiece and protobuf of PyPI.
Trains anew, and not all come out as before: files and hashes are to be committed together."""

import base64
import hashlib
import itertools
import json
import pathlib
import zlib

from tokenizers import Tokenizer

import corpus
import oracle
import vocabularies

GOLDEN = pathlib.Path(__file__).parent / "golden"
LINES = 2000  # compare.py takes all 10,000, of real vocabularies
FIRST = 8  # lines that are kept whole

if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    lines = corpus.lines()[:LINES]
    hashes = {}
    for name, tokenizer in vocabularies.trained(corpus.lines()):
        text = tokenizer.to_str()
        (GOLDEN / f"{name}.json").write_text(text + "\n")
        # Of the file read back: one that was just trained tokenizes a few lines otherwise (0.23.3, `albert`).
        records = list(oracle.results(Tokenizer.from_str(text), lines))
        hashes[name] = {"sha256": hashlib.sha256(b"".join(records)).hexdigest(),
                        "first": base64.b64encode(zlib.compress(b"".join(itertools.islice(records, FIRST)), 9)).decode()}
    (GOLDEN / "hashes.json").write_text(json.dumps(hashes, indent=1) + "\n")
