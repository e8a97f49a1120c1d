"""``wsf-settings <option>``: a case's name -> what validate.sh tells WSF's scripts, as quoted shell assignments."""

from __future__ import annotations

import os
import shlex

from ..case import parse_option
from ..errors import BadInput
from ..parameters import CATALOGUE


def main(argv: list[str]) -> int:
    """Print ``NAME=value`` lines for the shell's eval; every value is quoted, so nothing in it is evaluated."""
    if len(argv) != 1:
        raise BadInput("wsf-settings takes one option, such as inference_throughput_amx_int8_gated")
    named = parse_option(argv[0])
    texts = {name: os.environ.get(name) or named.get(name, "") for name in CATALOGUE}
    for name, text in texts.items():
        if name != "WORKLOAD":
            print(f"{name}={shlex.quote(text)}")
    print("PARAMETERS=(" + " ".join(CATALOGUE) + ")")
    # Trace tools bound the region of interest by these two phrases.
    trace = "roi,Evaluating RESNET: ,Complete..." if texts["CASE_TYPE"] == "pkm" else ""
    print(f"EVENT_TRACE_PARAMS={shlex.quote(trace)}")
    return 0
