# STAND-IN for WSF's script/validate.sh: shows what the workload set.
echo "WORKLOAD=$WORKLOAD"
for name in "${WORKLOAD_PARAMS[@]}"; do echo "PARAM $name=${!name}"; done
echo "DOCKER_IMAGE=$DOCKER_IMAGE ($(sed -n '1,2s/^# *//p' "$DOCKER_IMAGE" | head -1))"
echo "DOCKER_OPTIONS=$DOCKER_OPTIONS"
echo "RECONFIG_OPTIONS=$RECONFIG_OPTIONS"
echo "JOB_FILTER=$JOB_FILTER"
echo "EVENT_TRACE_PARAMS=$EVENT_TRACE_PARAMS"
