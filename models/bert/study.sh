#!/usr/bin/env bash
# models/bert/study.sh [options of ./run.sh bert]: what pretraining by masked words changes, for three seeds. Without
# options runs are of 3 epochs, half an hour in all.
set -euo pipefail

if (($# == 0)); then set -- --epochs 3; fi
exec "$(dirname "${BASH_SOURCE[0]}")/../effect.sh" bert-study bert "--pretrain 3" "$@"
