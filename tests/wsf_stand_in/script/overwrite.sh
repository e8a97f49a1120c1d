# STAND-IN for WSF's script/overwrite.sh: settings of --set override the workload's own.
if [ -n "${STAND_IN_OVERWRITE:-}" ]; then eval "$STAND_IN_OVERWRITE"; fi
