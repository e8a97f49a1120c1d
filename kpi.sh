#!/bin/sh
# Logs of a case -> its KPIs: "## NAME: value" tunables, "key (unit): value" metrics, "*" the primary one.
# Reads */benchmark_*.log (else itr-*/*/benchmark_*.log, as the mean over the iterations, else
# benchmark_*.log) of the current folder or the one named. Several folders must be worker-*, the nodes
# of one run. Needs a POSIX shell and any awk. A run that failed, was cut off or
# lost an instance gives "# INVALID RESULT: why" and exit status 1, never a primary KPI.
export LC_ALL=C # a decimal point in every locale
export lost=    # the iteration that left no log
unset CDPATH    # else cd may go elsewhere
usage() { echo "kpi.sh: $1; usage: kpi.sh [FOLDER]" >&2; exit 2; }
folder=
for word in "$@"; do
    [ "$word" = make_kpi_resnet50 ] && continue
    [ -z "$folder" ] || usage "one folder only, not $folder and $word"
    case $word in ''|-) usage "'$word' is not a readable folder" ;; esac # cd would take them
    [ -r "$word" ] || usage "$word is not a readable folder"
    folder=$word
done
cd -- "${folder:-.}" 2>/dev/null || usage "$folder is not a readable folder"
set -- ./*/benchmark_*.log
if [ ! -e "$1" ]; then
    for iteration in itr-*/; do # one without a log must not vanish from the mean
        set -- "$iteration"*/benchmark_*.log
        [ -e "$1" ] || lost=${lost:-$iteration}
    done
    set -- ./itr-*/*/benchmark_*.log
    [ -e "$1" ] || { shift; lost=; }
fi
for log in ./benchmark_*.log; do [ ! -e "$log" ] || set -- "$@" "$log"; done # run_test.sh, a sweep's point
[ -e "${1-}" ] || { echo "# INVALID RESULT: no benchmark_*.log below $(pwd)"; exit 1; }

exec awk '
BEGIN {
    # In each worker folder the newest log counts; its name ends in _<date>.log.
    for (i = 1; i < ARGC; i++) {
        dir = folder_of(ARGV[i]); stamp = ARGV[i]; sub(/.*_/, "", stamp)
        if (!(dir in newest)) add_folder(dir)
        if (!(dir in newest) || stamp >= stamp_of[dir]) { newest[dir] = ARGV[i]; stamp_of[dir] = stamp }
    }
    if (strangers != "") {
        print "# INVALID RESULT: " strangers " are not nodes (worker-*) of one run. Name the folder of one run, or list" \
              " several with list-kpi.sh or scripts/resnet50-bench.sh list"
        exit 1
    }
    for (i = 1; i < ARGC; i++) {
        if (newest[folder_of(ARGV[i])] == ARGV[i]) logs[++log_count] = ARGV[i]
        else ARGV[i] = ""
    }
    # Tunables of any log, and NAME_Version; our runner may name more of them above LOG_FORMAT.
    split("WORKLOAD PLATFORM FUNCTION MODE CASE_TYPE PRECISION TOPOLOGY DATA_TYPE DATASET WEIGHTS QCONF " \
          "ACCURACY_TARGET CHECKPOINT BATCH_SIZE CORES_PER_INSTANCE INSTANCE_MODE STEPS WARMUP_STEPS MIN_DURATION " \
          "TARGET_QPS LATENCY_BOUND_MS LATENCY_PERCENTILE FAIL_ON_NOISY WEIGHT_SHARING TORCH_TYPE VERBOSE CUSTOMER_ENV BURST INSTANCE_NUMBER FRAMEWORK RECIPE_TYPE",
          names, " ")
    for (i in names) is_tunable[names[i]] = 1
    # line of the log|metric|unit, in the order in which they are printed
    metric_count = split("Latency_Mean|Latency|ms,Latency_Min|Latency Min|ms,Latency_Max|Latency Max|ms," \
        "Latency_P50|Latency P50|ms,Latency_P90|Latency P90|ms,Latency_P95|Latency P95|ms," \
        "Latency_P99|Latency P99|ms,Latency_P99.9|Latency P99.9|ms," \
        "Server_Rate|Server Rate|queries/sec,Server_Target|Server Target|queries/sec,Server_Batch|Server Batch|queries," \
        "Server_Padding|Server Padding|%," \
        "Training_Loss|Training Loss|nats,Training_Top1|Training Top1|%," \
        "Accuracy|Accuracy|%,Accuracy_Top5|Accuracy Top5|%,Loader_Throughput|Loader Throughput|samples/sec," \
        "Window_Overlap|Window Overlap|%,Window_Duration|Window Duration|s," \
        "Compute_Utilization|Compute Utilization|%,Memory_Utilization|Memory Utilization|%", rows, ",")
    for (i = 1; i <= metric_count; i++) { split(rows[i], row, "|"); line_of[i] = row[1]; key_of[i] = row[2]
        unit_of[i] = row[3]; is_metric[row[1]] = 1 }
}

function folder_of(file) { sub(/\/[^\/]*$/, "", file); return file }
# Points of a sweep or rates of a search are runs of their own: their sum or mean is the result of none.
function add_folder(dir,    parent, other) {
    parent = folder_of(dir); sub(/^\.\//, "", dir)
    other = dir == "." ? last : beside[parent]
    if (other != "" && strangers == "" && (dir !~ /(^|\/)worker-[^\/]*$/ || other !~ /(^|\/)worker-[^\/]*$/))
        strangers = other " and " (dir == "." ? "this folder" : dir)
    beside[parent] = last = dir
}
function invalid(why) { if (wrong == "") wrong = why }
function is_positive(text) {
    return text ~ /^[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?$/ && text + 0 > 0 && text + 0 < 1e300
}
function is_nought(text) { return text ~ /^0(\.0*)?$/ }

FNR == 1 { others = 0 }
{
    sub(/\r$/, "")
    split_at = index($0, ":")
    if (!split_at) { if ($0 ~ /^Complete\.\.\./) complete[FILENAME] = 1; next }
    key = substr($0, 1, split_at - 1); value = substr($0, split_at + 1); sub(/^ +/, "", value)
    first = value; sub(/ .*/, "", first)
    if (key in is_tunable || key ~ /^[A-Za-z]+_Version$/) tune(key, value)
    else if (key == "LOG_FORMAT") {
        ours[FILENAME] = 1
        for (i = 1; i <= others; i++) tune(other_key[i], other_value[i])
    }
    else if (key == "Evaluating RESNET") begun[FILENAME] = 1
    else if (key == "Throughput") rate[FILENAME, ++rates[FILENAME]] = first
    else if (key == "Total_Throughput") total[FILENAME] = first
    else if (key == "Throughput_CI95") { split(value, ends, " "); low[FILENAME] = ends[1]; high[FILENAME] = ends[2] }
    else if (key == "Interval_Kind") interval_kind = value
    else if (key == "Convolution_Kernels" && value ~ /^unproven/) unproven = value
    else if (key in is_metric) reading[FILENAME, key] = first
    else if (key == "VERDICT") verdict[FILENAME] = value
    else if (key == "RESULT") result[FILENAME] = value
    else if (key ~ /^[A-Z][A-Z0-9_]*$/ && !ours[FILENAME]) { other_key[++others] = key; other_value[others] = value }
}
function tune(key, value) {
    if (!(key in tunable)) order[++tunable_count] = key
    tunable[key] = value; parameter[FILENAME, key] = value
}

# Whether a log is the whole log of a run that passed; fills sums that END divides by the iterations.
function judge(file,    status, i, sum, line, name, place) {
    name = file; sub(/^\.\//, "", name)
    if ((getline status < (folder_of(file) "/status")) < 0) status = 0 # other runners write none
    gsub(/[ \t\r]/, "", status)
    mode = parameter[file, "MODE"]
    instances = parameter[file, "INSTANCE_NUMBER"]
    if (ours[file]) {
        if (result[file] == "") invalid("the log was cut off: no RESULT line in " name)
        else if (result[file] != "passed") { sub(/^failed: */, "", result[file]); invalid(result[file]) }
        if (verdict[file] ~ /^invalid/) { sub(/^invalid:? */, "", verdict[file]); invalid(verdict[file]) }
    }
    place = folder_of(file) "/status"; sub(/^\.\//, "", place)
    if (status !~ /^0+$/) invalid("exit status " (status == "" ? "missing" : status) " in " place)
    if ((ours[file] || begun[file]) && !complete[file]) invalid("the log was cut off: no Complete... in " name)
    if (instances != "" && mode != "accuracy" && rates[file] + 0 != instances + 0)
        invalid(rates[file] + 0 " of " instances " instances reported in " name)
    if (ours[file] && instances == "") invalid("no INSTANCE_NUMBER line in " name)
    if (!rates[file] && mode != "accuracy") invalid("no Throughput line in " name)
    for (i = 1; i <= rates[file]; i++) {
        if (!is_positive(rate[file, i])) invalid("Throughput: " rate[file, i] " in " name " is no positive number")
        sum += rate[file, i]
        instance_rate[++instance_count] = rate[file, i]
    }
    if (ours[file] && file in total) {
        if (!is_positive(total[file])) invalid("Total_Throughput: " total[file] " is no positive number")
        else if (total[file] + 0 > 1.01 * sum || total[file] + 0 < 0.99 * sum)
            invalid("Total_Throughput " total[file] " is not the sum of the instances, " sum)
        sum = total[file] + 0
    }
    throughput += sum
    if (file in low) {
        if (!is_positive(low[file]) && !is_nought(low[file]) || !is_positive(high[file]))
            invalid("Throughput_CI95: " low[file] " " high[file] " in " name " is no interval")
        low_sum += low[file]; high_sum += high[file]; intervals++
    }
    for (i = 1; i <= metric_count; i++) {
        line = line_of[i]
        if (!((file, line) in reading)) continue
        # A share, an accuracy or a loss may be nought, a time may not.
        if (!is_positive(reading[file, line]) && !((unit_of[i] == "%" || unit_of[i] == "nats") && is_nought(reading[file, line])))
            invalid(line ": " reading[file, line] " in " name " is no positive number")
        take(line, reading[file, line] + 0, unit_of[i])
    }
    if (mode == "latency" && !ours[file] && !((file, "Latency_Mean") in reading) && sum > 0) {
        if (!is_positive(parameter[file, "BATCH_SIZE"])) invalid("no BATCH_SIZE to derive the latency from in " name)
        take("Latency_Mean", 1000 * parameter[file, "BATCH_SIZE"] * rates[file] / sum, "ms"); derived = 1
    }
    if (verdict[file] ~ /^noisy/ && noisy == "") { noisy = verdict[file]; sub(/^noisy:? */, "", noisy) }
}

# A reading of one node. Percentiles of several nodes together cannot be had from theirs: the worst node stands for
# the iteration, of which the mean is taken as of all else. The least and the greatest are those of all nodes and times.
function take(line, value, unit) {
    if (line == "Latency_Min" || line == "Latency_Max") {
        if (!metric_files[line] || (line == "Latency_Min" ? value < metric_sum[line] : value > metric_sum[line]))
            metric_sum[line] = value
        metric_files[line] = 1
    } else if (line ~ /^Latency_P/) {
        if (!((line, iterations) in worst)) { worst[line, iterations] = 0; metric_files[line]++ }
        if (value > worst[line, iterations]) {
            metric_sum[line] += value - worst[line, iterations]; worst[line, iterations] = value
        }
    } else if (unit == "queries/sec") { metric_sum[line] += value; metric_files[line] = iterations } # nodes add up
    else { metric_sum[line] += value; metric_files[line]++ }
}

function metric(key, unit, value) { printf "%s%s (%s): %.4f\n", (key == primary ? "*" : ""), key, unit, value }

# Effects that change between restarts show only here. Who ran the iterations leaves what to print of them: ctest.sh does,
# other runners need not. The name tells that it is about as many as there are.
function between_iterations(    file, line) {
    file = "between-" iterations "-iterations.txt"
    while ((getline line < file) > 0) print line
}

END {
    if (strangers != "") exit 1
    if (ENVIRON["lost"] != "") invalid("no benchmark_*.log below " ENVIRON["lost"])
    for (i = 1; i <= log_count; i++) {
        iteration = logs[i]; sub(/^\.\//, "", iteration); sub(/\/.*/, "", iteration)
        if (iteration !~ /^itr-/) iteration = "only"
        if (!(iteration in counted)) { counted[iteration] = 1; iterations++ }
        workers[iterations]++ # the names come sorted, so the logs of an iteration follow each other
        judge(logs[i])
    }
    for (i = 2; i <= iterations; i++)
        if (workers[i] != workers[1]) invalid("the iterations have different numbers of workers")
    for (i = 1; i <= tunable_count; i++) print "## " order[i] ": " tunable[order[i]]
    if (wrong != "") { print "# INVALID RESULT: " wrong; exit 1 }
    if (noisy != "") print "# NOISY RESULT: " noisy
    if (unproven != "") print "# UNPROVEN RESULT: kernels " unproven
    burst = tunable["BURST"] + 0
    if (burst > 1) print "# BURST RESULT: " burst " runs at once on the same cores; not the number of a run alone"
    if (iterations > 1) print "# mean of " iterations " iterations"
    if (workers[1] > 1 && metric_files["Latency_P99"])
        print "# Latency percentiles: of the worst of " workers[1] " workers"
    if (derived) print "# Latency derived from throughput: this log has no step times"
    primary = mode == "latency" ? "Latency" : mode == "accuracy" ? "Accuracy" : mode == "server" ? "Server Rate" : "Throughput"
    if (primary != "Throughput" && !metric_files[primary == "Latency" ? "Latency_Mean" : primary == "Accuracy" ? "Accuracy" : "Server_Rate"]) {
        print "# INVALID RESULT: a log of MODE " mode " without its " primary; exit 1
    }
    if (throughput > 0) metric("Throughput", "samples/sec", throughput / iterations)
    if (iterations > 1 && throughput > 0) between_iterations()
    else if (intervals == log_count) {
        if (interval_kind != "") print "# 95 % interval: " interval_kind
        metric("Throughput CI95 Low", "samples/sec", low_sum)
        metric("Throughput CI95 High", "samples/sec", high_sum)
    }
    for (i = 1; i <= metric_count; i++)
        if (metric_files[line_of[i]]) metric(key_of[i], unit_of[i], metric_sum[line_of[i]] / metric_files[line_of[i]])
    if (iterations == 1 && instance_count > 1)
        for (i = 1; i <= instance_count; i++) metric("Instance " (i - 1) " Throughput", "samples/sec", instance_rate[i])
}
' "$@"
