"""Records peft_qwen2/: LoRA adapters of the Llama in llama_qwen2.*, as PEFT stores them, and what they compute.

    python3 tests/golden/record_peft.py          (recorded with torch 2.15.0, transformers 5.24.0, peft 0.21.2)

    adapter_config.json, adapter_model.safetensors   written by PEFT
    expected.safetensors                             tokens, targets, logits, loss, gradients as "gradient." + name

With a folder that Temper's save_llama and save_peft have written, loads that instead and prints the sum of its logits:

    python3 tests/golden/record_peft.py --load FOLDER ADAPTERS TOKEN...
"""

import json
import os
import sys

import numpy as np
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch.nn import functional
from transformers import AutoConfig, AutoModelForCausalLM

import safetensors_numpy


def record(folder):
    with open(os.path.join(folder, "llama_qwen2.json"), encoding="utf-8") as file:
        text = json.load(file)
    text.pop("_name_or_path", None)
    config = AutoConfig.for_model(**text)
    config._attn_implementation = "eager"
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    stored, _ = safetensors_numpy.read(os.path.join(folder, "llama_qwen2.safetensors"))
    model.load_state_dict({key: torch.from_numpy(value.copy()) for key, value in stored.items()})
    model = get_peft_model(model, LoraConfig(r=3, lora_alpha=5, lora_dropout=0.0, task_type="CAUSAL_LM",
                                             target_modules=["q_proj", "v_proj", "down_proj"]))
    rng = np.random.default_rng(5)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.copy_(torch.from_numpy(rng.standard_normal(tuple(parameter.shape)).astype(np.float32) * 0.3))
    out = os.path.join(folder, "peft_qwen2")
    model.save_pretrained(out)
    if os.path.exists(os.path.join(out, "README.md")):
        os.remove(os.path.join(out, "README.md"))

    model.double()
    tokens = rng.integers(0, config.vocab_size, (2, 9))
    targets = rng.integers(0, config.vocab_size, (2, 9))
    logits = model(torch.from_numpy(tokens)).logits
    loss = functional.cross_entropy(logits.flatten(0, 1), torch.from_numpy(targets.reshape(-1)))
    loss.backward()
    expected = {"tokens": tokens, "targets": targets, "logits": logits.detach().numpy().astype(np.float32),
                "loss": np.asarray([loss.item()], dtype=np.float32)}
    expected |= {"gradient." + name.replace(".default", ""): parameter.grad.numpy().astype(np.float32)
                 for name, parameter in model.named_parameters() if parameter.grad is not None}
    safetensors_numpy.write(os.path.join(out, "expected.safetensors"), expected, {})
    print(sorted(os.listdir(out)), len(expected) - 4, f"loss {loss.item():.6f}")


def load(folder, adapters, tokens):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    ids = torch.tensor([[int(token) for token in tokens]])
    print("base", model(ids).logits.flatten()[:4].tolist())
    print("adapted", PeftModel.from_pretrained(model, adapters)(ids).logits.flatten()[:4].tolist())


def main():
    if sys.argv[1:2] == ["--load"]:
        load(sys.argv[2], sys.argv[3], sys.argv[4:])
    else:
        record(os.path.dirname(os.path.abspath(__file__)))


if __name__ == "__main__":
    main()
