#!/usr/bin/env bash
# models/bert/study.sh [options of ./run.sh bert]: measures the effect of pretraining on masked words with three seeds.
# Without options the runs have 3 epochs and take half an hour in all.
set -euo pipefail

if (($# == 0)); then set -- --epochs 3; fi
exec "$(dirname "${BASH_SOURCE[0]}")/../effect.sh" bert-study bert "--pretrain 3" "$@"
