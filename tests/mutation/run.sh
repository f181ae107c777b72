#!/usr/bin/env bash
# tests/mutation/run.sh [number...]: tests the tests. Builds the preset `mutants`, switches on one planted bug after the
# other, and runs the suite until a test fails. A bug that no test notices is an error. The bugs are listed in
# framework/core/mutants_internal.hpp.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=cmake/setup.sh
source "$root/cmake/setup.sh"

programs=(ops optim autograd kernels nn models)

# run <program>: whether it passes; its output is in $log.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
run() {
  OMP_NUM_THREADS=1 timeout 600 "$root/build/mutants/tests/test_$1" --abort-after=1 --no-colors >"$log" 2>&1
}

# The first test case in the log, and the subcase.
failed_case() {
  awk '/^TEST CASE:/ { sub(/^TEST CASE: */, ""); name = $0; next }
       name != "" { if (/^  [^ ]/) name = name ", " substr($0, 3); print name; exit }' "$log"
}

need_packages "${build_packages[@]}" "${test_packages[@]}"
build mutants "${programs[@]/#/test_}"

for program in "${programs[@]}"; do
  run "$program" || die "without any bug test_$program fails in \"$(failed_case)\"; see $root/build/mutants"
done

count=0 survivors=0
printf '%6s  %-27s %s\n' number name 'killed by'
while read -r name number; do
  (($# == 0)) || [[ " $* " == *" $number "* ]] || continue
  count=$((count + 1))
  killer=
  for program in "${programs[@]}"; do
    if ! TEMPER_MUTANT=$number run "$program"; then
      killer="$program: $(failed_case)"
      break
    fi
  done
  [[ $killer ]] || survivors=$((survivors + 1))
  printf '%6s  %-27s %s\n' "$number" "$name" "${killer:-nothing: IT SURVIVED}"
done < <(sed -nE 's/^  ([a-z0-9_]+) = ([0-9]+), .*/\1 \2/p' "$root/framework/core/mutants_internal.hpp")

((count)) || die "there is no such bug"
say "$((count - survivors)) of $count bugs were noticed"
((survivors == 0))
