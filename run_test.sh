#!/usr/bin/env bash
# One case on this machine or in this container: parameters by environment or as lower-case flags.
# Writes its log, its result JSON and the instances' logs into the current folder.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
export PYTHONPATH="$here/src${PYTHONPATH:+:$PYTHONPATH}"
exec python3 -m resnet50_bench run "$@"
