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
from transformers import AutoConfig, AutoModelForCausalLM

import safetensors_numpy
from language_model import record_expected


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

    record_expected(os.path.join(out, "expected.safetensors"), model, lambda tokens: model(tokens).logits, rng,
                    config.vocab_size, (2, 9))


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
