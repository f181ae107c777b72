#!/usr/bin/env python3
"""Converts ONNX's backend tests to what Temper reads: their graphs to JSON, their tensors to one file of safetensors.

    tests/onnx/convert.py FOLDER OUT        (FOLDER: /usr/share/libonnx-testdata/data, from Debian's libonnx-testdata)

Writes OUT/cases.json and OUT/cases.safetensors. Protocol buffers are read here field by field, so no package is needed;
the numbers of the fields are those of onnx.proto. Halves and doubles become f32, all integers i64: Temper computes with
those. A case with anything else (strings, sequences, control flow) is listed with the reason and not converted. Needs numpy.
"""

import json
import pathlib
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "golden"))
import numpy as np
import safetensors_numpy

# TensorProto.DataType: how it is stored, how Temper has it.
DTYPES = {1: ("<f4", "f32"), 2: ("u1", "i64"), 3: ("i1", "i64"), 4: ("<u2", "i64"), 5: ("<i2", "i64"), 6: ("<i4", "i64"),
          7: ("<i8", "i64"), 9: ("?", "bool"), 10: ("<f2", "f32"), 11: ("<f8", "f32"), 12: ("<u4", "i64"), 13: ("<u8", "i64")}
NAMES = {1: "float", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 8: "string", 9: "bool",
         10: "float16", 11: "double", 12: "uint32", 13: "uint64", 14: "complex64", 15: "complex128", 16: "bfloat16"}


class Unsupported(Exception):
    pass


def fields(data):
    """The fields of a message: number -> list of values (ints, 4 or 8 bytes, or bytes)."""
    found, at = {}, 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        key = varint()
        if key & 7 == 0:
            value = varint()
        else:
            size = {1: 8, 5: 4}.get(key & 7) or varint()
            value = data[at:at + size]
            at += size
        found.setdefault(key >> 3, []).append(value)
    return found


def signed(value): return value - (1 << 64) if value >> 63 else value


def numbers(values, kind):
    """A repeated field of numbers, packed or not: kind "i" (varints), "<f4" or "<f8"."""
    result = []
    for value in values:
        if kind != "i":
            result += np.frombuffer(value, kind).tolist()
        elif isinstance(value, int):
            result.append(signed(value))
        else:
            result += [signed(each) for each in unpacked(value)]
    return result


def unpacked(data):
    value = shift = 0
    for byte in data:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            yield value
            value = shift = 0


def text(found, number): return found.get(number, [b""])[0].decode()


def tensor(data):
    """(name, array, name of the dtype in the file)."""
    found = fields(data)
    kind = found.get(2, [0])[0]
    if kind not in DTYPES:
        raise Unsupported(f"tensors of {NAMES.get(kind, 'no dtype')}")
    stored, here = DTYPES[kind]
    shape = numbers(found.get(1, []), "i")
    if len(shape) > 8:
        raise Unsupported("more than 8 axes")
    if 9 in found:
        array = np.frombuffer(found[9][0], stored)
    elif kind == 10:
        array = np.array(numbers(found.get(5, []), "i"), np.uint16).view("<f2")
    else:
        number, how = {1: (4, "<f4"), 11: (10, "<f8"), 7: (7, "i"), 12: (11, "i"), 13: (11, "i")}.get(kind, (5, "i"))
        array = np.array(numbers(found.get(number, []), how)).astype(stored)
    if kind == 13 and array.size and array.max() >= 1 << 63:
        raise Unsupported("numbers of 2^63 and more")
    with np.errstate(over="ignore"):  # doubles beyond floats become infinite
        array = array.reshape(shape).astype({"f32": np.float32, "i64": np.int64, "bool": np.bool_}[here])
    return text(found, 8), array, NAMES[kind]


def as_declared(array, dtype, declared):
    """ONNX's own data have bfloat16 as the upper halves of floats, in tensors of uint16."""
    if declared == "bfloat16" and dtype == "uint16":
        return (array.astype(np.uint32) << 16).view(np.float32), declared
    return array, dtype


def attribute(data, put):
    found = fields(data)
    kind = found.get(20, [0])[0]
    if kind == 1: return struct.unpack("<f", found[2][0])[0]
    if kind == 2: return signed(found.get(3, [0])[0])
    if kind == 3: return text(found, 4)
    if kind == 4:
        _, array, dtype = tensor(found[5][0])
        return {"tensor": put(array), "dtype": dtype}
    if kind == 6: return numbers(found.get(7, []), "<f4")
    if kind == 7: return numbers(found.get(8, []), "i")
    if kind == 8: return [value.decode() for value in found.get(9, [])]
    raise Unsupported("graphs within graphs")


def value_dtype(data):
    """The dtype of an input or output of a graph."""
    type_of = fields(fields(data).get(2, [b""])[0])
    if 1 not in type_of:
        raise Unsupported("sequences, maps, optional or sparse tensors")
    return NAMES.get(fields(type_of[1][0]).get(1, [0])[0], "no dtype")


def case(folder, put):
    model = fields((folder / "model.onnx").read_bytes())
    graph = fields(model[7][0])
    opset = {text(entry, 1): entry.get(2, [1])[0] for entry in map(fields, model.get(8, []))}
    nodes = []
    for entry in map(fields, graph.get(1, [])):
        nodes.append({"op": text(entry, 4), "domain": text(entry, 7),
                      "inputs": [name.decode() for name in entry.get(1, [])],
                      "outputs": [name.decode() for name in entry.get(2, [])], "attributes": entry.get(5, [])})
    try:
        for node in nodes:
            node["attributes"] = {text(fields(each), 1): attribute(each, put) for each in node["attributes"]}
        result = {"nodes": nodes, "opset": opset, "initial": {}, "inputs": [], "outputs": []}
        for each in graph.get(5, []):
            name, array, _ = tensor(each)
            result["initial"][name] = put(array)
        if 15 in graph:
            raise Unsupported("sequences, maps, optional or sparse tensors")
        declared = {kind: {text(fields(each), 1): value_dtype(each) for each in graph.get(number, [])}
                    for kind, number in [("inputs", 11), ("outputs", 12)]}
        if not list(folder.glob("test_data_set_*")):
            raise Unsupported("no data")
        for kind, stem in [("inputs", "input"), ("outputs", "output")]:
            given = [name for name in declared[kind] if kind == "outputs" or name not in result["initial"]]
            for number, name in enumerate(given):
                file = folder / "test_data_set_0" / f"{stem}_{number}.pb"
                if not file.exists():
                    continue
                _, array, dtype = tensor(file.read_bytes())
                array, dtype = as_declared(array, dtype, declared[kind][name])
                result[kind].append({"name": name, "tensor": put(array), "dtype": dtype})
        return result
    except Unsupported as why:
        return {"ops": sorted({node["op"] for node in nodes}), "unsupported": str(why)}


def main():
    source, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    tensors, cases = {}, {}
    for suite in ["node", "pytorch-converted", "pytorch-operator", "simple"]:
        for folder in sorted((source / suite).iterdir()):
            name = f"{suite}/{folder.name}"

            def put(array):
                key = f"{name}/{len(tensors)}"
                tensors[key] = np.ascontiguousarray(array).reshape(array.shape)
                return key

            cases[name] = case(folder, put)
    out.mkdir(parents=True, exist_ok=True)
    safetensors_numpy.write(str(out / "cases.safetensors"), tensors, {})
    (out / "cases.json").write_text(json.dumps(cases))
    converted = sum("unsupported" not in each for each in cases.values())
    print(f"{len(cases)} cases, {converted} of them converted, {len(tensors)} tensors")


if __name__ == "__main__":
    main()
