"""What Hugging Face's `tokenizers` makes of the lines of corpus.py, in the format of lines.cpp."""

import struct


def numbers(ids):
    return struct.pack(f"<{len(ids) + 1}I", len(ids), *ids)


def text(string):
    data = string.encode()
    return struct.pack("<I", len(data)) + data


def results(tokenizer, lines):
    """The record of each line: ids, their text, and with special tokens ids, types and text; every eighth as a pair."""
    tokenizer.no_truncation()
    tokenizer.no_padding()
    before = ""
    for i, data in enumerate(lines):
        line = data.decode(errors="replace")
        alone = tokenizer.encode(line, add_special_tokens=False).ids
        whole = tokenizer.encode(line, before) if i % 8 == 7 else tokenizer.encode(line)
        yield (numbers(alone) + text(tokenizer.decode(alone)) + numbers(whole.ids) + numbers(whole.type_ids)
               + text(tokenizer.decode(whole.ids, skip_special_tokens=False)))
        before = line


def split(data):
    """The records again, each as (ids, text, ids, types, text)."""
    place = 0
    while place < len(data):
        record = []
        for kind in "itiit":
            (size,) = struct.unpack_from("<I", data, place)
            place += 4
            if kind == "i":
                record.append(struct.unpack_from(f"<{size}I", data, place))
                place += 4 * size
            else:
                record.append(data[place : place + size].decode(errors="surrogateescape"))
                place += size
        yield tuple(record)
