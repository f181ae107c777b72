#!/usr/bin/env bash
# models/effect.sh NAME MODEL CHANGE [OPTIONS]: measures the effect of options on a model's last test metric.
# Runs ./run.sh MODEL OPTIONS with and without the options CHANGE (one word, in quotes) for three seeds each, and prints
# the metrics and their differences. The runs go to runs/NAME/; finished ones are not repeated.
set -euo pipefail

if (($# < 3)); then
  sed -n '2,4s/^# //p' "${BASH_SOURCE[0]}" >&2
  exit 2
fi
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=$root/runs/$1 model=$2
read -ra change <<<"$3"
shift 3

for seed in 1 2 3; do
  for kind in without with; do
    run=$folder/seed$seed-$kind
    if grep -q finished "$run.done" 2>/dev/null; then continue; fi
    options=("$@")
    if [[ $kind == with ]]; then options+=("${change[@]}"); fi
    "$root/run.sh" "$model" --seed "$seed" --out "$run" --overwrite "${options[@]}"
    echo finished >"$run.done"
  done
done

# The last test metric in metrics.jsonl: its name, its value.
name() { grep -o '"test/[^"]*"' "$1/metrics.jsonl" | tail -n 1 | tr -d '"'; }
figure() { grep -o '"test/[^"]*":[0-9.e-]*' "$1/metrics.jsonl" | tail -n 1 | sed 's/.*://'; }
seconds() { grep -o '"time":[0-9.e-]*' "$1/metrics.jsonl" | tail -n 1 | sed 's/.*://'; }

printf '%s: %s with %s\n' "$model" "$(name "$folder/seed1-with")" "${change[*]}"
for seed in 1 2 3; do
  a=$folder/seed$seed-without b=$folder/seed$seed-with
  echo "$seed $(figure "$a") $(figure "$b") $(seconds "$a") $(seconds "$b")"
done | awk '
  BEGIN { printf "%-6s %10s %10s %10s %12s %10s\n", "seed", "without", "with", "effect", "seconds", "with" }
  {
    printf "%-6s %10.4f %10.4f %+10.4f %12.1f %10.1f\n", $1, $2, $3, $3 - $2, $4, $5
    without += $2; with += $3; time += $4; time_with += $5; effect[NR] = $3 - $2; value[NR] = $2
  }
  END {
    mean = (with - without) / NR
    for (i in effect) {
      squares += (effect[i] - mean) ^ 2
      noise += (value[i] - without / NR) ^ 2
    }
    printf "%-6s %10.4f %10.4f %+10.4f %12.1f %10.1f\n", "mean", without / NR, with / NR, mean, time / NR, time_with / NR
    printf "standard deviation of the effect %.4f, of the seeds without it %.4f\n", sqrt(squares / (NR - 1)),
           sqrt(noise / (NR - 1))
  }'
