"""One finished case: its exit status and the results of its iterations and nodes -> its KPI, interval and verdict."""

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

#: The results of one iteration, one for each node.
Iteration = Sequence[ResultSummary]


class End(Enum):
    """The end of a case, with its word for users. ``PASSED``: there is no result with a verdict."""

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
    """A case that ended with ``status``. ``why`` is the reason of a status other than 0. ``kernels`` counts the runs of
    each convolution kernel. ``logs`` and ``log`` are the paths of its results and its newest log, "" for none.
    ``earlier`` is the path of the case's earlier results. ``gate`` is None if no gate was asked for or reached."""

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
        """Add the newest result of each worker's folder. An unreadable result becomes the case's error."""
        results: list[list[ResultSummary]] = []
        kernels: Mapping[str, int] | None = None
        for workers in iterations:
            newest = [max(paths, key=lambda path: path.stat().st_mtime) for folder in workers
                      if (paths := sorted(folder.glob(f"{stem}.json")))]
            try:
                # Step times are most of a file. Only the first file is read completely, for its kernels.
                if newest and kernels is None:
                    whole = read(newest[0])
                    kernels = whole.processes[0].kernels if whole.processes else {}
                results.append([read_summary(path) for path in newest])
            except BadInput as error:
                return replace(self, why=self.why or str(error), status=self.status or 1)
        return replace(self, iterations=[iteration for iteration in results if iteration], kernels=kernels or {})

    @property
    def results(self) -> list[ResultSummary]:
        """The results of all nodes and iterations."""
        return [result for iteration in self.iterations for result in iteration]

    @property
    def end(self) -> End:
        """The end by the exit status; for a passed case, the worst verdict of its results."""
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
        """The checks with this verdict, of all results."""
        return [check for result in self.results for check in result.checks if check.verdict is verdict]

    @property
    def kpi(self) -> Kpi | None:
        """The primary KPI. None if a run failed or was invalid: no number is shown then."""
        if not self.results or (self.status not in (0, Regression.exit_status) and not self.gate):
            return None
        if any(result.failure is not None or result.verdict == "invalid" for result in self.results):
            return None
        kpi = KPIS.get(self.results[0].parameter("MODE"))
        return kpi if kpi and all(kpi.value(result.statistics) is not None for result in self.results) else None

    def values(self, kpi: Kpi) -> list[float]:
        """The KPI of each iteration. Rates of nodes are added, other KPIs are averaged over the nodes."""
        rates = [[kpi.value(result.statistics) or 0.0 for result in iteration] for iteration in self.iterations]
        return [sum(rate) / (1 if kpi.adds_up else len(rate)) for rate in rates]

    @property
    def burst(self) -> int:
        """How many runs shared the cores. 1: each run had them alone."""
        return max((result.placement.burst or 1 for result in self.results), default=1)

    @property
    def different(self) -> list[str]:
        """The parameters that differ between iterations. If there are any, the iterations are not restarts."""
        every = [iteration[0].parameters() for iteration in self.iterations]
        return [name for name in every[0] if len({texts.get(name) for texts in every}) > 1] if every else []

    @property
    def is_restarted(self) -> bool:
        """Whether the iterations are restarts of one configuration, each alone on the cores."""
        return len(self.iterations) > 1 and not self.different and self.burst == 1

    def interval(self, kpi: Kpi) -> tuple[float, float] | None:
        """The 95 % interval in the KPI's unit: between restarts, or for a single run of its steps or images, added over
        its nodes. None if there is none."""
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
        """Lines in kpi.sh's format: the spread of the throughput over iterations, and the interval of its mean if they
        are restarts."""
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
        """P50 or P99 (``name``) of step times in ms: the mean over iterations of the worst node's, as in kpi.sh.

        None if one lacks it or the iterations differ.
        """
        worst = []
        for iteration in self.iterations:
            times = _all_known(step_ms(result.statistics.latency_ms, name) for result in iteration)
            if not times:
                return None
            worst.append(max(times))
        return fmean(worst) if worst and not self.different else None

    def share(self, key: str) -> float | None:
        """The mean of a share in the results' limits. None if one lacks it."""
        shares = _all_known(finite(result.limits.get(key)) for result in self.results)
        return fmean(shares) if shares else None


def _all_known(values: Iterable[float | None]) -> list[float]:
    """The values, or an empty list if one is missing."""
    every = list(values)
    return [] if None in every else [value for value in every if value is not None]
