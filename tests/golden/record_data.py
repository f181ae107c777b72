#!/usr/bin/python3
"""Records data.json: arrays as NumPy writes them, windows as it cuts them, and tables as scikit-learn transforms them.

Needs Debian's python3-sklearn. Run with /usr/bin/python3 from anywhere; `--check` compares instead of writing.
"""
import base64
import io
import json
import math
import pathlib
import sys

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, QuantileTransformer, StandardScaler

FILE = pathlib.Path(__file__).with_name("data.json")


def npy(array, version=None, pickle=False):
    out = io.BytesIO()
    np.lib.format.write_array(out, array, version, allow_pickle=pickle)
    return base64.b64encode(out.getvalue()).decode()


def arrays():
    draw = np.random.default_rng(1)
    cases = []

    def add(name, array, version=None):
        cases.append({"name": name, "file": npy(array, version), "shape": list(array.shape),
                      "values": [float(x) for x in array.ravel(order="C")]})
    for kind in ("f2", "f4", "f8"):
        for order in "<>":
            add(f"{order}{kind}", draw.normal(size=(3, 4)).astype("f4").astype(order + kind))
    for kind in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"):
        information = np.iinfo(kind)
        values = [information.min, 0, 1, 100, min(information.max, 2**53)]
        for order in "<>":
            add(f"{order}{kind}", np.array(values, dtype=order + kind))
    add("bool", np.array([[True, False, True], [False, False, True]]))
    add("scalar", np.array(2.5, dtype="f4"))
    add("empty", np.zeros((0, 3), dtype="f4"))
    add("fortran 2", np.asfortranarray(np.arange(6, dtype="f4").reshape(2, 3)))
    add("fortran 3", np.asfortranarray(np.arange(24, dtype="i4").reshape(2, 3, 4)))
    add("fortran 4, bool", np.asfortranarray(draw.integers(0, 2, (2, 3, 2, 2)).astype(bool)))
    add("fortran big-endian", np.asfortranarray(np.arange(6, dtype=">i2").reshape(3, 2)))
    add("fortran, an axis of 1", np.asfortranarray(np.arange(6, dtype="f8").reshape(3, 1, 2)))
    for version in ((1, 0), (2, 0), (3, 0)):
        add(f"version {version[0]}", np.arange(4, dtype="f4"), version)
    add("f2 at its edges", np.array([0, -0.0, 2**-24, 2**-14, 65504, np.inf, -np.inf], dtype="f2").clip(-65504, 65504))
    return cases


def refused():
    structured = np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f4")])
    return {"texts": npy(np.array(["ab", "c"])), "bytes": npy(np.array([b"ab"])), "complex": npy(np.ones(2, dtype="c8")),
            "dates": npy(np.array(["2020-01-01"], dtype="M8[D]")), "structured": npy(structured),
            "objects": npy(np.array([None, 1], dtype=object), pickle=True), "long double": npy(np.frombuffer(bytes(32), dtype="f16")),
            "too large": npy(np.array([2**63], dtype="u8")), "void": npy(np.zeros(2, dtype="V3"))}


def archives():
    parts = {"weight": np.arange(6, dtype="f4").reshape(2, 3) / 4, "steps": np.array(7), "a/b": np.asfortranarray(np.eye(3)),
             "mask": np.array([True, False]), "zeros": np.zeros(3000, dtype="i4")}
    found = {}
    for name, write in (("stored", np.savez), ("deflated", np.savez_compressed)):
        out = io.BytesIO()
        write(out, **parts)
        found[name] = base64.b64encode(out.getvalue()).decode()
    return {"files": found, "arrays": {k: {"shape": list(v.shape), "values": [float(x) for x in v.ravel()]} for k, v in parts.items()}}


def windows():
    series = np.random.default_rng(2).normal(size=(17, 3)).astype("f4")
    cases = []
    for lookback, horizon, stride, gap, targets in ((4, 2, 1, 0, None), (3, 1, 2, 0, [2]), (5, 3, 3, 1, [0, 2]), (17 - 1, 1, 1, 0, None)):
        view = np.lib.stride_tricks.sliding_window_view(series, lookback + gap + horizon, axis=0)[::stride].transpose(0, 2, 1)
        future = view[:, lookback + gap:]
        cases.append({"lookback": lookback, "horizon": horizon, "stride": stride, "gap": gap, "targets": targets or [],
                      "past": view[:, :lookback].ravel().astype(float).tolist(),
                      "future": (future if targets is None else future[..., targets]).ravel().astype(float).tolist(),
                      "count": len(view)})
    return {"series": series.astype(float).tolist(), "cases": cases}


def text_of(value):
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else str(value)


def tables():
    """A table with gaps, its first rows to learn from; unknown categories and numbers out of range after them."""
    draw = np.random.default_rng(3)
    train, test = 60, 25
    rows = train + test
    wide = draw.normal(size=rows) * 1e3 + 1.6e9  # as seconds since 1970: more digits than f32 has
    skewed = np.exp(draw.normal(size=rows) * 2).round(3)
    skewed[draw.random(rows) < 0.2] = 0.0  # ties at an end
    few = draw.integers(0, 4, rows).astype(float)
    gaps = draw.normal(size=rows).round(4)
    gaps[draw.random(rows) < 0.3] = np.nan
    same = np.full(rows, 0.1)
    color = draw.choice(np.array(["red", "green", "blue, dark", 'a "b"'], dtype=object), rows)
    city = draw.choice(np.array(["Rome", "Oslo", None], dtype=object), rows, p=[0.5, 0.3, 0.2])
    skewed[train:train + 3] = [1e6, -5.0, skewed[0]]
    color[train:train + 2] = ["violet", "pink"]
    numbers = {"wide": wide, "skewed": skewed, "few": few, "gaps": gaps, "same": same}
    quoted = lambda field: '"' + field.replace('"', '""') + '"' if any(c in field for c in '",') else field
    lines = [",".join([*numbers, "color", "city"])]
    for i in range(rows):
        fields = ["" if math.isnan(v[i]) else repr(float(v[i])) for v in numbers.values()] + [text_of(color[i]), text_of(city[i])]
        lines.append(",".join(map(quoted, fields)))
    matrix = np.stack(list(numbers.values()), 1)
    fit = matrix[:train]
    filled = SimpleImputer(strategy="median").fit(fit).transform(matrix)
    scaled = {"none": filled, "standard": StandardScaler().fit(fit).transform(filled)}
    for distribution in ("uniform", "normal"):
        for count in (1000, 10):
            columns = []
            for j in range(matrix.shape[1]):  # each by what it has: scikit-learn counts missing rows, too
                there = fit[~np.isnan(fit[:, j]), j:j + 1]
                if (there == there[0]).all():  # all alike: it says 0, the middle is meant
                    columns.append(np.full((rows, 1), 0.5 if distribution == "uniform" else 0.0))
                    continue
                transform = QuantileTransformer(n_quantiles=min(count, len(there)), output_distribution=distribution, subsample=10**9)
                columns.append(transform.fit(there).transform(filled[:, j:j + 1]))
            scaled[f"quantile_{distribution} {count}"] = np.concatenate(columns, 1)
    words = np.stack([[text_of(x) for x in color], [text_of(x) for x in city]], 1).astype(object)
    index = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1).fit(words[:train]).transform(words) + 1
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(words[:train]).transform(words)
    return {"csv": "\n".join(lines) + "\n", "train": train,
            "scaled": {k: np.asarray(v, dtype=float).tolist() for k, v in scaled.items()},
            "index": index.astype(int).tolist(), "one_hot": one_hot.astype(int).tolist()}


def record():
    return {"arrays": arrays(), "refused": refused(), "archives": archives(), "windows": windows(), "table": tables()}


def main():
    text = json.dumps(record(), separators=(",", ":")) + "\n"
    if "--check" in sys.argv:
        sys.exit(FILE.read_text() != text)
    FILE.write_text(text)


if __name__ == "__main__":
    main()
