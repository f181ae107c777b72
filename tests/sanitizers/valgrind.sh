#!/usr/bin/env bash
# tests/sanitizers/valgrind.sh [program options]: runs a few training steps under valgrind, with the release build and
# oneDNN. Needs Fashion-MNIST, as ./run.sh mlp does.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=cmake/setup.sh
source "$root/cmake/setup.sh"

need_packages "${build_packages[@]}" "${fashion_packages[@]}" valgrind
build release temper-cnn

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Only memory that is definitely lost is an error; memory that oneDNN and OpenMP keep until the end is not.
OMP_NUM_THREADS=1 valgrind --quiet --error-exitcode=66 --leak-check=full --show-leak-kinds=definite \
  --errors-for-leak-kinds=definite --suppressions="$root/tests/sanitizers/valgrind.supp" \
  "$root/build/release/bin/temper-cnn" --steps 3 --batch-size 4 --threads 1 --out "$work/run" "$@"
say "valgrind has found nothing"
