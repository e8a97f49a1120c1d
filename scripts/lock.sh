#!/usr/bin/env bash
# pyproject.toml -> the requirement files that are installed: exact versions with the hashes of their files, for Linux on
# x86-64. Versions stay as they are where they fit; `scripts/lock.sh --upgrade` takes the newest. Needs uv and its
# package index; whoever changed pyproject.toml runs this and commits what it made.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
folder=src/resnet50_bench/stack/requirements
command -v uv >/dev/null || { echo "error: uv is not on the PATH: python3 -m pip install uv" >&2; exit 3; }

# NAME WORD ...: what uv resolves with these words -> NAME.txt.
lock() {
    local file="$folder/$1.txt"
    uv pip compile --quiet --no-header --no-annotate --generate-hashes --output-file "$file" "${@:2}" >/dev/null
    signed "$1" <"$file"
}
# NAME: stdin -> NAME.txt. The first line is its digest, which a shell, too, can compare.
signed() {
    local text
    text=$(grep -v '^#')
    printf '# %s made of pyproject.toml by scripts/lock.sh\n%s\n' "$(sha256sum <<<"$text" | cut -c1-12)" "$text" \
        >"$folder/$1.txt"
    echo "$1.txt: $(grep -c == "$folder/$1.txt") packages" >&2
}
gpu=$(PYTHONPATH=src python3 -c 'from resnet50_bench.stack import pins; print(*pins.WITHOUT_GPU, sep="|")')
# NAME PATTERN: the file without the packages whose whole name matches.
without() { awk -v pattern="^($2)==" '/^[a-z]/ { left_out = $0 ~ pattern } !left_out' "$folder/$1.txt"; }

every=(pyproject.toml --universal --extra pictures)
lock ipex "${every[@]}" --python-version 3.10 --extra ipex "$@"
without ipex "$gpu" | signed ipex
pins="--constraints=$folder/ipex.txt"
lock host "${every[@]}" --python-version 3.10 "$pins"
# What tests is installed beside what measures.
lock tools "${every[@]}" --python-version 3.10 --extra ipex --extra test "$pins" "$@"
measured=$(sed -n 's/^\([a-z0-9-]*\)==.*/\1/p' "$folder/ipex.txt" | sort -u | paste -sd '|')
without tools "$measured|$gpu" | signed tools
for stack in current openvino zentorch; do
    lock "$stack" "${every[@]}" --python-version 3.11 --extra "$stack" "$@"
done
# The image has one Python, and only what measures.
lock image pyproject.toml --python-version 3.13 --python-platform x86_64-manylinux_2_28 --extra ipex "$pins"
without image "$gpu" | signed image
# The installer itself: pip gets it into a new environment.
echo uv | lock uv - --universal --python-version 3.10 "$@"
# What builds the site of docs/ (scripts/docs.sh).
echo mkdocs-material | lock docs - --universal --python-version 3.10 "$@"
