#!/usr/bin/env bash
# Build the four images; in a Workload Services Framework checkout its own script does it.
DIR="$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")" && pwd -P)"
if [ -e "$DIR/../../script/build.sh" ]; then
    # shellcheck source=/dev/null
    . "$DIR/../../script/build.sh"
else
    exec "$DIR/scripts/resnet50-bench.sh" images "$@"
fi
