#!/usr/bin/env bash
# Sets up the test tools and passes the unit tests.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
python3 -m venv build/test-env
build/test-env/bin/pip install -q pytest==9.2.0 hypothesis==6.170.15
exec build/test-env/bin/python -m pytest
