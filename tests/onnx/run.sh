#!/usr/bin/env bash
# ONNX's backend tests with Temper's operations: converts them, builds what runs them, and counts.
#   tests/onnx/run.sh [--list] [--at-least N] [PART OF A NAME]
# The tests are those of Debian's libonnx-testdata.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=cmake/setup.sh
source "$root/cmake/setup.sh"

need_packages "${build_packages[@]}" "${test_packages[@]}" libonnx-testdata
build test onnx_cases
# Debian's Python has Debian's numpy.
/usr/bin/python3 "$root/tests/onnx/convert.py" /usr/share/libonnx-testdata/data "$root/build/test/onnx"
exec "$root/build/test/tests/onnx_cases" "$root/build/test/onnx" "$@"
