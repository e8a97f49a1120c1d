"""``doctor``: the machine as it stands -> every check that can be made before a run, on stdout."""

from __future__ import annotations

import json
from collections import Counter

import msgspec

from ..arguments import Parser
from ..result.checks import machine_checks, overall
from ..stack.native_libraries import native_libraries


def parser() -> Parser:
    """The options."""
    made = Parser("resnet50-bench doctor", "Every check that can be made before a run: what would disturb a "
                  "measurement on this machine, and what mends it. Exit status 1 where something would.",
                  "resnet50-bench doctor")
    made.add_argument("--json", action="store_true", help="print one JSON document")
    return made


def main(argv: list[str]) -> int:
    """Print a line for each check; 0 where nothing would disturb a measurement, else 1."""
    words = parser().parse_args(argv)
    checks = machine_checks(native_libraries())
    verdict = overall(checks)[0]
    if words.json:
        print(json.dumps({"verdict": verdict, "checks": msgspec.to_builtins(checks)}, indent=1))
        return 0 if verdict == "valid" else 1
    for check in checks:
        print(check.line())
    counts = Counter(check.verdict.value for check in checks)
    print("doctor: " + ", ".join(f"{count} {name}" for name, count in counts.items()))
    return 0 if verdict == "valid" else 1
