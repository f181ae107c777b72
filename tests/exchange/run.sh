#!/usr/bin/env bash
# Models that Temper writes, in other programs: ONNX Runtime, Hugging Face's transformers, PEFT.
#   tests/exchange/run.sh [PART OF A NAME]
# These programs are installed from PyPI, into build/exchange/venv; TEMPER_EXCHANGE_PYTHON=/a/python has them already.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=cmake/setup.sh
source "$root/cmake/setup.sh"

need_packages "${build_packages[@]}" "${test_packages[@]}" python3-venv
build test exchange
folder=$root/build/exchange
python=${TEMPER_EXCHANGE_PYTHON:-$folder/venv/bin/python}
if [[ ! -x $python ]]; then
  python3 -m venv "$folder/venv"
  "$folder/venv/bin/pip" install -q numpy onnx onnxruntime torch transformers peft
fi
"$root/build/test/tests/exchange" "$folder"
exec "$python" -B "$root/tests/exchange/check.py" "$folder" "$@"
