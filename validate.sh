#!/usr/bin/env bash
# validate.sh <option>: one case; inside a Workload Services Framework (WSF) checkout by WSF's scripts, standing
# alone by our own ctest.sh. The option is a case's name without the workload.
set -e
DIR="$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")" && pwd -P)"
option=${1:?usage: validate.sh <FUNCTION>_<MODE>_<PRECISION>[_<CASE_TYPE>]}

if [ ! -e "$DIR/../../script/validate.sh" ]; then
    exec "$DIR/ctest.sh" -V --testcase "resnet50_pytorch_xeon_public_$option"
fi

# Python writes the assignments and quotes the values, so nothing in them is evaluated.
settings() {
    local assignments
    assignments=$("$DIR/scripts/resnet50-bench.sh" wsf-settings "$@")
    eval "$assignments"
}

settings "$option" # the parameters: the name's, the environment's, the defaults
# shellcheck source=/dev/null
. "$DIR/../../script/overwrite.sh" # those of --set and --config

export DOCKER_OPTIONS RECONFIG_OPTIONS BACKEND # the caller's
settings --words "$option" # in the words of WSF's backends
# WSF's validate.sh reads all of these.
DOCKER_IMAGE="$DIR/Dockerfile.1.inference"
JOB_FILTER="job-name=resnet50-pytorch-xeon-public-benchmark"
export DOCKER_CMAKE_OPTIONS WORKLOAD_PARAMS DOCKER_IMAGE JOB_FILTER EVENT_TRACE_PARAMS
# What it says is beside the outcome, whose status must stay the case's.
outcome() { "$DIR/scripts/resnet50-bench.sh" wsf-settings --outcome "${LOGSDIRH:-.}" || echo "the outcome's line could not be made" >&2; }
trap outcome EXIT

# shellcheck source=/dev/null
. "$DIR/../../script/validate.sh"
