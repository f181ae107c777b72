#!/usr/bin/python3
"""Records scores.json: predictions and their scores by scikit-learn; the calibration error, which it lacks, by numpy.

Needs Debian's python3-sklearn. Run with /usr/bin/python3 from anywhere; `--check` compares instead of writing.
"""
import json
import pathlib
import sys

import numpy as np
from sklearn import metrics

FILE = pathlib.Path(__file__).with_name("scores.json")


def softmax(logits):
    e = np.exp(logits - logits.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def calibration_error(p, labels, bins):
    confidence, right = p.max(1), p.argmax(1) == labels
    edges = np.linspace(0, 1, bins + 1)
    total = 0.0
    for low, high in zip(edges, edges[1:]):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            total += inside.sum() * abs(right[inside].mean() - confidence[inside].mean())
    return total / len(labels)


def top_k(labels, logits, j, k):
    if k == 2:  # scikit-learn expects one score per example
        return metrics.accuracy_score(labels, logits.argmax(1))
    return metrics.top_k_accuracy_score(labels, logits, k=j, labels=range(k))


def classes(draw, n, k, skipped=()):
    logits = draw.normal(size=(n, k)).astype(np.float32).astype(np.float64)
    labels = draw.integers(0, k, n)
    for c in skipped:  # a class without examples
        labels[labels == c] = (c + 1) % k
        logits[:, c] = -50
    logits[np.arange(n), labels] += draw.choice([0.0, 1.5], n)
    logits = logits.astype(np.float32).astype(np.float64)
    guesses, p = logits.argmax(1), softmax(logits)
    macro = metrics.precision_recall_fscore_support(labels, guesses, average="macro", zero_division=0)
    each = metrics.precision_recall_fscore_support(labels, guesses, labels=range(k), zero_division=0)
    return {
        "logits": logits.tolist(),
        "labels": labels.tolist(),
        "matrix": metrics.confusion_matrix(labels, guesses, labels=range(k)).tolist(),
        "accuracy": metrics.accuracy_score(labels, guesses),
        "macro": list(macro[:3]),
        "precision": each[0].tolist(),
        "recall": each[1].tolist(),
        "f1": each[2].tolist(),
        "top": [top_k(labels, logits, j, k) for j in range(1, k)],
        "log_loss": metrics.log_loss(labels, p, labels=range(k)),
        "calibration": [calibration_error(p, labels, bins) for bins in (15, 4)],
    }


def ranking(draw, n, levels):
    labels = draw.integers(0, 2, n)
    scores = (draw.normal(size=n) + labels).astype(np.float32)
    if levels:  # ties
        scores = np.round(scores * levels) / levels
    return {
        "scores": scores.astype(np.float64).tolist(),
        "labels": labels.tolist(),
        "roc_auc": metrics.roc_auc_score(labels, scores),
        "average_precision": metrics.average_precision_score(labels, scores),
    }


def regression(draw, n, offset, constant=False):
    targets = (np.full(n, 3.0) if constant else draw.normal(size=n) + offset).astype(np.float32)
    predictions = (targets + draw.normal(size=n) * 0.3).astype(np.float32)
    targets, predictions = targets.astype(np.float64), predictions.astype(np.float64)
    return {
        "predictions": predictions.tolist(),
        "targets": targets.tolist(),
        "rmse": float(np.sqrt(metrics.mean_squared_error(targets, predictions))),
        "mae": metrics.mean_absolute_error(targets, predictions),
        "r2": metrics.r2_score(targets, predictions),
        "mape": metrics.mean_absolute_percentage_error(targets, predictions),
    }


def record():
    draw = np.random.default_rng(5)
    return {
        "classes": [classes(draw, 40, 4), classes(draw, 25, 2), classes(draw, 30, 6, skipped=(2,))],
        "ranking": [ranking(draw, 50, 0), ranking(draw, 60, 2), ranking(draw, 7, 1)],
        "regression": [regression(draw, 40, 0.0), regression(draw, 30, 1e4), regression(draw, 10, 0, constant=True)],
    }


def main():
    text = json.dumps(record()) + "\n"
    if "--check" in sys.argv:
        sys.exit(FILE.read_text() != text)
    FILE.write_text(text)


if __name__ == "__main__":
    main()
