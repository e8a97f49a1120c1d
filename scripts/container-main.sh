#!/usr/bin/env bash
# A container's life: run the case, offer its logs once at the FIFO /export-logs, sleep until removed.
set -uo pipefail
# A deadline of its own: where the host side was killed, nobody else ends this container.
if [ -n "${RESNET50_BENCH_DEADLINE_S:-}" ]; then
    exec env -u RESNET50_BENCH_DEADLINE_S timeout --kill-after=15 "$RESNET50_BENCH_DEADLINE_S" "$0"
fi
exec {out}> >(exec tee console.log)
writer=$!
/opt/resnet50/run_test.sh >&"$out" 2>&1 {out}>&- &
runner=$!
exec {out}>&-
# As process 1 nothing is ended by a signal that it does not handle.
trap 'kill -TERM "$runner" 2>/dev/null; ended=yes' TERM INT
wait "$runner"
status=$?
# A trapped signal ends `wait` early: the runner still has to reap its instances.
while kill -0 "$runner" 2>/dev/null; do
    wait "$runner"
    status=$?
done
# console.log is whole once tee has ended. A process that outlived the runner with its output must not hold the logs
# back for ever, so not longer than ten seconds.
for _ in {1..100}; do
    kill -0 "$writer" 2>/dev/null || break
    sleep 0.1
done
echo "$status" > status
[ -z "${ended:-}" ] || exit "$status"
(shopt -s nullglob; exec tar cf /export-logs status ./*.log ./benchmark_*.json ./mlperf_log_*.txt ./rate[s])
sleep infinity &
wait $!
