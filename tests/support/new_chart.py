"""A chart as somebody would add it: a file of report/sections/. It shows how many results have each verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from resnet50_bench.report.chart import Chart, axis, frame
from resnet50_bench.report.drawing import Gallery
from resnet50_bench.report.markup import Html
from resnet50_bench.report.sections import Results, Section


def _inside(results: Results, gallery: Gallery) -> Sequence[Html]:
    counts = Counter(entry.verdict for entry in results.entries)
    values = [{"verdict": verdict, "count": count} for verdict, count in counts.items()]
    bars = {"mark": "bar", "encoding": {"y": {"field": "verdict"},
                                        "x": axis("count", "results", [0, max(counts.values())])}}
    return [gallery.figure("verdicts", Chart(
        "Verdicts", "Results by verdict", f"{len(counts)} verdicts.",
        lambda colours: frame(colours, [bars], data={"values": values}), ("Verdict", "Results"), list(counts.items())))]


SECTION = Section(75, "verdicts", "Verdicts", _inside)
