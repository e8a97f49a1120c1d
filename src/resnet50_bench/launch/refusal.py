"""Refuse a case before it starts (LD_PRELOAD, memory), and write the log that tells kpi.sh why nothing was run."""

from __future__ import annotations

import io
import re
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from ..case.case import Case
from ..case.defaults import Machine, complete
from ..case.parameters import CATALOGUE, from_environment
from ..case.precision import PRECISIONS
from ..errors import BadInput, BenchError, DoesNotFit, Infrastructure
from ..machine.cpu import read_cpu
from ..machine.topology import read_topology
from ..result import logfile
from ..result.logfile import Log
from ..result.placement import Placement

_REFUSED = re.compile(r"object '(?P<object>[^']*)' from LD_PRELOAD cannot be preloaded \((?P<why>[^)]*)\)")
#: Bytes of one input image: three channels of 224 x 224 in fp32.
_IMAGE_BYTES = 4 * 3 * 224 * 224
#: Output values of the first convolution for one image: 64 channels of 112 x 112 (He et al. 2016, table 1).
_FIRST_OUTPUT = 64 * 112 * 112
#: Output values of all 53 convolutions (same table, torchvision's strides). Training keeps them for the backward pass.
_EVERY_OUTPUT = 11_113_984
_GB = 1e9


def require_preload(case: Case, python: Path, outer: Mapping[str, str]) -> None:
    """Raises BadInput with ld.so's message if it cannot preload an object into ``python``: ld.so would only skip it."""
    preloads = {name: value for name, value in case.customer_env if name in ("LD_PRELOAD", "LD_LIBRARY_PATH")}
    if not preloads.get("LD_PRELOAD"):
        return
    done = subprocess.run([python, "-I", "-S", "-c", ""], env={**outer, **preloads}, capture_output=True, text=True,
                          errors="replace", stdin=subprocess.DEVNULL, check=False)
    refused = [f"{match['object']} ({match['why']})" for match in _REFUSED.finditer(done.stderr)]
    if refused or done.returncode:
        what = ", ".join(dict.fromkeys(refused)) or f"Python ended with status {done.returncode} under it"
        raise BadInput(f"CUSTOMER_ENV: LD_PRELOAD={preloads['LD_PRELOAD']} cannot be loaded: {what}; give the full "
                       "path of a library that exists here, in a container one inside it")


def least_bytes(case: Case, placement: Placement) -> int:
    """A lower bound of a step's memory in bytes: each process's batch and each instance's convolution outputs."""
    outputs = _EVERY_OUTPUT if case.training else _FIRST_OUTPUT
    output_bytes = outputs * PRECISIONS[case.precision].dtype.bytes
    return case.batch_size * (_IMAGE_BYTES * len(placement.processes) + output_bytes * len(placement.instances))


def require_memory(case: Case, placement: Placement, copies: int, free_bytes: int | None) -> None:
    """Raises DoesNotFit if ``copies`` concurrent runs need more than ``free_bytes``. None: free memory is unknown.

    Without this check the run would not fail at once: allocators overcommit, and the machine swaps for minutes.
    """
    needed = copies * least_bytes(case, placement)
    if free_bytes is not None and needed > free_bytes:
        count = copies * len(placement.instances)
        largest = case.batch_size * free_bytes // needed
        fewer = ", or fewer instances by CORES_PER_INSTANCE" if len(placement.instances) > 1 else ""
        raise DoesNotFit(
            f"BATCH_SIZE={case.batch_size} does not fit: {count} instance{'s' * (count > 1)} would need at least "
            f"{needed / _GB:.1f} GB for images and activations, and {free_bytes / _GB:.1f} GB of memory are free: give "
            f"a smaller BATCH_SIZE{fewer} (nothing above {largest} can fit, and what does fit may be far below)")


def log_refusal(flags: Mapping[str, str], variables: Mapping[str, str], error: BenchError, now: datetime) -> None:
    """Write a log with the parameters given by ``flags`` and ``variables``, and the error."""
    texts = {name: text for name, text in (from_environment(variables) | dict(flags)).items() if text.strip()}
    path = Path.cwd() / logfile.file_name(_with_defaults(texts), now)
    with suppress(Infrastructure):  # if the log cannot be written, the first error is still the one to report
        log = Log(path, io.StringIO())
        for name, text in texts.items():
            log.line(f"{name}: {' '.join(text.split())}")
        log.line(f"LOG_FORMAT: {logfile.LOG_FORMAT}")
        log.line(f"RESULT: failed: {'; '.join(str(error).splitlines())}")
        log.close()


def _with_defaults(texts: Mapping[str, str]) -> dict[str, str]:
    """The given parameters, unchanged, and this machine's defaults as far as they are known."""
    values: dict[str, object] = {}
    for name, text in texts.items():
        with suppress(KeyError, ValueError):
            values[name] = CATALOGUE[name].parse(text.strip())
    chosen: Mapping[str, object] = {}
    with suppress(BenchError):  # the unreadable machine may be the error to report
        chosen = complete(values, Machine(read_cpu(), read_topology())).chosen
    return {name: str(value) for name, value in chosen.items()} | dict(texts)
