#!/usr/bin/env bash
# Build the four images; in a Workload Services Framework checkout its own script does it.
set -e
DIR="$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")" && pwd -P)"
if [ -e "$DIR/../../script/build.sh" ]; then
    commit=$("$DIR/scripts/resnet50-bench.sh" images --commit)
    BUILD_OPTIONS="${BUILD_OPTIONS:-} --build-arg COMMIT=$commit"
    # WSF starts docker in the background; only with this word does it wait for how that ends.
    set -- "$@" --exit-on-error
    # shellcheck source=/dev/null
    . "$DIR/../../script/build.sh"
else
    exec "$DIR/scripts/resnet50-bench.sh" images "$@"
fi
