#!/usr/bin/env bash
# docs.sh --reference: writes the parts of docs/reference that are made from the code.
# docs.sh --site: builds the site of docs/ into build/site; a dead link is an error.
# docs.sh: both.
set -euo pipefail
cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/.."
python=$(scripts/setup.sh --tools)
if [ "${1:-}" != --site ]; then
    PYTHONPATH=src:tests "$python" -m support.made_pages
fi
if [ "${1:-}" != --reference ]; then
    # An environment of its own, which uv keeps for the next time.
    mkdocs=("${python%/*}/uv" run --quiet --no-project --isolated --python "$python"
            --with-requirements src/resnet50_bench/stack/requirements/docs.txt mkdocs)
    "${mkdocs[@]}" --version >/dev/null || { echo "error: mkdocs cannot be installed (see above)" >&2; exit 3; }
    NO_MKDOCS_2_WARNING=1 "${mkdocs[@]}" build --strict >&2
    echo "build/site/index.html"
fi
