"""The processes' reports about themselves -> checks of answers, pinning, kernels, allocator and page faults."""

from __future__ import annotations

from collections.abc import Iterable

from ...case.precision import INT8, PRECISIONS
from ...errors import RunFailed
from ...machine.cpu import is_emulated
from ..processes import Answers, RightAnswers
from ..records import Check, Verdict
from ..result import Result
from .base import OPENMP, judge, unknown, without

#: Page faults per step. Above this the allocator returns memory to the system between steps.
MOST_FAULTS_A_STEP = 200
LEAST_LOCAL_MEMORY = 0.95
MOST_DENORMALS = 1e-3
#: A sound int8 model agrees with fp32 on about 0.96 of ImageNet's images. Fewer than this share of 128 images agree by
#: chance once in a million. One wrong scale in one layer leaves far fewer.
LEAST_AGREEMENT = 0.85


def run_all(result: Result) -> list[Check]:
    """Run every check of the instances' processes."""
    return [_answers(result), *_threads(result), _shared_cores(result), *_unlike_cores(result),
            _allocator(result), _page_faults(result), _numa_locality(result), _kernels(result), _bf16(result),
            _denormals(result), _warm_up(result), *_replicas(result), *_emulation(result)]


def of_answers(result: Result) -> list[Check]:
    """Run every check of an accuracy run, which does not measure time."""
    return [_agreement(result), _complete(result), _answers(result), *_threads(result), _kernels(result),
            _bf16(result), *_emulation(result)]


def _agreement(result: Result) -> Check:
    agreed = result.processes[0].facts.agreement
    if not agreed or not agreed.images:
        raise RunFailed("the run did not compare its answers with fp32's")
    return judge("agreement with fp32", f"{100 * agreed.top1_agreement:.1f} % of {agreed.images} images",
                 agreed.top1_agreement < LEAST_AGREEMENT, Verdict.INVALID,
                 "the prepared model does not give the answers of plain fp32"
                 + (": its quantisation is broken" if PRECISIONS[result.parameter("PRECISION")].dtype is INT8 else ""),
                 "leave out QCONF, or make a recipe for these weights" if result.parameter("QCONF")
                 else "use another TORCH_TYPE or PRECISION")


def _complete(result: Result) -> Check:
    bad = [file for record in result.feeds().values() for file in record.bad or ()]
    count = result.statistics.accuracy.count if result.statistics.accuracy else 0
    images = result.inputs.images or 0
    return judge("images", f"{count} of {images} used", count + len(bad) != images, Verdict.INVALID,
                 "images of the data set were neither used nor named as bad")


def _answers(result: Result) -> Check:
    """Whether the model's answers are finite. NaN takes as much time as an answer and means nothing."""
    looked_at = [answers for report in result.processes for answers in report.facts.answers.values()]
    if not looked_at:
        return unknown("answers", "the instances did not report them")
    answers: list[Answers | RightAnswers] = [*looked_at, *result.counted().values()]
    losses = [loss for training in result.trainings() for loss in training.losses]
    wrong, wrong_losses = sum(one.not_finite for one in answers), losses.count(None)
    reading = f"{wrong} of {sum(one.count for one in answers)} answers not finite"
    if losses:
        reading += f", {wrong_losses} of {len(losses)} losses not finite"
    return judge("answers", reading, bool(wrong or wrong_losses), Verdict.INVALID,
                 "the model answered NaN or infinite numbers",
                 "use other WEIGHTS, or none" if result.parameter("WEIGHTS") else "use another PRECISION")


def _emulation(result: Result) -> list[Check]:
    """A note for a functional test's emulated CPU, which proves kernels and answers but no speed."""
    name = result.system.cpu
    return [Check("emulation", name or "", Verdict.NOISY, "AMX was computed in software: the speed says nothing",
                  "measure on a CPU with AMX")] if is_emulated(name) else []


def _replicas(result: Result) -> list[Check]:
    """Whether instances that train together ended with the same weights."""
    digests = {training.weights_sha256 for training in result.trainings()}
    if not digests:
        return []
    return [judge("replicas", f"{len(digests)} different sets of weights", len(digests) > 1, Verdict.INVALID,
                  "the instances did not learn the same model: gradients were not exchanged")]


def _threads(result: Result) -> list[Check]:
    """Whether each instance's threads were allowed only on its cores and computed one on each core."""
    return [_affinity(result), _team_size(result), _spread(result)]


def _affinity(result: Result) -> Check:
    runs = result.runs()
    wrong = [f"instance {run.instance} is placed on cpus {list(run.cpus)} but ran on cpus {list(run.observed_cpus)}"
             for run in runs if set(run.observed_cpus) != set(run.cpus)]
    return judge("affinity", f"{len(runs) - len(wrong)} of {len(runs)} instances on their cores", bool(wrong),
                 Verdict.INVALID, "; ".join(wrong), without(
                     result, OPENMP, "find what moves the threads, such as taskset -p, or use another TORCH_TYPE"))


def _team_size(result: Result) -> Check:
    """Whether each instance had its number of threads. torch limits a team to the machine's physical cores."""
    teams = {int(instance): threads for report in result.processes
             for instance, threads in report.facts.omp_threads.items()}
    asked = result.customer_env().get("OMP_NUM_THREADS", "")
    if not teams and not asked.isdigit():
        return unknown("team size", "the instances did not report how many threads compute")
    runs, wrong = result.runs(), []
    for run in runs:
        cores = len(run.cpus)
        if asked.isdigit() and int(asked) != cores:
            wrong.append(f"instance {run.instance} was told to use {asked} threads on {cores} cores")
        elif (threads := teams.get(run.instance, cores)) != cores:
            wrong.append(f"instance {run.instance} computed with {threads} threads on {cores} cores")
    return judge("team size", f"{len(runs) - len(wrong)} of {len(runs)} instances with one thread per core",
                 bool(wrong), Verdict.INVALID, "; ".join(wrong), without(result, OPENMP, "use another TORCH_TYPE"))


def _spread(result: Result) -> Check:
    computing = {int(instance): cpus for report in result.processes
                 for instance, cpus in report.facts.computing_cpus.items()}
    if not any(computing.values()):
        return unknown("spread", "the kernel does not count the threads' time")
    runs = result.runs()
    wrong = [f"instance {run.instance} computed with {crowd}" for run in runs
             if (crowd := _crowd(run.cpus, computing.get(run.instance, [])))]
    return judge("spread", f"{len(runs) - len(wrong)} of {len(runs)} instances with work on each core",
                 bool(wrong), Verdict.INVALID, "; ".join(wrong), without(result, OPENMP, "use another TORCH_TYPE"))


def _crowd(cpus: Iterable[int], computing: Iterable[Iterable[int]]) -> str:
    """The cores shared by computing threads while other cores of the instance had none. Else "".

    The allowed cpus of all threads do not show it, because a waiting thread may be allowed on all of them.
    """
    masks = list(map(frozenset, computing))
    without = sorted(set(cpus).difference(*masks))
    for mask in sorted(set(masks), key=sorted):
        threads = sum(other <= mask for other in masks)
        if without and threads > len(mask):
            return f"{threads} threads on {sorted(mask)} and none on {without}"
    return ""


def _shared_cores(result: Result) -> Check:
    """Whether two pinned threads share one physical core."""
    used = [cpu for run in result.runs() for cpu in run.cpus]
    doubled = [list(core.cpus) for core in result.topology.cores
               if sum(used.count(cpu) for cpu in core.cpus) > 1]
    return judge("one thread a core", f"{len(doubled)} cores with more", bool(doubled), Verdict.NOISY,
                 f"two pinned threads share the cores with cpus {doubled}")


def _unlike_cores(result: Result) -> list[Check]:
    """Whether an instance mixes performance and efficiency cores, which makes it as slow as its slowest core."""
    kind_of = {cpu: core.kind for core in result.topology.cores if core.kind for cpu in core.cpus}
    kinds = [{kind_of.get(cpu, "") for cpu in run.cpus} for run in result.runs()]
    if not kind_of:
        return []
    mixed = sum(len(kinds_of_one) > 1 for kinds_of_one in kinds)
    if len(set().union(*kinds)) < 2:
        return [Check("unlike cores", "all instances on cores of one kind", Verdict.OK)]
    return [Check("unlike cores", f"{mixed} of {len(kinds)} instances on cores of both kinds", Verdict.NOISY,
                  "performance and efficiency cores measured together",
                  "keep to one kind: taskset -c with the cpus that the notice names")]


def _allocator(result: Result) -> Check:
    names = sorted({report.allocator for report in result.processes})
    return judge("allocator", ", ".join(names), names != ["jemalloc"], Verdict.NOTE,
                 "jemalloc is not loaded: bf16 and int8 can be a third slower", _load_jemalloc(result))


def _load_jemalloc(result: Result) -> str:
    return ("add libjemalloc.so.2 to LD_PRELOAD in CUSTOMER_ENV, which replaces the harness's own"
            if "LD_PRELOAD" in result.customer_env() else "install libjemalloc2 (Debian, Ubuntu)")


def _page_faults(result: Result) -> Check:
    worst, major = 0.0, 0.0
    for report in result.processes:
        usage = report.facts.usage
        if not usage:
            return unknown("page faults", "a process did not report them")
        steps = sum(len(run.starts_ns) for run in report.runs)
        worst, major = max(worst, usage["ru_minflt"] / max(1, steps)), major + usage["ru_majflt"]
    reading = f"{worst:.1f} minor a step, {major:.0f} major"
    if major:
        return Check("page faults", reading, Verdict.NOISY, "pages came from disk during the measurement",
                     "raise WARMUP_STEPS; free memory")
    return judge("page faults", reading, worst > MOST_FAULTS_A_STEP, Verdict.NOTE,
                 "activations are mapped again in each step", _load_jemalloc(result)
                 if any(report.allocator != "jemalloc" for report in result.processes)
                 else without(result, ("MALLOC_CONF", "LD_PRELOAD"), ""))


def _numa_locality(result: Result) -> Check:
    shares = [report.facts.local_memory for report in result.processes if report.facts.local_memory is not None]
    if not shares:
        return Check("NUMA locality", "one memory node, or instances that span nodes", Verdict.OK)
    return judge("NUMA locality", f"{100 * min(shares):.1f} % of the pages on the instance's node",
                 min(shares) < LEAST_LOCAL_MEMORY, Verdict.NOISY, "instances use another node's memory",
                 "install numactl; in a container add --cap-add SYS_NICE")


def _kernels(result: Result) -> Check:
    """Whether the kernels are proven. A run with proven wrong kernels fails before it measures."""
    why = next((report.facts.unproven for report in result.processes if report.facts.unproven), None)
    if why:
        return Check("kernels", "unproven", Verdict.UNKNOWN, why,
                     "do not compare its speed with proven results: nothing shows that it computes in "
                     f"{result.parameter('PRECISION')}")
    counts = sum(sum(report.kernels.values()) for report in result.processes[:1])
    return Check("kernels", f"{counts} convolutions shown", Verdict.OK)


def _bf16(result: Result) -> Check:
    """Whether bf16 is emulated: oneDNN uses fp32 instructions if the CPU or the ISA cap has no bf16."""
    kernels = {kernel for report in result.processes for kernel in report.kernels if "src:bf16" in kernel}
    if not kernels:
        return Check("bf16", "not used", Verdict.OK)
    # OpenVINO's names end at avx512. The CPU's bf16 flag was checked before the run.
    emulated = {kernel for kernel in kernels
                if "amx" not in kernel and "bf16 " not in kernel and ":avx512 " not in kernel}
    return judge("bf16", ", ".join(sorted(kernels)), bool(emulated), Verdict.INVALID,
                 "bf16 was emulated",
                 without(result, ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"), "use another PRECISION"))


def _denormals(result: Result) -> Check:
    share = result.processes[0].facts.denormal_share
    if share is None:
        return unknown("denormals", "the first process did not report them")
    return judge("denormals", f"{1e6 * share:.1f} in a million activations", share > MOST_DENORMALS, Verdict.NOTE,
                 "arithmetic on denormal numbers is slow", "use other weights or images")


def _warm_up(result: Result) -> Check:
    """Whether step times were steady when the measurement began."""
    runs = result.runs()
    longest = max(runs, key=lambda run: run.warmup_s)
    restless = [run.instance for run in runs if not run.steady]
    return judge("warm-up", f"{longest.warmup_s:.1f} s, {longest.warmup_steps} steps", bool(restless),
                 Verdict.NOTE, f"step times of instances {restless} had not settled", "raise WARMUP_STEPS")
