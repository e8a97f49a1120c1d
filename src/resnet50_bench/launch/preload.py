"""LD_PRELOAD of CUSTOMER_ENV -> whether ld.so can load it; what it cannot load it leaves out, and the run goes on."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from ..case.case import Case
from ..errors import BadInput

_REFUSED = re.compile(r"object '(?P<object>[^']*)' from LD_PRELOAD cannot be preloaded \((?P<why>[^)]*)\)")


def require(case: Case, python: Path, outer: Mapping[str, str]) -> None:
    """Raises BadInput with what ld.so says of the objects that it does not load into ``python``."""
    given = {name: value for name, value in case.customer_env if name in ("LD_PRELOAD", "LD_LIBRARY_PATH")}
    if not given.get("LD_PRELOAD"):
        return
    done = subprocess.run([python, "-I", "-S", "-c", ""], env={**outer, **given}, capture_output=True, text=True,
                          errors="replace", stdin=subprocess.DEVNULL, check=False)
    refused = [f"{match['object']} ({match['why']})" for match in _REFUSED.finditer(done.stderr)]
    if refused or done.returncode:
        what = ", ".join(dict.fromkeys(refused)) or f"Python ended with status {done.returncode} under it"
        raise BadInput(f"CUSTOMER_ENV: LD_PRELOAD={given['LD_PRELOAD']} cannot be loaded: {what}; give the full path "
                       "of a library that exists here, in a container one inside it")
