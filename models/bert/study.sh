#!/usr/bin/env bash
# models/bert/study.sh [options of ./run.sh bert]: what pretraining by masked words changes. Six runs, three seeds with
# and three without it, equal but for that; prints the accuracies and their differences. Without options runs are of
# 3 epochs, half an hour in all. They go to runs/bert-study/; those that are finished there are not repeated.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
folder=$root/runs/bert-study
if (($# == 0)); then set -- --epochs 3; fi

# The accuracy that metrics.jsonl ends with.
accuracy() {
  grep -o '"test/accuracy":[0-9.e-]*' "$1/metrics.jsonl" | tail -n 1 | cut -d: -f2
}

for seed in 1 2 3; do
  for passes in 0 3; do
    run=$folder/seed$seed-pretrain$passes
    if ! grep -q finished "$run.done" 2>/dev/null; then
      "$root/run.sh" bert --seed "$seed" --pretrain "$passes" --out "$run" --overwrite "$@"
      echo finished >"$run.done"
    fi
  done
done

for seed in 1 2 3; do
  echo "$seed $(accuracy "$folder/seed$seed-pretrain0") $(accuracy "$folder/seed$seed-pretrain3")"
done | awk '
  BEGIN { printf "%-6s %10s %10s %10s\n", "seed", "without", "with", "effect" }
  {
    printf "%-6s %10.4f %10.4f %+10.4f\n", $1, $2, $3, $3 - $2
    without += $2; with += $3; effect[NR] = $3 - $2
  }
  END {
    mean = (with - without) / NR
    for (i in effect) squares += (effect[i] - mean) ^ 2
    printf "%-6s %10.4f %10.4f %+10.4f, standard deviation of the effect %.4f\n", "mean", without / NR, with / NR, mean,
           sqrt(squares / (NR - 1))
  }'
