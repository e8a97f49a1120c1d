"""``doctor``: the machine as it stands -> every check that can be made before a run, on stdout."""

from __future__ import annotations

from collections import Counter

from ..errors import BadInput
from ..result.checks import machine_checks, overall
from ..stack.native_libraries import native_libraries


def main(argv: list[str]) -> int:
    """Print a line for each check; 0 where nothing would disturb a measurement, else 1."""
    if argv:
        raise BadInput(f"doctor takes no arguments, not {' '.join(argv)}")
    checks = machine_checks(native_libraries())
    for check in checks:
        print(check.line())
    counts = Counter(check.verdict.value for check in checks)
    print("doctor: " + ", ".join(f"{count} {name}" for name, count in counts.items()))
    return 0 if overall(checks)[0] == "valid" else 1
