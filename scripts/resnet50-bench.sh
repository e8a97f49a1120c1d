#!/usr/bin/env bash
# The project's Python command line, whatever the current folder is: by the environment that scripts/setup.sh made, and
# before there is one by the system's Python, which can list the cases, help and set up.
set -euo pipefail
here=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/.." && pwd -P)
case $here in
    *[:\\]* | *$'\n'*)
        printf 'error: %q: Python and CMake take no path with a colon, a backslash or a line end: move the checkout\n' "$here" >&2
        exit 3
        ;;
esac
export PYTHONPATH="$here/src${PYTHONPATH:+:$PYTHONPATH}"
python=python3
case ${XDG_CACHE_HOME-} in
    /*) cache=$XDG_CACHE_HOME ;;
    *) cache=~/.cache ;;
esac
# As src/resnet50_bench/stack/environment.py names the folder and its marker.
requirements="$here/src/resnet50_bench/stack/requirements"
for pins in "$requirements/${RESNET50_BENCH_STACK:-ipex}.txt" "$requirements/ipex.txt" "$requirements"/*.txt; do
    [ -r "$pins" ] || continue
    stack=${pins##*/}
    stack=${stack%.txt}
    read -r _ digest _ <"$pins"
    folder=${RESNET50_BENCH_ENV:-$cache/resnet50-bench/env-$digest}
    if [ -r "$folder/complete-$stack" ] && [ "$(<"$folder/complete-$stack")" = "$digest" ]; then
        python=$folder/bin/python
        break
    fi
done
if [ "$python" = python3 ] && ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
    there=$(python3 --version 2>&1) || there="there is none"
    echo "error: python3 of 3.10 or newer is needed ($there): apt-get install python3 python3-venv, or put one on the PATH" >&2
    exit 3
fi
exec "$python" -m resnet50_bench "$@"
