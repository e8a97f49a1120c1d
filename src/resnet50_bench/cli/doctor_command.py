"""``doctor``: the machine as it stands -> every check that can be made before a run, what matters first, on stdout."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from ..arguments import Parser
from ..result.checks import Check, Verdict, machine_checks, overall
from ..stack.native_libraries import native_libraries


def parser() -> Parser:
    options = Parser("resnet50-bench doctor", "Check this machine before a run. Show what would disturb a measurement, "
                     "and the remedy. The exit status is 1 if something would disturb.",
                     "resnet50-bench doctor")
    options.add_argument("--json", action="store_true", help="print one JSON document")
    return options


def main(argv: list[str]) -> int:
    """Print the checks. Returns 0 if nothing would disturb a measurement, else 1."""
    words = parser().parse_args(argv)
    checks = machine_checks(native_libraries())
    verdict = overall(checks)[0]
    if words.json:
        print(json.dumps({"verdict": verdict, "checks": msgspec.to_builtins(checks)}, indent=1))
        return 0 if verdict == "valid" else 1
    print(*grouped(checks), sep="\n")
    return 0 if verdict == "valid" else 1


#: A heading, and the verdicts below it, the worst first.
_GROUPS = (("These would disturb a measurement now:", (Verdict.INVALID, Verdict.NOISY)),
           ("Good to know:", (Verdict.NOTE,)),
           ("Not available on this machine:", (Verdict.UNKNOWN,)))


def grouped(checks: Sequence[Check]) -> Iterator[str]:
    """Sort the checks into disturbing, notes and unknown, with one line for those that are ok, and counts."""
    for heading, verdicts in _GROUPS:
        lines = [check.line() for verdict in verdicts for check in checks if check.verdict is verdict]
        if lines:
            yield from (heading, *(f"  {line}" for line in lines))
    well = [check.name for check in checks if check.verdict is Verdict.OK]
    if well:
        yield f"{len(well)} check{'s' * (len(well) > 1)} ok: {', '.join(well)}"
    counts = Counter(check.verdict for check in checks)
    yield "doctor: " + ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in reversed(Verdict)
                                 if counts[verdict])
