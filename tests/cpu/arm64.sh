#!/usr/bin/env bash
# Builds for arm64 with Debian's cross compiler and runs the suite on emulated CPUs. Takes hours.
# Usage: tests/cpu/arm64.sh [options of suite.py] [CPU...]   by default neoverse-n1 and max (with bf16); qemu-aarch64 -cpu help
# The packages of arm64 that it installs can displace those of this machine's own architecture:
# tests/platforms/run.sh arm64 does all of it in a root of its own.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=cmake/setup.sh
source "$root/cmake/setup.sh"

if [[ $(dpkg --print-foreign-architectures) != *arm64* ]]; then
  dpkg --add-architecture arm64
fi
need_packages "${arm64_packages[@]}" "${test_packages[@]}"
build arm64
exec python3 -B "$root/tests/cpu/suite.py" --build "$root/build/arm64" "$@"
