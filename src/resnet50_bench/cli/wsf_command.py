"""``wsf-settings``: a case's name and the environment -> assignments that validate.sh hands to WSF's scripts."""

from __future__ import annotations

import os
from pathlib import Path

from ..backends.wsf import outcome, parameters, words
from ..errors import BadInput

_USAGE = "wsf-settings takes [--words] and an option, such as inference_latency_avx_fp32_gated, or --outcome FOLDER"


def main(argv: list[str]) -> int:
    """``OPTION``: the parameters before WSF's overwrite.sh; ``--words OPTION``: what comes after it; or --outcome."""
    if {"--help", "-h"} & {*argv}:
        print(f"{_USAGE}\n\nexample:\n  resnet50-bench wsf-settings inference_latency_avx_fp32_gated")
    elif argv[:1] == ["--outcome"] and len(argv) == 2:
        print("".join(f"{line}\n" for line in outcome(Path(argv[1]))), end="")
    elif argv[:1] == ["--words"] and len(argv) == 2:
        print("\n".join(words(argv[1], os.environ)))
    elif len(argv) == 1 and not argv[0].startswith("-"):
        print("\n".join(parameters(argv[0], os.environ)))
    else:
        raise BadInput(f"{' '.join(argv) or 'nothing'}: {_USAGE}")
    return 0
