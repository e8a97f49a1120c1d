#!/usr/bin/env bash
# List and run the cases: everything that ctest takes, and the options of --help.
set -euo pipefail
exec "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/scripts/resnet50-bench.sh" ctest "$@"
