"""ctest.sh's options enter; a line for each with two values, of which all but the last would be passed over."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from ..arguments import doubled
from .command_line import Item, Owner
from .set_values import points

#: ctest heeds the last of these, and every one of its label options.
_LAST_COUNTS = {"-R": "-R", "--tests-regex": "-R", "-E": "-E", "--exclude-regex": "-E"}


def two_values(items: Sequence[Item], lists: Collection[str]) -> Iterator[str]:
    """A line for each option, parameter or name of a --set with two values; ``lists``: options that take several."""
    known: dict[tuple[Owner, str], str] = {}
    for item in items:
        name = _LAST_COUNTS.get(item.name, "") if item.owner is Owner.CTEST else item.name
        if not name or item.value is None or item.owner is Owner.OURS and name in lists:
            continue
        first = known.setdefault((item.owner, name), item.value)
        if first != item.value:
            joined = f"; one expression holds both: {name} '({first})|({item.value})'"
            yield doubled(f"--{name.lower()}" if item.owner is Owner.PARAMETER else name, first, item.value) + (
                joined if item.owner is Owner.CTEST else "")
    yield from _assigned_twice(items)


def _assigned_twice(items: Sequence[Item]) -> Iterator[str]:
    """Parameters that two --set options, or a --set and a flag, give different values."""
    known = {item.name: [item.value or ""] for item in items if item.owner is Owner.PARAMETER}
    for item in items:
        if item.owner is not Owner.OURS or item.name != "--set":
            continue
        rows = points([item.value or ""])
        for name in rows[0]:
            values = list(dict.fromkeys(row[name] for row in rows))
            if known.setdefault(name, values) != values:
                yield doubled(name, " ".join(known[name]), " ".join(values))
