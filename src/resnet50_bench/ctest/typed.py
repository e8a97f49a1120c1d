"""Values that a YAML file holds enter, with the types that are allowed in their places; typed values leave."""

from __future__ import annotations

from typing import Any

import msgspec

from ..errors import BadInput

#: What stands for one text, or for a list of them.
Scalar = str | int | float | bool | None
Texts = Scalar | list[Scalar]
#: A value that shall be shown is cut at this many characters.
_MOST_SHOWN = 60


def decoded(place: str, value: object, wanted: Any, allowed: str, strict: bool = True) -> Any:
    """``value`` as the type ``wanted``. Raises BadInput that names the place and says what is allowed there.

    ``strict``: whether a text that reads as a number or truth value is none.
    """
    try:
        return msgspec.convert(value, wanted, strict=strict)
    except (msgspec.ValidationError, OverflowError, RecursionError, ValueError) as error:
        path = str(error).rpartition(" - at `$")[2].rstrip("`") if " - at `$" in str(error) else ""
        raise BadInput(f"{place}{path}: {shown(value)} is not {allowed}") from error


def shown(value: object) -> str:
    """A value for a message."""
    try:
        text = ascii(value)
    except (ValueError, RecursionError):  # CPython refuses to write integers of more than 4,300 digits
        return f"a {type(value).__name__}"
    return text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "..."


def text_of(place: str, value: Scalar) -> str:
    """A scalar as a parameter's text; nothing is the default. Raises BadInput for what no value can be."""
    try:
        text = "" if value is None else str(value).strip()
    except ValueError as error:
        raise BadInput(f"{place} has no usable value: {error}") from error
    if not text.isprintable():
        raise BadInput(f"{place}: {text!r} holds characters that cannot be printed, which no value has")
    return text


def texts_of(place: str, value: object, allowed: str = "a value or a list of values") -> list[str]:
    """A scalar or a list of them, as texts. Raises BadInput."""
    typed = decoded(place, value, Texts, allowed)
    return [text_of(place, scalar) for scalar in (typed if isinstance(typed, list) else [typed])]
