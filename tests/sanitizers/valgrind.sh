#!/usr/bin/env bash
# tests/sanitizers/valgrind.sh [program options]: a training run of a few steps under valgrind: the library as it is shipped,
# oneDNN included. Needs Fashion-MNIST, as ./run.sh mlp does.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=cmake/setup.sh
source "$root/cmake/setup.sh"

need_packages "${build_packages[@]}" "${fashion_packages[@]}" valgrind
build release temper-cnn

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# What is definitely lost is an error; what oneDNN and OpenMP keep to the end of the program is not.
OMP_NUM_THREADS=1 valgrind --quiet --error-exitcode=66 --leak-check=full --show-leak-kinds=definite \
  --errors-for-leak-kinds=definite --suppressions="$root/tests/sanitizers/valgrind.supp" \
  "$root/build/release/bin/temper-cnn" --steps 3 --batch-size 4 --threads 1 --out "$work/run" "$@"
say "valgrind has found nothing"
