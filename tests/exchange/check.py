"""Runs models that Temper has written in other programs, and compares what they give with what Temper gave.

    check.py FOLDER [PART OF A NAME]        (run.sh writes the folder and calls this)

FOLDER/onnx has models for ONNX Runtime: NAME.onnx, and NAME.safetensors with inputs and outputs of runs of 1, 2 and 5
examples. FOLDER/transformers has folders, with tokenizers, that Hugging Face's transformers and PEFT load.
"""

import glob
import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden"))
import safetensors_numpy  # noqa: E402

BOUND = 1e-4
BF16_BOUND = 0.1  # Temper rounds each result to bf16, the file computes in f32


def difference(got, expected):
    """The largest difference, relative to numbers above 1."""
    if got.shape != expected.shape:
        return f"shape {list(got.shape)}, expected {list(expected.shape)}"
    if got.dtype != expected.dtype:
        return f"{got.dtype}, expected {expected.dtype}"
    if got.size == 0:
        return 0.0
    if got.dtype == bool or np.issubdtype(got.dtype, np.integer):
        return float(np.max(got != expected))
    got, expected = got.astype(np.float64), expected.astype(np.float64)
    if not np.array_equal(np.isfinite(got), np.isfinite(expected)):
        return "other infinities"
    some = np.isfinite(expected)
    return float(np.max(np.abs(got[some] - expected[some]) / np.maximum(1, np.abs(expected[some])), initial=0))


class Report:
    def __init__(self):
        self.passed = self.failed = 0

    def add(self, name, differences, bound=BOUND):
        wrong = [f"{what}: {found}" for what, found in differences if isinstance(found, str) or not found <= bound]
        if wrong or not differences:
            self.failed += 1
            print(f"FAILED  {name}  " + "; ".join(wrong[:5] or ["nothing to compare"]))
        else:
            self.passed += 1
            print(f"passed  {name}  {len(differences)} tensors, at most {max(found for _, found in differences):.1e}")


def check_onnx(path, report):
    import onnx
    import onnxruntime

    name = os.path.basename(path)[:-len(".onnx")]
    onnx.checker.check_model(path, full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    recorded, _ = safetensors_numpy.read(path[:-len(".onnx")] + ".safetensors")
    differences = []
    for count in ("1", "2", "5"):
        inputs = {key.split(".", 2)[2]: value for key, value in recorded.items() if key.startswith(count + ".in.")}
        known = {value.name for value in session.get_inputs()}
        outputs = session.run(None, {key: value for key, value in inputs.items() if key in known})
        for i, output in enumerate(outputs):
            differences.append((f"{count} examples, {session.get_outputs()[i].name}", difference(output, recorded[f"{count}.out.{i}"])))
    report.add("onnx/" + name, differences, BF16_BOUND if name.endswith("bf16") else BOUND)


def check_folder(path, report):
    import torch
    import transformers

    name = os.path.basename(path)
    config = transformers.AutoConfig.from_pretrained(path)
    kind = getattr(transformers, config.architectures[0])
    model, found = kind.from_pretrained(path, dtype=torch.float32, output_loading_info=True)
    model.eval()
    # An encoder alone is saved without the pooler that theirs has.
    wrong = {key: [entry for entry in found[key] if not str(entry).startswith("pooler.")]
             for key in ("missing_keys", "unexpected_keys", "mismatched_keys")}
    differences = [(key, str(entries)) for key, entries in wrong.items() if entries]

    def compare(model, path, what):
        recorded, _ = safetensors_numpy.read(os.path.join(path, "recorded", "recorded.safetensors"))
        given = {"tokens": "input_ids", "mask": "attention_mask", "types": "token_type_ids"}
        theirs = {"logits": "logits", "features": "last_hidden_state", "starts": "start_logits", "ends": "end_logits"}
        inputs = {given[key]: torch.from_numpy(value.copy()) for key, value in recorded.items() if key in given}
        with torch.no_grad():
            outputs = model(**inputs)
        seen = recorded.get("mask")
        for key, expected in recorded.items():
            if key not in theirs:
                continue
            got = outputs[theirs[key]].numpy()
            if seen is not None and got.shape[:2] == seen.shape:  # nothing is promised at padding
                got, expected = got[seen != 0], expected[seen != 0]
            differences.append((what + key, difference(got, expected)))

    def compare_tokens(path):
        """The tokens of texts; and the model takes what their tokenizer gives."""
        recorded, _ = safetensors_numpy.read(os.path.join(path, "recorded", "recorded.safetensors"))
        tokenizer = transformers.AutoTokenizer.from_pretrained(path)
        with open(os.path.join(path, "recorded", "texts.txt"), encoding="utf-8") as file:
            texts = file.read().split("\n")[:-1]
        for i, text in enumerate(texts):
            got = np.array(tokenizer(text)["input_ids"], np.int64)
            differences.append((f"tokens of '{text}'", difference(got, recorded[f"text.{i}"])))
        # Where there is none, they may choose one, as for Qwen2.
        for name, id in (("pad", tokenizer.pad_token_id), ("end", tokenizer.eos_token_id)):
            if recorded[name][0] >= 0:
                differences.append((f"token '{name}'", float(id != recorded[name][0])))
        # Texts above the longest of 12 tokens are cut off.
        with torch.no_grad():
            model(**tokenizer(texts[0], truncation=True, return_tensors="pt"))

    compare(model, path, "")
    compare_tokens(path)
    if os.path.isdir(os.path.join(path, "adapters")):
        import peft

        folder = os.path.join(path, "adapters")
        adapted = peft.PeftModel.from_pretrained(model, folder).eval()
        compare(adapted, folder, "adapted ")
        written, _ = safetensors_numpy.read(os.path.join(folder, "adapter_model.safetensors"))
        ours = {key.split(".lora_")[0] for key in written}
        theirs = {name for name, module in adapted.named_modules() if hasattr(module, "lora_A")}
        differences.append(("adapted modules", str(ours ^ theirs) if ours != theirs else 0.0))
    report.add("transformers/" + name, differences)


def main():
    folder, part = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
    report = Report()
    for check, pattern in ((check_onnx, "onnx/*.onnx"), (check_folder, "transformers/*/")):
        for path in sorted(glob.glob(os.path.join(folder, pattern))):
            if part in os.path.relpath(path, folder):
                try:
                    check(path.rstrip("/"), report)
                except Exception as error:  # what another program refuses is a failure of this one
                    report.add(os.path.relpath(path, folder), [(type(error).__name__, str(error)[:300])])
    print(f"{report.passed} passed, {report.failed} failed")
    sys.exit(0 if report.failed == 0 and report.passed > 0 else 1)


if __name__ == "__main__":
    main()
