#!/usr/bin/env bash
# ASSETS OUT: the data set that a Dockerfile's ARGs or the assets folder name -> OUT/val/<synset>/*; else an empty OUT.
set -euo pipefail
assets=$1 out=$2
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
mkdir -p "$out"
tar="$assets/${IMAGENET_VAL_VER:?}"
if [ -d "$assets/val" ]; then
    cp -r "$assets/val" "$out/val"
    exit
fi
if [ ! -e "$tar" ] && [ "${WITH_DATASET:-no}" = yes ]; then
    "$here/fetch.sh" "${IMAGENET_VAL_REPO:?}" "$tar"
fi
if [ -e "$tar" ]; then
    PYTHONPATH="$here/../src" python3 -m resnet50_bench dataset "$tar" "$out" \
        --ground-truth "$assets/ground_truth.txt" --sha256 "${IMAGENET_VAL_SHA256:?}"
else
    echo "no data set was asked for: this image serves DATA_TYPE=dummy"
fi
