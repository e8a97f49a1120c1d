"""Why nothing was run -> a log in the current folder that says it, so that kpi.sh can say it too."""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from ..case.defaults import Machine, complete
from ..case.parameters import CATALOGUE, from_environment
from ..errors import BenchError, Infrastructure
from ..machine.cpu import read_cpu
from ..machine.topology import read_topology
from ..result import logfile
from ..result.logfile import Log


def log_refusal(flags: Mapping[str, str], variables: Mapping[str, str], error: BenchError, now: datetime) -> None:
    """Write the log of what was typed by ``flags`` and ``variables``, and the error."""
    texts = {name: text for name, text in (from_environment(variables) | dict(flags)).items() if text.strip()}
    path = Path.cwd() / logfile.file_name(_with_defaults(texts), now)
    with suppress(Infrastructure):  # where no log can be written, what is told is still why nothing was run
        log = Log(path, io.StringIO())
        for name, text in texts.items():
            log.line(f"{name}: {' '.join(text.split())}")
        log.line(f"LOG_FORMAT: {logfile.LOG_FORMAT}")
        log.line(f"RESULT: failed: {'; '.join(str(error).splitlines())}")
        log.close()


def _with_defaults(texts: Mapping[str, str]) -> dict[str, str]:
    """What was typed, as it was typed, and the defaults of this machine as far as they can be told."""
    given: dict[str, object] = {}
    for name, text in texts.items():
        with suppress(KeyError, ValueError):
            given[name] = CATALOGUE[name].parse(text.strip())
    chosen: Mapping[str, object] = {}
    with suppress(BenchError):  # a machine that cannot be read may be what is told of
        chosen = complete(given, Machine(read_cpu(), read_topology())).chosen
    return {name: str(value) for name, value in chosen.items()} | dict(texts)
