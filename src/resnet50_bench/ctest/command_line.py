"""ctest.sh's words enter; options with their values leave: ours, parameters' flags and ctest's. Others are refused.

Ours and the parameters' may be written with dashes or underscores, in any case: ``--dry_run``, ``--batch-size``.
``--verbose`` is ctest's, ``--VERBOSE`` the parameter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from ..arguments import is_option
from ..case.flags import SWITCHES
from ..case.parameters import CATALOGUE
from ..errors import BadInput
from ..spelling import nearest
from . import ctest_words
from .ctest_words import Takes


class Owner(Enum):
    """Who understands an option."""

    OURS = "ours"
    PARAMETER = "parameter"
    CTEST = "ctest"


@dataclass(frozen=True)
class Item:
    """One option as it stands in ``--help`` (a parameter by its name), its value, and the words it was typed as."""

    owner: Owner
    name: str
    value: str | None
    words: tuple[str, ...]

    def for_ctest(self) -> list[str]:
        """The words that every version of ctest understands."""
        if self.value is None:
            return [self.name]
        joined = ctest_words.known().get(self.name) is Takes.JOINED
        return [f"{self.name}={self.value}"] if joined else [self.name, self.value]


def split(argv: Sequence[str], ours: Mapping[str, Takes]) -> list[Item]:
    """Every word in its place. Raises BadInput with a line for each that is not understood."""
    items: list[Item] = []
    bad: list[str] = []
    words = list(argv)
    while words:
        word = words.pop(0)
        option = _option(word, ours)
        if option is None:
            bad.append(_refusal(word, ours))
            if "=" not in word and words and not is_option(words[0]):
                words.pop(0)  # its value, most likely
            continue
        owner, name, takes, value = option
        typed = [word]
        if value is None and takes in (Takes.VALUE, Takes.MAYBE) and words and not _is_no_value(words[0], owner):
            value = words.pop(0)
            typed.append(value)
        try:
            items.append(Item(owner, name, _checked(owner, name, takes, value), tuple(typed)))
        except BadInput as error:
            bad += error.violations
            if value is None and words and words[0].startswith("-") and _option(words[0], ours) is None:
                words.pop(0)  # its value, most likely
    if bad:
        raise BadInput(*bad)
    return items


def _option(word: str, ours: Mapping[str, Takes]) -> tuple[Owner, str, Takes, str | None] | None:
    """(whose, its name, what follows, the value after =); None for what nobody understands."""
    flag, equals, text = word.partition("=")
    value = text if equals else None
    dashes, parameter = flag.lower().replace("_", "-"), flag.removeprefix("--").upper().replace("-", "_")
    if flag in ours:
        return Owner.OURS, flag, ours[flag], value
    is_parameter = flag.startswith("--") and parameter in CATALOGUE and flag != "--verbose"
    if is_parameter:
        return Owner.PARAMETER, parameter, Takes.NOTHING if parameter in SWITCHES else Takes.VALUE, value
    if dashes in ours:
        return Owner.OURS, dashes, ours[dashes], value
    if not flag.startswith("-"):
        return None
    ctests = ctest_words.known()
    for name in (flag, dashes if flag.startswith("--") else flag):
        if name in ctests:
            return Owner.CTEST, name, ctests[name], value
    if word[:2] == "-j" and word[2:].isdigit():
        return Owner.CTEST, "-j", Takes.VALUE, word[2:]
    return None


def _is_no_value(word: str, owner: Owner) -> bool:
    """A regular expression or a file for ctest may begin with a dash as long as it is no option."""
    if owner is Owner.PARAMETER:
        return word.startswith("--")
    return is_option(word) and (owner is Owner.OURS or word.startswith("--") or word in ctest_words.known())


def _checked(owner: Owner, name: str, takes: Takes, value: str | None) -> str | None:
    """The value. Raises BadInput where it is missing, one too many, or not what ctest takes."""
    if owner is Owner.PARAMETER:
        if value is None and takes is Takes.VALUE:
            raise BadInput(f"--{name.lower()} needs a value: --{name.lower()}=VALUE ({CATALOGUE[name].allowed})")
        return "True" if value is None else value
    if value is None and takes is Takes.VALUE:
        raise BadInput(f"{name} needs a value: {name} VALUE, or {name}=VALUE where it begins with a dash; "
                       "see ./ctest.sh --help")
    if value is not None and takes is Takes.NOTHING:
        raise BadInput(f"{name}={value}: {name} takes no value")
    wrong = ctest_words.problem(name, value or "") if owner is Owner.CTEST and value is not None else None
    if wrong:
        raise BadInput(f"{name} {value!r} {wrong}")
    return value


def _refusal(word: str, ours: Mapping[str, Takes]) -> str:
    flag, equals, value = word.partition("=")
    if not flag.startswith("-"):
        name = flag.upper().replace("-", "_")
        if equals and name in CATALOGUE:
            return f"{word} is not an option (did you mean --{name.lower()}={value}?); see ./ctest.sh --help"
        if word.startswith(("test_", "resnet50_", "inference_", "training_")):
            return f"{word} is not an option (did you mean --testcase {word}?); see ./ctest.sh --help"
    choices = [*ours, *(f"--{name.lower()}" for name in CATALOGUE), *ctest_words.known()]
    return f"{flag} is not an option{nearest(flag, choices)}; see ./ctest.sh --help"
