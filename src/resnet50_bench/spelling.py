"""A word that is not understood and those that would be -> the nearest of them, in words for a refusal."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(text: str, choices: Iterable[str], prefix: str = "") -> str:
    """`` (did you mean X?)`` where one of ``choices`` is near ``text``, else nothing; X with the ``prefix`` of all."""
    import difflib  # only a refusal needs it

    by_lower = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(text.lower(), list(by_lower), n=1, cutoff=0.6)
    return f" (did you mean {prefix}{by_lower[close[0]]}?)" if close else ""
