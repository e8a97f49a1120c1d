#!/usr/bin/env bash
# Sets up what measures: the pinned PyTorch and IPEX in a virtual environment, jemalloc and numactl.
# Nothing to do the second time; --help tells of the rest. RESNET50_BENCH_ENV chooses the folder.
set -euo pipefail
here=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/.." && pwd -P)
exec "$here/scripts/resnet50-bench.sh" setup "$@"
