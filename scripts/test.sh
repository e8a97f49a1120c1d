#!/usr/bin/env bash
# Sets up everything and passes the tests: those that start our commands as processes, style and types, and the engine
# tests, beside the container tests (whose images are built beside the set-up) and the scheduler tests; then alone the unit
# tests and those that need a quiet machine. What cannot run here says why.
#   scripts/test.sh                      every stage
#   scripts/test.sh tests/test_case.py   those tests only, whatever kind they are; pytest's options are taken, too
#   scripts/test.sh --slow               those that take minutes for good reason: the training experiment, the browser
# The exit status is 0 where every stage passed, else 1.
set -euo pipefail
cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/.."
# Where it is set each of the processes that the tests start would compile what it imports.
unset PYTHONDONTWRITEBYTECODE

# NAME:PACKAGE ...: those that are not there are installed, together, where that needs no questions.
installed() {
    local tool missing=()
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 0
    for tool in "$@"; do
        command -v "${tool%%:*}" >/dev/null || missing+=("${tool#*:}")
    done
    if [ "${#missing[@]}" -gt 0 ]; then
        echo "tests: installing ${missing[*]}" >&2
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" </dev/null >&2
    fi
}

scratch=$(mktemp -d)
outcomes=()
failed=0
# ended NAME STATUS SECONDS: a line, and one of the summary.
ended() {
    local outcome="$1: passed in $3 s"
    if [ "$2" != 0 ]; then
        outcome="$1: FAILED (status $2) after $3 s"
        failed=1
    fi
    outcomes+=("$outcome")
    echo "== $outcome"
}
# stage NAME COMMAND...: with a line when it begins.
stage() {
    local name=$1 began=$SECONDS status=0
    shift
    echo "== $name"
    "$@" || status=$?
    ended "$name" "$status" "$((SECONDS - began))"
}
# beside NAME COMMAND...: as a stage, while those that follow run; what it says comes when join_all waits for it.
declare -A pids=() begun=()
beside() {
    local name=$1
    shift
    echo "== $name: begun, beside what follows"
    begun[$name]=$(date +%s)
    # A shell lets what it starts beside itself ignore Ctrl-C, after which engines and schedulers would stay.
    env --default-signal=INT "$@" >"$scratch/$name" 2>&1 &
    pids[$name]=$!
}
join_all() {
    local name status
    for name in "${!pids[@]}"; do
        status=0
        wait "${pids[$name]}" || status=$?
        echo "== $name"
        cat -- "$scratch/$name"
        ended "$name" "$status" "$(($(stat -c %Y "$scratch/$name") - begun[$name]))"
        unset "pids[$name]"
    done
}
images=(env PYTHONPATH=src:tests python3 -m support.docker_images)
# shellcheck disable=SC2317  # the trap calls it
give_up() {
    if [ "${#pids[@]}" -gt 0 ]; then
        kill -INT "${pids[@]}" 2>/dev/null || echo "tests: what ran beside was over" >&2
        wait
    fi
    # The engine that a run of chosen tests started has ended with them; another run may need its own.
    [ -z "${begun[images]-}" ] || "${images[@]}" stop || echo "tests: a docker engine may be left" >&2
    rm -rf -- "$scratch"
}
trap give_up EXIT

tools=(shellcheck:shellcheck gawk:gawk mawk:mawk busybox:busybox m4:m4)
if [ "${1-}" = --slow ]; then
    shift
    installed "${tools[@]}"
    python=$(scripts/setup.sh --tools)
    stage "slow tests" "$python" -m pytest -m slow -rs --durations=0 "$@"
elif [ "$#" -gt 0 ]; then
    installed "${tools[@]}"
    python=$(scripts/setup.sh --tools)
    stage "chosen tests" "$python" -m pytest -m "not slow" -rs --durations=20 "$@"
else
    # With what the set-up and the container tests would install: they run beside each other, which apt-get does not.
    installed "${tools[@]}" dockerd:docker.io debootstrap:debootstrap numactl:numactl
    # What runs beside others is not judged by its speed. Its warm-up would look 20 s for steady step times in vain. Its
    # threads shall not wait for each other by spinning: two measurements on the same cores took half as much processor
    # time again (47 s for 31).
    aside=(env WARMUP_STEPS=0 CUSTOMER_ENV=OMP_WAIT_POLICY=passive)
    pytest=(-m pytest -rs)
    beside "images" "${images[@]}" build
    python=$(scripts/setup.sh --tools)
    beside "container tests" "${aside[@]}" "$python" "${pytest[@]}" --durations=15 \
        -m "container and not slow" tests/container
    # A file stays with one process, for what its tests prepare.
    stage "program tests" "$python" "${pytest[@]}" -n 2 --dist loadfile --durations=5 -m program tests/program
    stage "style" "$python" -m ruff check .
    stage "types" "$python" -m mypy
    # These wait for most of their time: not while the images keep the cores busy.
    beside "scheduler tests" "${aside[@]}" "$python" "${pytest[@]}" --durations=15 \
        -m "scheduler and not slow" tests/scheduler
    # Most of a case is imports and first calls by one thread: two at once use both cores.
    stage "engine tests" "${aside[@]}" "$python" "${pytest[@]}" -n 2 --dist loadfile --durations=30 \
        -m "engine and not quiet and not slow" tests/engine
    join_all
    # These alone: the unit tests take seconds, and the last ones judge how quiet the machine is.
    stage "unit tests" "$python" "${pytest[@]}" -n 2 --dist loadfile --durations=5
    stage "engine tests that need the machine to themselves" "$python" "${pytest[@]}" --durations=10 \
        -m "quiet and not slow" tests/engine
fi
echo "== summary ($SECONDS s)"
printf '%s\n' "${outcomes[@]}"
exit "$failed"
