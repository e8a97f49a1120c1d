#!/usr/bin/env bash
# Sets up everything and passes the tests, a stage after the other: the unit tests; those that start our commands as
# processes; style and types; the engine, container and scheduler tests. What cannot run here says why.
#   scripts/test.sh                      every stage
#   scripts/test.sh tests/test_case.py   those tests only, whatever kind they are; pytest's options are taken, too
#   scripts/test.sh --slow               those that take minutes for good reason: the training experiment, the browser
# The exit status is 0 where every stage passed, else 1.
set -euo pipefail
cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/.."
# Where it is set each of the processes that the tests start would compile what it imports.
unset PYTHONDONTWRITEBYTECODE
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    missing=()
    for tool in shellcheck:shellcheck gawk:gawk mawk:mawk busybox:busybox m4:m4; do
        command -v "${tool%%:*}" >/dev/null || missing+=("${tool#*:}")
    done
    if [ "${#missing[@]}" -gt 0 ]; then
        echo "tests: installing ${missing[*]}" >&2
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" </dev/null >&2
    fi
fi
python=$(scripts/setup.sh --tools)

outcomes=()
failed=0
# stage NAME COMMAND...: a line when it begins, and its outcome and time in the summary.
stage() {
    local name=$1 began=$SECONDS status=0
    shift
    echo "== $name"
    "$@" || status=$?
    if [ "$status" = 0 ]; then
        outcomes+=("$name: passed in $((SECONDS - began)) s")
    else
        outcomes+=("$name: FAILED (status $status) after $((SECONDS - began)) s")
        failed=1
    fi
    echo "== ${outcomes[-1]}"
}

if [ "${1-}" = --slow ]; then
    shift
    stage "slow tests" "$python" -m pytest -m slow -rs --durations=0 "$@"
elif [ "$#" -gt 0 ]; then
    stage "chosen tests" "$python" -m pytest -m "not slow" -rs --durations=20 "$@"
else
    # A file stays with one process, for what its tests prepare.
    stage "unit tests" "$python" -m pytest -n 2 --dist loadfile -rs --durations=5
    stage "program tests" "$python" -m pytest -n 4 --dist loadfile -rs --durations=5 -m program tests/program
    stage "style" "$python" -m ruff check .
    stage "types" "$python" -m mypy
    # They wait for containers, schedulers and single-threaded preparations for nearly half of their time: three at once.
    stage "engine, container and scheduler tests" "$python" -m pytest -n 3 --dist loadgroup -rs --durations=30 \
        -m "(engine or container or scheduler) and not quiet and not slow"
    stage "tests that need the machine to themselves" "$python" -m pytest -rs --durations=10 -m "quiet and not slow"
fi
echo "== summary ($SECONDS s)"
printf '%s\n' "${outcomes[@]}"
exit "$failed"
