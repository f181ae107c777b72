#!/usr/bin/env bash
# tests/sanitizers/tsan.sh [doctest options]: ThreadSanitizer over what has threads of its own: pool, parallel loops, tape,
# optimizers, loader. Clang's OpenMP tells the sanitizer what it synchronizes (libarcher); GCC's does not.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=cmake/setup.sh
source "$root/cmake/setup.sh"

need_packages "${build_packages[@]}" "${test_packages[@]}" clang libomp-dev

programs=(core autograd optim data)
build tsan "${programs[@]/#/test_}"

archer=$(dirname "$(readlink -f "$(command -v clang++)")")/../lib/libarcher.so
[[ -e $archer ]] || die "there is no $archer"
export OMP_TOOL_LIBRARIES=$archer OMP_NUM_THREADS=4
# oneDNN and the C++ library are not compiled for the sanitizer.
export TSAN_OPTIONS="ignore_noninstrumented_modules=1 halt_on_error=0 exitcode=66 suppressions=$root/tests/sanitizers/tsan.supp"

failed=0
for program in "${programs[@]}"; do
  # A child of a process with threads is out of ThreadSanitizer's reach, and a test of memory measures the sanitizer's.
  if "$root/build/tsan/tests/test_$program" --no-intro --test-case-exclude="*fork*,*child*,*memory*" "$@"; then
    say "test_$program: no race"
  else
    say "test_$program: see above"
    failed=1
  fi
done
exit "$failed"
