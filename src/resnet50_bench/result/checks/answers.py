"""An accuracy run's result -> checks of its answers; time is not what it measures."""

from __future__ import annotations

from ...case.precision import INT8, PRECISIONS
from ...errors import RunFailed
from ..records import Check, Verdict
from ..result import Result
from . import during, process
from .base import judge

#: Share of images on which a sound int8 model gives fp32's answer: about 0.96 on ImageNet; of 128 images, fewer than
#: this agree by chance once in a million. A scale that is wrong in one layer already leaves far fewer.
LEAST_AGREEMENT = 0.85


def run_all(result: Result) -> list[Check]:
    """Every check of the answers, and those of the threads and kernels."""
    return [_agreement(result), _complete(result), *process.of_any_run(result), *during.of_any_run(result)]


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
