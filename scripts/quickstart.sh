#!/usr/bin/env bash
# Sets up everything and runs this CPU's best gated case to its KPI.
set -euo pipefail
cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/.."
# A mistyped word is refused before anything is set up; what the words need besides is not there yet.
refusal=$(./ctest.sh -N "$@" 2>&1 >/dev/null) || [ "$?" != 2 ] || { echo "$refusal" >&2; exit 2; }
scripts/setup.sh
BACKEND=native exec ./ctest.sh -V --testcase "$(scripts/resnet50-bench.sh best-case)" "$@"
