#!/usr/bin/env bash
# STAND-IN for WSF's script/start.sh: a logs folder for the case, then the workload's validate.sh in it.
set -e
export LOGSDIRH="$PWD/logs-${TESTCASE#test_}"
rm -rf "$LOGSDIRH"
mkdir -p "$LOGSDIRH"
cd "$LOGSDIRH"
"$SOURCEROOT/validate.sh" "$@"
