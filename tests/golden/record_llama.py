"""Records llama_*/: tiny Llamas as Hugging Face stores them, and what transformers computes.

    python3 tests/golden/record_llama.py          (recorded with torch 2.15.0, transformers 5.24.0)

Computes in float64 from float32 weights. For each configuration NAME:

    llama_NAME.json                  config.json
    llama_NAME.safetensors           the weights
    llama_NAME_expected.safetensors  tokens, targets, logits, loss, and the gradients as "gradient." + name
"""

import json
import os

import numpy as np
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, Qwen2Config

import safetensors_numpy
from language_model import record_expected


def initialize(model, rng):
    """Wider weights than the initial ones, and norms other than 1, so that swapped parts change results."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            values = rng.standard_normal(tuple(parameter.shape)) * (0.2 if parameter.dim() > 1 else 0.3)
            values += 1.0 if "norm" in name else 0.0
            parameter.copy_(torch.from_numpy(values.astype(np.float32)))


def record(folder, name, seed, config, length, older=None):
    rng = np.random.default_rng(seed)
    config._attn_implementation = "eager"
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    initialize(model, rng)
    model.eval()
    text = json.loads(config.to_json_string(use_diff=False))
    if older is not None:  # as files from before "rope_parameters"
        del text["rope_parameters"]
        text |= older
    with open(os.path.join(folder, f"llama_{name}.json"), "w", encoding="utf-8") as file:
        json.dump(text, file, indent=2, sort_keys=True)
        file.write("\n")
    stored = {key: value.numpy() for key, value in model.state_dict().items()}
    if config.tie_word_embeddings:
        del stored["lm_head.weight"]
    safetensors_numpy.write(os.path.join(folder, f"llama_{name}.safetensors"), stored, {"format": "pt"})

    record_expected(os.path.join(folder, f"llama_{name}_expected.safetensors"), model, lambda tokens: model(tokens).logits,
                    rng, config.vocab_size, (2, length))


def main():
    folder = os.path.dirname(os.path.abspath(__file__))
    # SmolLM2's shape: three heads of queries share one of keys, tied, no biases.
    record(folder, "smollm2", 1, LlamaConfig(
        vocab_size=37, max_position_embeddings=16, num_hidden_layers=2, num_attention_heads=6, num_key_value_heads=2,
        hidden_size=24, intermediate_size=40, rms_norm_eps=1e-5, tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 100000.0}), 13,
        {"rope_theta": 100000.0, "rope_scaling": None})
    # Qwen2's: biases of queries, keys and values, another epsilon, a head of its own.
    record(folder, "qwen2", 2, Qwen2Config(
        vocab_size=29, max_position_embeddings=12, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        hidden_size=16, intermediate_size=24, rms_norm_eps=1e-6, tie_word_embeddings=False,
        rope_parameters={"rope_type": "default", "rope_theta": 1000000.0}), 9)
    # Llama 3.1's scaling, whose three ranges all occur; every bias; heads wider than width / heads.
    record(folder, "scaled", 3, LlamaConfig(
        vocab_size=31, max_position_embeddings=48, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
        hidden_size=16, head_dim=16, intermediate_size=24, rms_norm_eps=1e-5, tie_word_embeddings=False,
        attention_bias=True, mlp_bias=True,
        rope_parameters={"rope_type": "llama3", "rope_theta": 500.0, "factor": 4.0, "low_freq_factor": 1.0,
                         "high_freq_factor": 4.0, "original_max_position_embeddings": 24}), 40)
    record(folder, "linear", 4, LlamaConfig(
        vocab_size=19, max_position_embeddings=16, num_hidden_layers=1, num_attention_heads=2,
        hidden_size=8, intermediate_size=12, rms_norm_eps=1e-5, tie_word_embeddings=True,
        rope_parameters={"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}), 16,
        {"rope_theta": 10000.0, "rope_scaling": {"type": "linear", "factor": 4.0}})


if __name__ == "__main__":
    main()
