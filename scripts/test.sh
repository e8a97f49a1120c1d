#!/usr/bin/env bash
# Sets up everything and passes the tests, in the stages of tests/support/stages.py. What cannot run here says why.
#   scripts/test.sh                      every stage
#   scripts/test.sh tests/test_case.py   those tests only, whatever kind they are; pytest's options are taken, too
#   scripts/test.sh --slow               those that take minutes for good reason: the training experiment, the browser
# As root on Debian it installs by apt-get the packages that the tests need, and says which ones and what for.
# The exit status is 0 if every stage passed, 128+N if signal N ended it, else 1.
set -euo pipefail
cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/.."
PYTHONPATH=tests exec python3 -m support.stages "$@"
