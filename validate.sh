#!/usr/bin/env bash
# validate.sh <option>: one case; inside a Workload Services Framework (WSF) checkout by WSF's scripts, standing
# alone by our own ctest.sh. The option is a case's name without the workload.
DIR="$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")" && pwd -P)"
option=${1:?usage: validate.sh <FUNCTION>_<MODE>_<PRECISION>[_<CASE_TYPE>]}

if [ ! -e "$DIR/../../script/validate.sh" ]; then
    exec "$DIR/ctest.sh" -V --testcase "resnet50_pytorch_xeon_public_$option"
fi

WORKLOAD=${WORKLOAD:-resnet50_pytorch_xeon_public}
# Assignments of every parameter, PARAMETERS and EVENT_TRACE_PARAMS; Python has quoted the values.
assignments=$("$DIR/scripts/resnet50-bench.sh" wsf-settings "$option") || exit
eval "$assignments"

# shellcheck source=/dev/null
. "$DIR/../../script/overwrite.sh"

# WSF's validate.sh reads all of these.
WORKLOAD_PARAMS=("${PARAMETERS[@]}")
DOCKER_IMAGE="$DIR/Dockerfile.1.inference"
DOCKER_OPTIONS="--cap-drop=ALL --cap-add=SYS_NICE --shm-size=4g"
RECONFIG_OPTIONS=${RECONFIG_OPTIONS-}  # the caller's, such as -DK_CPUS=56
for name in "${PARAMETERS[@]}"; do
    DOCKER_OPTIONS+=" -e $name=$(printf '%q' "${!name}")"
    RECONFIG_OPTIONS+=" -DK_$name=$(printf '%q' "${!name}")"
done
JOB_FILTER="job-name=resnet50-pytorch-xeon-public-benchmark"
export WORKLOAD WORKLOAD_PARAMS DOCKER_IMAGE DOCKER_OPTIONS RECONFIG_OPTIONS JOB_FILTER EVENT_TRACE_PARAMS

# shellcheck source=/dev/null
. "$DIR/../../script/validate.sh"
