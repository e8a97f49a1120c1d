"""What came of one case: its exit status and the results of its iterations and nodes -> the numbers it stands for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from statistics import fmean, stdev

from ..errors import BadInput, Infrastructure, Regression, Skipped
from .comparison_stats import interval_of_means
from .gated import Gated
from .kpi import KPIS, Kpi, finite, step_ms
from .records import Check, Verdict
from .result import ResultSummary, read, read_summary

#: Of one iteration, the result of each node.
Iteration = Sequence[ResultSummary]


class End(Enum):
    """How a case ended, with the word for it. ``PASSED``: no result is there to say more."""

    VALID = "valid"
    NOISY = "noisy"
    INVALID = "invalid"
    PASSED = "passed"
    FAILED = "failed"
    REFUSED = "refused"
    NOT_RUN = "not run"
    SKIPPED = "skipped"
    REGRESSION = "regression"
    NOT_COMPARED = "not compared"
    SIGNALLED = "ended by signal"


_OF_STATUSES = {BadInput.exit_status: End.REFUSED, Infrastructure.exit_status: End.NOT_RUN,
                Regression.exit_status: End.REGRESSION, Skipped.exit_status: End.SKIPPED}
_WORST_FIRST = (End.INVALID, End.NOISY, End.VALID)


@dataclass(frozen=True)
class Ended:
    """A case that ended with ``status``, and ``why`` where that is not 0. ``kernels``: how often each convolution
    kernel ran. ``logs`` and ``log``: where its results and its newest log lie, empty for none; ``earlier``: where
    those of the same case before it do; ``gate``: what a gate came to, None where none was asked for or reached."""

    case: str
    status: int
    why: str = ""
    iterations: Sequence[Iteration] = ()
    kernels: Mapping[str, int] = field(default_factory=dict)
    logs: str = ""
    log: str = ""
    earlier: str = ""
    gate: Gated | None = None

    def with_results(self, iterations: Sequence[Sequence[Path]], stem: str = "benchmark_*") -> Ended:
        """With the newest result of each worker's folder. One that cannot be read is what the case came to."""
        results: list[list[ResultSummary]] = []
        kernels: Mapping[str, int] | None = None
        for workers in iterations:
            newest = [max(paths, key=lambda path: path.stat().st_mtime) for folder in workers
                      if (paths := sorted(folder.glob(f"{stem}.json")))]
            try:
                # Step times are most of a file: the first one alone is read whole, for its kernels.
                if newest and kernels is None:
                    whole = read(newest[0])
                    kernels = whole.processes[0].kernels if whole.processes else {}
                results.append([read_summary(path) for path in newest])
            except BadInput as error:
                return replace(self, why=self.why or str(error), status=self.status or 1)
        return replace(self, iterations=[iteration for iteration in results if iteration], kernels=kernels or {})

    @property
    def results(self) -> list[ResultSummary]:
        """Of all nodes and iterations."""
        return [result for iteration in self.iterations for result in iteration]

    @property
    def end(self) -> End:
        """By the exit status first; of a case that passed the worst of its results' verdicts."""
        if self.status > 128:
            return End.SIGNALLED
        if self.status in _OF_STATUSES:
            return _OF_STATUSES[self.status]
        if self.gate and self.gate.compared_nothing:
            return End.NOT_COMPARED
        if self.status:
            return End.INVALID if self.checks(Verdict.INVALID) else End.FAILED
        verdicts = {result.verdict for result in self.results}
        return next((end for end in _WORST_FIRST if end.value in verdicts), End.PASSED)

    @property
    def verdict(self) -> str:
        """``end`` in words, with the number of a signal."""
        return f"{self.end.value} {self.status - 128}" if self.end is End.SIGNALLED else self.end.value

    def checks(self, verdict: Verdict) -> list[Check]:
        """Those of all results with this verdict."""
        return [check for result in self.results for check in result.checks if check.verdict is verdict]

    @property
    def kpi(self) -> Kpi | None:
        """The primary one; None where a run failed or was invalid, of which no number is shown."""
        if not self.results or (self.status not in (0, Regression.exit_status) and not self.gate):
            return None
        if any(result.failure is not None or result.verdict == "invalid" for result in self.results):
            return None
        kpi = KPIS.get(self.results[0].parameter("MODE"))
        return kpi if kpi and all(kpi.value(result.statistics) is not None for result in self.results) else None

    def values(self, kpi: Kpi) -> list[float]:
        """The KPI of each iteration: rates of nodes add up, of all else the mean of the nodes is taken."""
        rates = [[kpi.value(result.statistics) or 0.0 for result in iteration] for iteration in self.iterations]
        return [sum(rate) / (1 if kpi.adds_up else len(rate)) for rate in rates]

    @property
    def burst(self) -> int:
        """How many runs shared the cores; 1: each had them alone."""
        return max((result.placement.burst or 1 for result in self.results), default=1)

    @property
    def different(self) -> list[str]:
        """The parameters that are not the same in all iterations: those are no restarts of one thing then."""
        every = [iteration[0].parameters() for iteration in self.iterations]
        return [name for name in every[0] if len({texts.get(name) for texts in every}) > 1] if every else []

    @property
    def is_restarted(self) -> bool:
        """Whether the iterations are restarts of one thing, each with the cores to itself."""
        return len(self.iterations) > 1 and not self.different and self.burst == 1

    def interval(self, kpi: Kpi) -> tuple[float, float] | None:
        """The 95 % interval in the KPI's unit: between restarts where there are any, else of the one run's steps or
        images, added up over its nodes; None where there is none."""
        if self.is_restarted:
            between = interval_of_means(self.values(kpi))
            return (max(0.0, between[0]), between[1]) if between else None
        if len(self.iterations) != 1 or self.burst > 1:
            return None
        statistics = [result.statistics for result in self.results]
        if kpi.name == "Accuracy":
            accuracy = statistics[0].accuracy
            return accuracy.top1_ci95 if accuracy and len(statistics) == 1 else None
        bounds = [node.throughput_ci95 for node in statistics if node.throughput_ci95]
        if kpi.name != "Throughput" or len(bounds) < len(statistics):
            return None
        return sum(low for low, _ in bounds), sum(high for _, high in bounds)

    def spread(self) -> list[str]:
        """Lines as kpi.sh prints them: how the throughput of several iterations differs, and the interval of its mean
        where they are restarts of one thing."""
        rates = self.values(KPIS["throughput"])
        if len(rates) < 2 or min(rates) <= 0:
            return []
        if self.different:
            return [f"# no 95 % interval: the iterations differ in {', '.join(self.different)}"]
        lines = ["# no 95 % interval: runs at once are not independent of each other"]
        if bounds := self.interval(KPIS["throughput"]):
            lines = [f"# 95 % interval: between {len(rates)} iterations (restarts), by Student t",
                     f"Throughput CI95 Low (samples/sec): {bounds[0]:.4f}",
                     f"Throughput CI95 High (samples/sec): {bounds[1]:.4f}"]
        return [*lines, f"Throughput CV Between Iterations (%): {100 * stdev(rates) / fmean(rates):.4f}"]

    def percentile(self, name: str) -> float | None:
        """``50`` or ``99`` of step times in ms: the mean of the iterations, of each the worst node's, as kpi.sh has it.

        None where one lacks it, or the iterations are not of one thing.
        """
        worst = []
        for iteration in self.iterations:
            times = _all_known(step_ms(result.statistics.latency_ms, name) for result in iteration)
            if not times:
                return None
            worst.append(max(times))
        return fmean(worst) if worst and not self.different else None

    def share(self, key: str) -> float | None:
        """The mean of a share in the results' limits; None where one lacks it."""
        shares = _all_known(finite(result.limits.get(key)) for result in self.results)
        return fmean(shares) if shares else None


def _all_known(values: Iterable[float | None]) -> list[float]:
    """The values; none where one is missing."""
    every = list(values)
    return [] if None in every else [value for value in every if value is not None]
