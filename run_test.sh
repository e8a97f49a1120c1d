#!/usr/bin/env bash
# One case on this machine or in this container: parameters by environment or as lower-case flags.
# Writes its log, its result JSON and the instances' logs into the current folder.
set -euo pipefail
exec "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/scripts/resnet50-bench.sh" run "$@"
