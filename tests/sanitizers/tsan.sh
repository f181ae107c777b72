#!/usr/bin/env bash
# tests/sanitizers/tsan.sh [doctest options]: runs the tests of everything that uses threads with ThreadSanitizer: pool,
# parallel loops, tape, optimizers, loader. Needs Clang, whose OpenMP reports its synchronization (libarcher); GCC's does not.
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
# Suppresses reports from oneDNN and the C++ library, which are not compiled with the sanitizer.
export TSAN_OPTIONS="ignore_noninstrumented_modules=1 halt_on_error=0 exitcode=66 suppressions=$root/tests/sanitizers/tsan.supp"

failed=0
for program in "${programs[@]}"; do
  # Excluded: ThreadSanitizer does not support fork() in a process with threads, and tests of memory and allocations would measure its own.
  if "$root/build/tsan/tests/test_$program" --no-intro --test-case-exclude="*fork*,*child*,*memory*,*allocat*" "$@"; then
    say "test_$program: no race"
  else
    say "test_$program: see above"
    failed=1
  fi
done
exit "$failed"
