"""A case's runs -> its logs folder in WSF's layout, the KPIs that kpi.sh prints, and ctest's measurements."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from .. import WORKLOAD
from ..checkout import ROOT, near
from ..errors import BadInput
from ..files import stamped_folder
from .handover import CaseRecord

if TYPE_CHECKING:
    from ..result.ended import Ended

#: ``key (unit): value`` of kpi.sh, after a star the primary one.
_METRIC = re.compile(r"^\*?([A-Za-z][^:#\n]*\([^)\n]+\)): ([0-9.]+)$", re.M)


def make_logs_folder(base: Path, option: str) -> Path:
    """Make a new folder ``<base>/<stamp>-logs-<case>``. Never reuses one."""
    folder = stamped_folder(base, f"{{}}-logs-{WORKLOAD}_{option}")
    shutil.copy2(ROOT / "kpi.sh", folder)
    return folder


def worker_folder(logs: Path, iteration: int) -> Path:
    """Make ``itr-<N>/worker-0-c0``."""
    folder = logs / f"itr-{iteration}" / "worker-0-c0"
    folder.mkdir(parents=True)
    return folder


def write_config(logs: Path, option: str, points: Sequence[Mapping[str, str]]) -> str:
    """workload-config.yaml: what each iteration is run with. JSON strings are YAML, so nothing is misread."""
    lines = [f"workload: {WORKLOAD}", f"testcase: test_{WORKLOAD}_{option}", "iterations:"]
    for number, texts in enumerate(points, start=1):
        lines.append(f"  - itr: {number}")
        lines.append("    parameters:" + ("" if texts else " {}"))
        lines += [f"      {name}: {json.dumps(text)}" for name, text in texts.items()]
    text = "\n".join(lines) + "\n"
    (logs / "workload-config.yaml").write_text(text)
    return text


def leave_spread(logs: Path) -> None:
    """``between-<N>-iterations.txt``, from which kpi.sh takes their spread; none for one or with a result missing."""
    folders = sorted(logs.glob("itr-*"))
    if len(folders) < 2:
        return
    from ..result.ended import Ended  # ctest.sh works without msgspec before the set-up
    from ..result.result import read_summary

    try:
        iterations = [[read_summary(max(worker.glob("benchmark_*.json"))) for worker in sorted(folder.glob("worker-*"))]
                      for folder in folders]
    except (BadInput, ValueError):  # kpi.sh says what is missing
        return
    lines = Ended("", 0, iterations=iterations).spread()
    (logs / f"between-{len(folders)}-iterations.txt").write_text("".join(f"{line}\n" for line in lines))


def run_kpi(logs: Path) -> tuple[int, str]:
    """Run kpi.sh. Return (its exit status, its output)."""
    leave_spread(logs)
    done = subprocess.run(["sh", str(logs / "kpi.sh")], cwd=logs, capture_output=True, encoding="utf-8",
                          errors="backslashreplace", check=False)
    (logs / "kpi.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    return done.returncode, done.stdout + done.stderr


def why_invalid(kpi_text: str) -> str:
    """kpi.sh's reason why a run is not valid, "" if there is none."""
    match = re.search(r"^# INVALID RESULT: (.+)$", kpi_text, re.M)
    return match[1] if match else ""


def is_secondary(line: str) -> bool:
    """Whether a line of kpi.sh is a tunable, or a metric that is not the primary one."""
    return line.startswith("## ") or _METRIC.fullmatch(line) is not None and not line.startswith("*")


def measurements(kpi_text: str) -> list[str]:
    """``<CTestMeasurement ...>`` for every metric: ctest takes them out of the output (CTest manual)."""
    return [f'<CTestMeasurement type="numeric/double" name="{escape(key)}">{escape(value)}</CTestMeasurement>'
            for key, value in _METRIC.findall(kpi_text)]


def ended(record: CaseRecord) -> Ended:
    """The case with the results that lie in its logs folder."""
    from ..result.ended import Ended

    gate = record.gate and replace(record.gate, references=near(Path(record.gate.references)))
    case = Ended(record.option, record.status, record.why, gate=gate)
    if not record.logs:
        return case
    logs = Path(record.logs)
    iterations = sorted(logs.glob("itr-*"), key=lambda folder: int(folder.name.partition("-")[2]))
    written = sorted(logs.glob("itr-*/*/benchmark_*.log"), key=lambda path: path.stat().st_mtime)
    before = [folder for folder in sorted(logs.parent.glob(f"*-{logs.name.partition('-logs-')[2]}"))
              if re.match(r"\d{8}-\d{6}-logs-", folder.name) and folder.name < logs.name
              and any(folder.glob("itr-*/*/benchmark_*.json"))]
    case = replace(case, logs=near(logs), log=near(written[-1]) if written else "",
                   earlier=near(before[-1]) if before else "")
    return case.with_results([sorted(folder.glob("worker-*")) for folder in iterations])
