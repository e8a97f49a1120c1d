#!/usr/bin/env bash
# Sets up everything and runs this CPU's best gated case to its KPI.
set -euo pipefail
cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/.."
scripts/setup.sh
BACKEND=native exec ./ctest.sh -V --testcase "$(scripts/resnet50-bench.sh best-case)" "$@"
