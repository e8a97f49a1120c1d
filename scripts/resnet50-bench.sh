#!/usr/bin/env bash
# The project's Python command line, whatever the current folder is.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
export PYTHONPATH="$here/src${PYTHONPATH:+:$PYTHONPATH}"
exec python3 -m resnet50_bench "$@"
