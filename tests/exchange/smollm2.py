"""Makes a folder of Hugging Face's of SmolLM2-135M-Instruct, and records what transformers computes with it.

    smollm2.py FILE.gguf FOLDER        (smollm2.sh calls this)

The file, of llama.cpp's, has weights of 4 bits, which transformers converts to f32. FOLDER/recorded has the tokens of some
texts, their logits, and the tokens with which the model goes on from the last of them when the most likely one is taken.
"""

import os
import sys

import numpy as np
import torch
import transformers

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden"))
import safetensors_numpy  # noqa: E402

TEXTS = ["The capital of France is", "na\u00efve caf\u00e9 \u4f60\u597d \U0001F600, 12345 apples", "In the beginning God created the"]
MORE = 20


def main():
    file, folder = sys.argv[1:]
    place, name = os.path.split(file)
    tokenizer = transformers.AutoTokenizer.from_pretrained(place, gguf_file=name)
    model = transformers.AutoModelForCausalLM.from_pretrained(place, gguf_file=name, dtype=torch.float32).eval()
    state = model.state_dict()
    model = transformers.AutoModelForCausalLM.from_config(model.config).eval()  # which knows of no quantization
    model.load_state_dict(state)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    recorded = {}
    for i, text in enumerate(TEXTS):
        ids = tokenizer(text, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            recorded[f"logits.{i}"] = model(ids).logits.numpy()
        recorded[f"ids.{i}"] = ids.numpy().astype(np.int64)
    with torch.no_grad():
        more = model.generate(ids, max_new_tokens=MORE, do_sample=False, eos_token_id=None, repetition_penalty=1.0)
    recorded["more"] = more[0, ids.shape[1]:].numpy().astype(np.int64)
    os.makedirs(os.path.join(folder, "recorded"), exist_ok=True)
    safetensors_numpy.write(os.path.join(folder, "recorded", "recorded.safetensors"), recorded, {})
    with open(os.path.join(folder, "recorded", "texts.txt"), "w", encoding="utf-8") as out:
        out.writelines(text + "\n" for text in TEXTS)


if __name__ == "__main__":
    main()
