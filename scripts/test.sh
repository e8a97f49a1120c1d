#!/usr/bin/env bash
# Sets up everything and passes the tests: unit, engine and container. What cannot run here says why.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
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
exec "$python" -m pytest -m "not slow" -rs --durations=20 "$@"
