"""Records bert_*.safetensors: small BERTs as Hugging Face names and PyTorch computes them.

    python3 tests/golden/record_bert.py          (recorded with torch 1.13.0, numpy 1.24)

bert_NAME.safetensors holds the weights as Hugging Face would save them. bert_NAME_expected.safetensors holds a batch of
tokens with mask and token types, targets, and what PyTorch computes from them in float64: logits, loss and gradients.
Masked-LM logits of padding are not recorded.
"""

import math
import os

import numpy as np
import torch
from torch import nn
from torch.nn import functional

import safetensors_numpy


class Embeddings(nn.Module):
    def __init__(self, vocabulary, positions, types, width):
        super().__init__()
        self.word_embeddings = nn.Embedding(vocabulary, width)
        self.position_embeddings = nn.Embedding(positions, width)
        self.token_type_embeddings = nn.Embedding(types, width)
        self.LayerNorm = nn.LayerNorm(width, eps=1e-12)
        self.register_buffer("position_ids", torch.arange(positions).expand((1, -1)))

    def forward(self, tokens, types):
        x = self.word_embeddings(tokens) + self.token_type_embeddings(types)
        return self.LayerNorm(x + self.position_embeddings(self.position_ids[:, :tokens.shape[1]]))


class SelfAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)

    def forward(self, x, mask):
        def split(y):
            return y.unflatten(2, (self.heads, -1)).transpose(1, 2)

        q, k, v = split(self.query(x)), split(self.key(x)), split(self.value(x))
        scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[3])
        weights = scores.masked_fill(~mask[:, None, None, :], -math.inf).softmax(3)
        return (weights @ v).transpose(1, 2).flatten(2)


class Output(nn.Module):
    def __init__(self, features, width):
        super().__init__()
        self.dense = nn.Linear(features, width)
        self.LayerNorm = nn.LayerNorm(width, eps=1e-12)

    def forward(self, y, x):
        return self.LayerNorm(x + self.dense(y))


class Layer(nn.Module):
    def __init__(self, width, heads, hidden):
        super().__init__()
        self.attention = nn.Module()
        self.attention.self = SelfAttention(width, heads)
        self.attention.output = Output(width, width)
        self.intermediate = nn.Module()
        self.intermediate.dense = nn.Linear(width, hidden)
        self.output = Output(hidden, width)

    def forward(self, x, mask):
        x = self.attention.output(self.attention.self(x, mask), x)
        return self.output(functional.gelu(self.intermediate.dense(x)), x)


class Bert(nn.Module):
    def __init__(self, pooler, vocabulary, positions, types, layers, heads, width, hidden):
        super().__init__()
        self.embeddings = Embeddings(vocabulary, positions, types, width)
        self.encoder = nn.Module()
        self.encoder.layer = nn.ModuleList(Layer(width, heads, hidden) for _ in range(layers))
        if pooler:
            self.pooler = nn.Module()
            self.pooler.dense = nn.Linear(width, width)

    def forward(self, tokens, mask, types):
        x = self.embeddings(tokens, types)
        for layer in self.encoder.layer:
            x = layer(x, mask)
        return x


class MaskedLM(nn.Module):
    def __init__(self, vocabulary, width, **sizes):
        super().__init__()
        self.bert = Bert(False, vocabulary=vocabulary, width=width, **sizes)
        self.cls = nn.Module()
        self.cls.predictions = nn.Module()
        self.cls.predictions.bias = nn.Parameter(torch.zeros(vocabulary))
        self.cls.predictions.transform = nn.Module()
        self.cls.predictions.transform.dense = nn.Linear(width, width)
        self.cls.predictions.transform.LayerNorm = nn.LayerNorm(width, eps=1e-12)

    def forward(self, *inputs):
        head = self.cls.predictions
        x = head.transform.LayerNorm(functional.gelu(head.transform.dense(self.bert(*inputs))))
        return x @ self.bert.embeddings.word_embeddings.weight.T + head.bias


class Classification(nn.Module):
    def __init__(self, classes, width, **sizes):
        super().__init__()
        self.bert = Bert(True, width=width, **sizes)
        self.classifier = nn.Linear(width, classes)

    def forward(self, *inputs):
        return self.classifier(torch.tanh(self.bert.pooler.dense(self.bert(*inputs)[:, 0])))


class QuestionAnswering(nn.Module):
    def __init__(self, width, **sizes):
        super().__init__()
        self.bert = Bert(False, width=width, **sizes)
        self.qa_outputs = nn.Linear(width, 2)

    def forward(self, *inputs):
        return self.qa_outputs(self.bert(*inputs))


def initialize(model, rng):
    """Wider weights than BERT's initial ones, and norms other than 1 and 0, so that swapped parts change results."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            values = rng.standard_normal(tuple(parameter.shape)) * (0.4 if name.endswith("weight") else 0.2)
            values += 1.0 if name.endswith("LayerNorm.weight") else 0.0
            parameter.copy_(torch.from_numpy(values.astype(np.float32)))


SIZES = {"vocabulary": 23, "positions": 12, "types": 2, "layers": 2, "heads": 3, "width": 12, "hidden": 20}
LENGTHS = [9, 4, 1, 7]


def batch(rng):
    """Texts of these lengths, padded at the end; the second half of each has the other token type."""
    size = max(LENGTHS)
    tokens = rng.integers(0, SIZES["vocabulary"], (len(LENGTHS), size))
    mask = np.arange(size)[None, :] < np.asarray(LENGTHS)[:, None]
    types = (np.arange(size)[None, :] >= np.asarray(LENGTHS)[:, None] / 2).astype(np.int64)
    return tokens, mask, types


def finish(name, model, inputs, logits, loss, targets):
    loss.backward()
    tokens, mask, types = inputs
    expected = {"tokens": tokens, "mask": mask, "types": types, "logits": logits.detach().numpy().astype(np.float32),
                "loss": np.asarray([loss.item()], dtype=np.float32)} | targets
    expected |= {f"gradient.{key}": parameter.grad.numpy().astype(np.float32)
                 for key, parameter in model.named_parameters()}
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), f"bert_{name}_expected.safetensors")
    safetensors_numpy.write(path, expected, {})
    print(name, f"loss {loss.item():.6f}", f"largest logit {logits.abs().max().item():.3f}")


def start(name, model, seed, copies):
    """Saves the weights in float32; returns the batch and the model's arguments."""
    rng = np.random.default_rng(seed)
    initialize(model, rng)
    stored = {key: value.numpy() for key, value in model.state_dict().items()}
    for copy, original in copies.items():
        stored[copy] = stored[original]
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), f"bert_{name}.safetensors")
    safetensors_numpy.write(path, stored, {"format": "pt"})
    model.double()
    inputs = batch(rng)
    return rng, inputs, [torch.from_numpy(each) for each in inputs]


def masked_lm():
    model = MaskedLM(**SIZES)
    rng, inputs, tensors = start("masked_lm", model, 1, {
        "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
        "cls.predictions.decoder.bias": "cls.predictions.bias"})
    logits = model(*tensors)
    masked = np.asarray([2, 6, 9, 18, 27, 32])  # n * T + t: two of the first text, one of the others, two of the last
    labels = rng.integers(0, SIZES["vocabulary"], len(masked))
    rows = logits.flatten(0, 1)
    loss = functional.cross_entropy(rows[masked], torch.from_numpy(labels))
    real = rows[inputs[1].reshape(-1)]
    finish("masked_lm", model, inputs, real, loss, {"positions": masked, "labels": labels})


def classification():
    model = Classification(5, **SIZES)
    rng, inputs, tensors = start("classification", model, 2, {})
    logits = model(*tensors)
    labels = rng.integers(0, 5, len(LENGTHS))
    finish("classification", model, inputs, logits, functional.cross_entropy(logits, torch.from_numpy(labels)),
           {"labels": labels})


def question_answering():
    model = QuestionAnswering(**SIZES)
    _, inputs, tensors = start("question_answering", model, 3, {})
    logits = model(*tensors)
    starts, ends = np.asarray([3, 1, 0, 2]), np.asarray([8, 1, 0, 6])
    # As in Hugging Face's model, the cross entropies are over all tokens, including padding.
    loss = sum(functional.cross_entropy(logits[:, :, i], torch.from_numpy(each)) for i, each in
               enumerate([starts, ends])) / 2
    finish("question_answering", model, inputs, logits, loss, {"starts": starts, "ends": ends})


if __name__ == "__main__":
    masked_lm()
    classification()
    question_answering()
