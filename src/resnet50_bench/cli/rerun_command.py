"""``rerun RESULT.json``: the configuration of a result, run again here in the current folder, and compared."""

from __future__ import annotations

import os
from pathlib import Path

from ..arguments import Parser
from ..case.parameters import ALL, CATALOGUE, FOREIGN
from ..errors import BadInput, RunFailed
from ..history import comparability
from ..result import result
from ..result.comparison_stats import CANNOT_TELL
from ..stack import stacks
from ..stack.environment import StackChoice
from . import one_run


def parser() -> Parser:
    options = Parser("resnet50-bench rerun", "Run a result again with the same settings on this machine, in the "
                     "current folder, and compare.", "resnet50-bench rerun LOGS/itr-1/worker-0-c0/benchmark_....json")
    options.add_argument("result", type=Path, metavar="RESULT.json", help="the earlier result")
    return options


def main(argv: list[str]) -> int:
    """Run and print what differs and the ratio; the exit status is the new run's."""
    path = parser().parse_args(argv).result
    before = result.read(path)
    if before.failure:
        raise BadInput(f"{path} is of a run that failed: {before.failure}")
    if before.placement.burst:
        raise BadInput(f"{path} is from a burst of {before.placement.burst} runs; to repeat it: ctest.sh --burst")
    texts = {name: before.parameter(name) for name in CATALOGUE if name in before.case and not _implied(name, before)}
    # What surrounds the command changes no parameter of what is run again.
    variables = {name: text for name, text in os.environ.items() if name not in (*CATALOGUE, *FOREIGN)}
    variables |= _stack_of(before, StackChoice.of(variables))
    for line in comparison(before, one_run.run({name: text for name, text in texts.items() if text}, variables)):
        print(line)
    return 0


def _stack_of(before: result.Result, choice: StackChoice) -> dict[str, str]:
    """The variable that chooses the stack of the earlier run, unless the user chose one.

    Raises BadInput where it is not set up here.
    """
    stack = before.stack
    if stack is None or choice:
        return {}
    if choice.is_set_up(stack):
        return {stacks.STACK: stack}
    if stack == stacks.DEFAULT:  # without the usual one, what measures is what there is
        return {}
    raise BadInput(f"it was measured with the stack {stack}, which is not set up here: run scripts/setup.sh "
                   f"--stack {stack} once, or choose another stack by {stacks.STACK}")


def _implied(name: str, before: result.Result) -> bool:
    """Whether the parameter must be left out, because giving it is refused or means more than its default."""
    if name == "ACCURACY_TARGET":  # the default is for ImageNet only, a given one for any data set
        return before.is_default(name)
    return name == "STEPS" and before.parameter(name) == ALL


def comparison(before: result.Result, after: result.Result) -> list[str]:
    """Lines with the differences between the two systems, and the ratio of the throughputs."""
    lines = [f"differs: {group} {name}: {old} then, {new} now" for group, name, old, new
             in comparability.differences(before, after) if group in ("software", "system")]
    then, now = before.statistics.throughput_images_per_s, after.statistics.throughput_images_per_s
    if not then or now is None:
        raise RunFailed("a run without a throughput cannot be compared")
    return [*lines, f"throughput: {then:.2f} then, {now:.2f} images/s now, ratio {now / then:.3f}; no difference "
                    f"shown: {CANNOT_TELL}"]
