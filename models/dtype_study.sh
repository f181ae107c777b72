#!/usr/bin/env bash
# models/dtype_study.sh: what --dtype bf16 changes for ResNet, GPT and BERT, for three seeds each, on shortened runs: half
# an hour in all.
set -euo pipefail

effect=$(dirname "${BASH_SOURCE[0]}")/effect.sh
"$effect" dtype-study/resnet resnet "--dtype bf16" --epochs 2
"$effect" dtype-study/gpt gpt "--dtype bf16" --steps 300
"$effect" dtype-study/bert bert "--dtype bf16" --epochs 1
