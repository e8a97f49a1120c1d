"""TARGET_QPS=auto: bisection, starting at the measured throughput, to the highest rate that LoadGen finds VALID.

Warm workers try each rate for a short time. New workers confirm the highest valid rate at full length. Each rate has
its own folder of logs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..case.case import Case
from ..errors import RunFailed
from ..result.records import Verdict
from ..result.result import FRESH, WARM, Result
from ..result.server import RATES, Rate, Search

#: The search ends when the highest valid rate and the lowest invalid one are this close.
PRECISION = 0.03
#: A try lasts this share of MIN_DURATION, and at least these seconds. The confirmation lasts all of MIN_DURATION.
TRIED_SHARE, LEAST_TRIED_S = 0.25, 10
#: The search stops below this share of the throughput: the machine answers almost nothing in time.
LEAST_SHARE = 0.02
#: The most confirmations. Each failed one lowers the rate by PRECISION.
MOST_CONFIRMED = 5


#: Runs a case in a folder by FRESH or WARM workers, and records the search so far.
#: Returns the result even if LoadGen finds the rate INVALID. Raises for every other failure.
Run = Callable[[Case, Path, str, Search], Result]


@dataclass
class RateSearch:
    """One search. ``say`` gets a line after each tried rate."""

    case: Case
    folder: Path
    run: Run
    say: Callable[[str], None]
    tried: list[Rate] = field(default_factory=list)
    throughput: float | None = None

    def find(self) -> Result:
        """Return the confirmed rate's result. Its files are in ``folder``. Raises RunFailed if no rate is valid."""
        valid, invalid = 0.0, self._measure_throughput()
        while invalid - valid > PRECISION * valid:
            rate = (valid + invalid) / 2
            if rate < LEAST_SHARE * (self.throughput or 0.0):
                raise self._nothing()
            result = self._try(rate, WARM)
            if not self.tried[-1].valid and self._was_disturbed(result):
                self._try(rate, WARM)
            if self.tried[-1].valid:
                valid = rate
            else:
                invalid = rate
        for _ in range(MOST_CONFIRMED):
            result = self._try(valid, FRESH)
            if self.tried[-1].valid:
                return result
            valid *= 1 - PRECISION
        raise self._nothing()

    def _was_disturbed(self, result: Result) -> bool:
        """Whether an INVALID rate may be due to a disturbance. It is tried once more then, because it ends the
        search above it. Instances that cannot keep up are late for at least half of the queries."""
        latency = result.statistics.latency_ms
        return latency is not None and latency.median <= (self.case.latency_bound_ms or 0.0)

    def _measure_throughput(self) -> float:
        case = replace(self.case, mode="throughput", target_qps=None, latency_bound_ms=None, latency_percentile=None,
                       min_duration=min(self.case.min_duration, LEAST_TRIED_S), steps=10)
        result = self._run(case, self.folder / RATES / "throughput", WARM)
        self.throughput = result.statistics.throughput_images_per_s or 0.0
        self.say(f"TARGET_QPS=auto: {self.throughput:.2f} images/s without waiting for queries; searching below this "
                 "rate")
        return self.throughput

    def _try(self, rate: float, workers: str) -> Result:
        """Return the result of one rate, valid or not. Raises RunFailed if no rate can be valid."""
        seconds = max(LEAST_TRIED_S, round(TRIED_SHARE * self.case.min_duration)) if workers == WARM else 86400
        name = f"{len(self.tried) + 1}-{rate:.2f}"
        case = replace(self.case, tried_rate=rate, min_duration=min(self.case.min_duration, seconds))
        result = self._run(case, self.folder / RATES / name, workers)
        server, latency = result.statistics.server, result.statistics.latency_ms
        if server is None or latency is None:
            raise RunFailed("LoadGen wrote no results")
        percentile = f"{server.percentile:g}"
        noise = ", ".join(check.name for check in result.checks if check.verdict is Verdict.NOISY)
        self.tried.append(Rate(queries_per_s=rate, valid=server.valid, latency_ms=latency.percentiles.get(percentile),
                               folder=f"{RATES}/{name}", why=server.why, noise=noise))
        how = ", new processes" if workers == FRESH else ""
        self.say(f"rate {len(self.tried)}, bound {server.bound_ms:g} ms{how}: {self.tried[-1].text(percentile)}")
        if not server.valid and latency.min > server.bound_ms:
            self._keep(self.folder / RATES / name)
            raise RunFailed(f"nothing meets LATENCY_BOUND_MS={server.bound_ms:g}: the fastest query took "
                            f"{latency.min:.2f} ms: give a longer bound, or more cores per instance")
        if server.valid and workers == FRESH:
            self._keep(self.folder / RATES / name)
        return result

    def _run(self, case: Case, folder: Path, workers: str) -> Result:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            return self.run(case, folder, workers, Search(tuple(self.tried), self.throughput))
        except BaseException:  # its log says why the whole search failed
            self._keep(folder)
            raise

    def _keep(self, folder: Path) -> None:
        """Move a run's files to the case's folder."""
        for path in folder.iterdir():
            path.replace(self.folder / path.name)
        folder.rmdir()

    def _nothing(self) -> RunFailed:
        last = self.tried[-1]
        self._keep(self.folder / last.folder)
        return RunFailed(f"no rate is valid: LoadGen finds {last.queries_per_s:.2f} queries/s INVALID, and the "
                         f"instances reach {self.throughput:.2f} images/s without waiting for queries: give a "
                         "longer LATENCY_BOUND_MS, or more cores per instance")
