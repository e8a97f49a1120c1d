#!/usr/bin/env bash
# URL FILE: a download -> FILE, once it is whole; until then it lies in FILE.partial, and a break is gone on from there.
# It ends after five tries in a row that brought nothing: a failed build loses what has come, so it must not end early.
set -euo pipefail
url=$1 file=$2
partial="$file.partial"
size() { stat -c %s -- "$partial" 2>/dev/null || echo 0; }
idle=0
# curl's own --retry begins the file anew each time, so the tries are here.
while [ "$idle" -lt 5 ]; do
    before=$(size) code=0
    http=$(curl -fL --connect-timeout 30 --speed-limit 1000 --speed-time 60 -C - -o "$partial" -w '%{http_code}' \
        "$url") || code=$?
    if [ "$(size)" -gt "$before" ]; then idle=0; else idle=$((idle + 1)); fi
    case $code/$http in
        0/*) mv -- "$partial" "$file"; exit ;;
        33/* | 36/* | */416) rm -f -- "$partial" ;; # the server cannot go on there: begin anew
        22/4*) break ;;                             # refused: that does not pass in seconds
    esac
    echo "curl ended with $code (HTTP $http), $(size) bytes have come" >&2
    [ "$idle" = 0 ] || sleep "${FETCH_PAUSE_S:-$((2 * idle))}"
done
echo "error: $url cannot be fetched (curl ended with $code, HTTP $http)" >&2
exit 1
