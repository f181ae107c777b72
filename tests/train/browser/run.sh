#!/usr/bin/env bash
# Checks the reports of synthetic runs in a headless Chromium, which it installs if it is missing.
# Usage: tests/train/browser/run.sh [FOLDER FOR SCREENSHOTS]
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
# shellcheck source=cmake/setup.sh
source "$root/cmake/setup.sh"

need_packages "${build_packages[@]}" python3 chromium
build release temper-report
exec python3 "$root/tests/train/browser/check.py" "$root/build/release/bin/temper-report" "$@"
