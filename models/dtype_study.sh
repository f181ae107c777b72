#!/usr/bin/env bash
# models/dtype_study.sh: measures the effect of --dtype bf16 on ResNet, GPT and BERT with three seeds each, on shortened
# runs. Takes half an hour.
set -euo pipefail

effect=$(dirname "${BASH_SOURCE[0]}")/effect.sh
"$effect" dtype-study/resnet resnet "--dtype bf16" --epochs 2
"$effect" dtype-study/gpt gpt "--dtype bf16" --steps 300
"$effect" dtype-study/bert bert "--dtype bf16" --epochs 1
