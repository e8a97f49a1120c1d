# STAND-IN for the ways on which WSF carries text. Sourced with bash; docker is whatever stands first on the PATH.

# docker_config FILE: DOCKER_OPTIONS as a line of YAML, as it is.
docker_config() {
    printf 'worker-0:\n- image: "image:latest"\n  options: "%s"\n  export-logs: true\n' "$DOCKER_OPTIONS" >"$1"
}

# docker_run FILE: the docker backend. It reads the line back by a pattern that no quote may stand in, ends lines at
# tildes, takes the text as a file pattern on the way and has the shell evaluate it.
docker_run() {
    local line lines IFS=$'\n'
    line=$(sed -n "s/^.*options: *[\"']*\([^\"']*\)[\"']* *\$/\1/p" "$1" | tr '~' '\n')
    lines=($line)
    unset IFS
    eval "docker run --rm --detach -e WORKER_0_HOST=127.0.0.1 ${lines[0]} image:latest"
}

# from_template TEMPLATE: the definitions are not quoted, so words end at spaces; for Kubernetes %20 becomes a space.
from_template() {
    m4 -I "$PROJECTROOT" -DPLATFORM=SPR -DWORKLOAD=resnet50_pytorch_xeon_public -DBACKEND="$BACKEND" -DREGISTRY= \
        -DRELEASE=:latest -DTESTCASE=test_case -DNAMESPACE=somebody-0123456789ab $RECONFIG_OPTIONS "$1" |
        sed '/value:/s/%20/ /g'
}
