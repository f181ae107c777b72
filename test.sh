#!/usr/bin/env bash
# ./test.sh [options of ctest]: installs what is missing, builds, runs the tests. For example ./test.sh -R optim
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=cmake/setup.sh
source "$root/cmake/setup.sh"

need_packages "${build_packages[@]}" "${test_packages[@]}"
build test
exec ctest --test-dir "$root/build/test" --output-on-failure -j "$(nproc)" "$@"
