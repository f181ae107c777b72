#!/bin/sh
# ONNX's backend tests with Temper's operations: converts them, builds what runs them, and counts.
#
#     tests/onnx/run.sh [--list] [--at-least N] [PART OF A NAME]
#
# The tests are those of Debian's libonnx-testdata (apt-get install libonnx-testdata), or in TEMPER_ONNX_DATA.
set -eu
cd "$(dirname "$0")/../.."
data=${TEMPER_ONNX_DATA:-/usr/share/libonnx-testdata/data}
if [ ! -d "$data/node" ]; then
  echo "tests/onnx/run.sh: no tests in $data: apt-get install libonnx-testdata" >&2
  exit 2
fi
python=${TEMPER_PYTHON:-python3}
if ! "$python" -c "import numpy" 2> /dev/null; then
  echo "tests/onnx/run.sh: $python has no numpy: apt-get install python3-numpy, or name another in TEMPER_PYTHON" >&2
  exit 2
fi
[ -f build/test/build.ninja ] || cmake --preset test
cmake --build build/test --target onnx_cases
"$python" tests/onnx/convert.py "$data" build/test/onnx
exec build/test/tests/onnx_cases build/test/onnx "$@"
