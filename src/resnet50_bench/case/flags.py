"""Command-line words -> parameter texts and the words that are no parameter's flag.

Shared by ``run_test.sh`` and ``ctest.sh``: ``--batch_size=8``, ``--batch_size 8``, ``--VERBOSE``.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import BadInput
from .parameters import CATALOGUE

#: Parameters whose flag may stand alone and then means True.
SWITCHES = ("WEIGHT_SHARING", "VERBOSE", "FAIL_ON_NOISY")


def parse_flags(argv: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """(texts by parameter name, the other words in their order).

    Raises BadInput for a flag without its value.
    """
    texts: dict[str, str] = {}
    others: list[str] = []
    words = list(argv)
    while words:
        word = words.pop(0)
        flag, equals, value = word.partition("=")
        name = flag.removeprefix("--").upper().replace("-", "_")
        if not flag.startswith("--") or name not in CATALOGUE:
            others.append(word)
        elif equals:
            texts[name] = value
        elif name in SWITCHES:
            texts[name] = "True"
        elif words and not words[0].startswith("--"):
            texts[name] = words.pop(0)
        else:
            raise BadInput(f"{flag} needs a value: {flag}=VALUE ({CATALOGUE[name].allowed})")
    return texts, others
