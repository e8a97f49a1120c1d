# STAND-IN for WSF's script/validate.sh: shows what the workload set, carries it as WSF does, and judges by the status.
set -o pipefail
. "$PROJECTROOT/script/reader.sh"
echo "TESTCASE $TESTCASE${customized:-}"
for name in "${WORKLOAD_PARAMS[@]}"; do echo "PARAM $name=${!name}"; done
echo "DOCKER_IMAGE=$DOCKER_IMAGE ($(sed -n '1,2s/^# *//p' "$DOCKER_IMAGE" | head -1))"
echo "JOB_FILTER=$JOB_FILTER"
echo "EVENT_TRACE_PARAMS=$EVENT_TRACE_PARAMS"
echo "WSF_OPTIONS=${DOCKER_CMAKE_OPTIONS:-}"
from_template "$SOURCEROOT/cluster-config.yaml.m4" >cluster-config.yaml
case $BACKEND in
    docker) docker_config docker-config.yaml && docker_run docker-config.yaml ;;
    terraform) docker_config docker-config.yaml ;;
    kubernetes) from_template "$SOURCEROOT/kubernetes-config.yaml.m4" >kubernetes-config.yaml ;;
esac
mkdir -p itr-1/worker-0-c0
echo "${STAND_IN_STATUS:-0}" >itr-1/worker-0-c0/status
echo "${STAND_IN_LOG:-}" >itr-1/worker-0-c0/console.log
[ "${STAND_IN_STATUS:-0}" = 0 ] || { echo "itr-1 app status: $STAND_IN_STATUS"; exit 1; }
