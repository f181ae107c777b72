#!/usr/bin/env bash
# Runs the suite on other CPUs, emulated by QEMU. Takes an hour or two.
# Usage: tests/cpu/run.sh [--jobs N] [CPU...]   by default Haswell (AVX2) and Nehalem (SSE4); qemu-x86_64 -cpu help
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=cmake/setup.sh
source "$root/cmake/setup.sh"

need_packages "${build_packages[@]}" "${test_packages[@]}"
build test
exec python3 -B "$root/tests/cpu/suite.py" --build "$root/build/test" "$@"
