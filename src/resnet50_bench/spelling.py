"""The nearest word to one that is not understood, in words for a refusal; and nouns with their number."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(text: str, choices: Iterable[str], prefix: str = "") -> str:
    """`` (did you mean X?)`` where one of ``choices`` is near ``text``, else nothing; X with the ``prefix`` of all."""
    import difflib  # only a refusal needs it

    by_lower = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(text.lower(), list(by_lower), n=1, cutoff=0.6)
    return f" (did you mean {prefix}{by_lower[close[0]]}?)" if close else ""


def plural(count: int, noun: str) -> str:
    """``1 result``, ``2 results``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
