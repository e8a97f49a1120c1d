# STAND-IN for WSF's script/overwrite.sh: settings of --set override the workload's own; one that differs customizes.
while IFS= read -r line; do
    [ -n "$line" ] || continue
    name=${line%%=*}
    [ "${!name:-}" = "${line#*=}" ] || customized=_customized
    export "$line"
done <<<"${STAND_IN_OVERWRITE:-}"
