#!/usr/bin/env bash
# List the KPIs of earlier runs: the options of --help.
set -euo pipefail
exec "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/scripts/resnet50-bench.sh" list "$@"
