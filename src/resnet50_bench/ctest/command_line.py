"""ctest.sh's command line -> options with values: ours, parameters' flags and ctest's. Refuses others.

Ours and the parameters' may be written with dashes or underscores, in any case: ``--dry_run``, ``--batch-size``.
``--verbose`` is ctest's, ``--VERBOSE`` the parameter.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from ..arguments import doubled, is_option
from ..case.parameters import CATALOGUE, SWITCHES
from ..errors import BadInput
from ..spelling import nearest
from . import ctest_words
from .ctest_words import Takes
from .set_values import points

_SEE = "see ./ctest.sh --help"
#: ctest heeds the last of these, and every one of its label options.
_LAST_COUNTS = {"-R": "-R", "--tests-regex": "-R", "-E": "-E", "--exclude-regex": "-E"}


class Owner(Enum):
    """The program that an option belongs to."""

    OURS = "ours"
    PARAMETER = "parameter"
    CTEST = "ctest"


@dataclass(frozen=True)
class Item:
    """One option as it stands in ``--help`` (a parameter by its name), its value, and the words it was typed as."""

    owner: Owner
    name: str
    takes: Takes
    value: str | None = None
    words: tuple[str, ...] = ()

    def for_ctest(self) -> list[str]:
        """The words that every version of ctest understands."""
        if self.value is None:
            return [self.name]
        return [f"{self.name}={self.value}"] if self.takes is Takes.JOINED else [self.name, self.value]


def split(argv: Sequence[str], ours: Mapping[str, Takes]) -> list[Item]:
    """Split the words into options. Raises BadInput with a line for each unknown word."""
    options = {name: Item(Owner.OURS, name, takes) for name, takes in ours.items()}
    options |= {f"--{name}": Item(Owner.PARAMETER, name, Takes.NOTHING if name in SWITCHES else Takes.VALUE)
                for name in CATALOGUE}
    items: list[Item] = []
    bad: list[str] = []
    words = list(argv)
    while words:
        word = words.pop(0)
        flag, equals, text = word.partition("=") if not re.fullmatch("-j[0-9]+", word) else ("-j", "=", word[2:])
        option, value, typed = _meant(flag, options), text if equals else None, [word]
        if option is None:
            bad.append(_refusal(word, options))
            if not equals and words and not is_option(words[0]):
                words.pop(0)  # its value, most likely
            continue
        if value is None and option.takes in (Takes.VALUE, Takes.MAYBE) and words and _is_value(
                words[0], option.owner, options):
            value = words.pop(0)
            typed.append(value)
        if wrong := _wrong(option, value):
            bad.append(wrong)
            if value is None and words and words[0].startswith("-") and _meant(words[0], options) is None:
                words.pop(0)  # its value, most likely
        alone = "True" if option.owner is Owner.PARAMETER else None
        items.append(Item(option.owner, option.name, option.takes, alone if value is None else value, tuple(typed)))
    if bad:
        raise BadInput(*bad)
    return items


def _meant(word: str, options: Mapping[str, Item]) -> Item | None:
    """The option that a word names, one of ``options`` or ctest's; None for what nobody understands."""
    flag = word.partition("=")[0]
    spelt = flag.upper().replace("-", "_").replace("__", "--", 1), flag.lower().replace("_", "-")
    for name in (flag, *(spelt if flag.startswith("--") else ())):
        if name in options:
            return options[name]
        if name in ctest_words.known():
            return Item(Owner.CTEST, name, ctest_words.known()[name])
    return None


def _is_value(word: str, owner: Owner, options: Mapping[str, Item]) -> bool:
    """A regular expression or a file for ctest may begin with a dash as long as it is no option."""
    if owner is Owner.PARAMETER:
        return not word.startswith("--")
    return not is_option(word) or (owner is Owner.CTEST and not word.startswith("--") and not _meant(word, options))


def _wrong(option: Item, value: str | None) -> str | None:
    """What is wrong with an option's value: it is missing, one too many, or not what ctest takes."""
    name = option.name
    if option.owner is Owner.PARAMETER:
        lacks = value is None and option.takes is Takes.VALUE
        return f"--{name.lower()} needs a value: --{name.lower()}=VALUE ({CATALOGUE[name].allowed})" if lacks else None
    if value is None:
        return (f"{name} needs a value: {name} VALUE, or {name}=VALUE where it begins with a dash; {_SEE}"
                if option.takes is Takes.VALUE else None)
    if option.takes is Takes.NOTHING:
        return f"{name}={value}: {name} takes no value"
    wrong = ctest_words.problem(name, value) if option.owner is Owner.CTEST else None
    return f"{name} {value!r} {wrong}" if wrong else None


def _refusal(word: str, options: Mapping[str, Item]) -> str:
    flag, equals, value = word.partition("=")
    name = flag.upper().replace("-", "_")
    if equals and name in CATALOGUE:
        return f"{word} is not an option (did you mean --{name.lower()}={value}?); {_SEE}"
    if word.startswith(("test_", "resnet50_", "inference_", "training_")):
        return f"{word} is not an option (did you mean --testcase {word}?); {_SEE}"
    spelt = [*(f"--{option.name.lower()}" if option.owner is Owner.PARAMETER else name
               for name, option in options.items()), *ctest_words.known()]
    return f"{flag} is not an option{nearest(flag, spelt)}; {_SEE}"


def two_values(items: Sequence[Item], lists: Collection[str]) -> Iterator[str]:
    """A line for each option, parameter or name of a --set with two values, of which one would be passed over.

    ``lists``: our options that take several.
    """
    known: dict[tuple[Owner, str], str] = {}
    for item in items:
        name = _LAST_COUNTS.get(item.name, "") if item.owner is Owner.CTEST else item.name
        if not name or item.value is None or item.owner is Owner.OURS and name in lists:
            continue
        first = known.setdefault((item.owner, name), item.value)
        if first != item.value:
            joined = f"; combine both in one expression: {name} '({first})|({item.value})'"
            yield doubled(f"--{name.lower()}" if item.owner is Owner.PARAMETER else name, first, item.value) + (
                joined if item.owner is Owner.CTEST else "")
    # Parameters that two --set options, or a --set and a flag, give different values.
    known_values = {item.name: [item.value or ""] for item in items if item.owner is Owner.PARAMETER}
    for rows in (points([item.value or ""]) for item in items if (item.owner, item.name) == (Owner.OURS, "--set")):
        for name in rows[0]:
            values = list(dict.fromkeys(row[name] for row in rows))
            if known_values.setdefault(name, values) != values:
                yield doubled(name, " ".join(known_values[name]), " ".join(values))
