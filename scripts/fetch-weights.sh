#!/usr/bin/env bash
# ASSETS OUT: the weights that a Dockerfile's ARGs or the assets folder name -> OUT/<name>; else an empty OUT.
set -euo pipefail
assets=$1 out=$2
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
mkdir -p "$out"
name=${RESNET50_WEIGHTS_VER:?}
file="$assets/$name"
if [ ! -e "$file" ] && [ "${WITH_WEIGHTS:-no}" = yes ]; then
    "$here/fetch.sh" "${RESNET50_WEIGHTS_REPO:?}" "$file"
fi
if [ -e "$file" ]; then
    # torch's rule for names of weights: <model>-<first digits of the SHA-256>.pth
    digits=${name##*-}
    digits=${digits%.pth}
    sum=$(sha256sum "$file")
    if [ "${sum:0:${#digits}}" != "$digits" ]; then
        echo "error: $name has SHA-256 ${sum%% *}, which does not begin with $digits: fetch it again" >&2
        exit 1
    fi
    cp "$file" "$out/$name"
else
    echo "no weights were asked for: this image serves DATA_TYPE=dummy"
fi
