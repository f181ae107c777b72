#!/usr/bin/env bash
# tests/sanitizers/valgrind.sh [program options]: runs a few training steps under valgrind, with the build of the tests and
# oneDNN. Needs Fashion-MNIST, as ./run.sh mlp does.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=cmake/setup.sh
source "$root/cmake/setup.sh"

need_packages "${build_packages[@]}" "${fashion_packages[@]}" valgrind
build test temper-cnn

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Few images, because valgrind takes fifty times as long: the first 64 to train on and the first 32 to evaluate.
first() {  # <file> <bytes of the header> <bytes of an example> <examples>
  zcat "/usr/share/datasets/fashion-mnist/$1.gz" | head -c $(($2 + $3 * $4)) >"$work/$1" || true
  # The number of examples is the header's second number, big-endian.
  printf "\\x00\\x00\\x00\\x$(printf %02x "$4")" | dd of="$work/$1" bs=1 seek=4 conv=notrunc status=none
}
first train-images-idx3-ubyte 16 784 64
first train-labels-idx1-ubyte 8 1 64
first t10k-images-idx3-ubyte 16 784 32
first t10k-labels-idx1-ubyte 8 1 32

# oneDNN's generated AVX2 product reads one vector past a buffer of its own and does not use it. No suppression can tell
# generated code from ours, so oneDNN takes its SSE4.1 code here. Only memory that is definitely lost is an error; memory
# that oneDNN and OpenMP keep until the end is not.
OMP_NUM_THREADS=1 ONEDNN_MAX_CPU_ISA=SSE41 valgrind --quiet --error-exitcode=66 --leak-check=full \
  --show-leak-kinds=definite --errors-for-leak-kinds=definite \
  "$root/build/test/bin/temper-cnn" --data "$work" --steps 3 --batch-size 4 --threads 1 --out "$work/run" "$@"
say "valgrind has found nothing"
