"""argparse whose complaints are BadInput and name the nearest right word: one way to refuse a command line."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from . import __version__
from .errors import BadInput
from .spelling import nearest

_Namespace = TypeVar("_Namespace")
_NUMBER = re.compile(r"-[0-9.]+")


def is_option(word: str) -> bool:
    """Whether a word is an option rather than a value, by argparse's rule: -1 and a word with a space are values."""
    return len(word) > 1 and word.startswith("-") and " " not in word and not _NUMBER.fullmatch(word)


def number_of(least: int) -> Any:
    """An argparse ``type``: a whole number that is not below ``least``."""
    def parse(text: str) -> int:
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of {least} or more")
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"{text} is too small: {least} or more is allowed")
        return int(text)

    return parse


def share(text: str) -> float:
    """An argparse ``type``: ``1%`` -> 0.01."""
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*%\s*", text)
    if not match or not 0 < float(match[1]) <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not a percentage above 0% and up to 100%, for example 1% "
                                         "or 0.5%")
    return float(match[1]) / 100


def seconds(text: str) -> float:
    """An argparse ``type``: ``1h30m`` -> 5400."""
    if not re.fullmatch(r"([0-9]+[smh])+", text) or not re.search(r"[1-9]", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration, for example 90s, 10m or 1h30m")
    return float(sum(int(number) * {"s": 1, "m": 60, "h": 3600}[unit]
                     for number, unit in re.findall(r"([0-9]+)([smh])", text)))


def doubled(name: str, first: object, second: object) -> str:
    """What is said of an option that is given two values, of which one would be passed over."""
    return f"{name} is given twice, {str(first)!r} and {str(second)!r}: give it once"


class _Help(argparse.HelpFormatter):
    """One paragraph is wrapped, lines are kept as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if "\n" in text else super()._fill_text(text, width, indent)


class Parser(argparse.ArgumentParser):
    """Whole words only, with dashes or underscores; ``example`` is shown below the options.

    A wrong word raises BadInput instead of ending the process, and before anything else is complained about.
    ``also``: option words that the caller takes out before it parses (the flags of the parameters, say).
    """

    def __init__(self, prog: str, description: str = "", example: str = "", also: Iterable[str] = (),
                 **more: Any) -> None:
        more.setdefault("epilog", f"example:\n  {example}" if example else None)
        super().__init__(prog=prog, description=description, formatter_class=_Help, **{**more, "allow_abbrev": False})
        self.also = tuple(also)
        self._given: dict[str, object] = {}
        if self.add_help:
            self.add_argument("--version", action="version", version=f"resnet50-bench {__version__}",
                              help="print the version and exit")

    def option_words(self) -> list[str]:
        """Every option that ``--help`` shows, and those in ``also``."""
        return [word for action in self._actions if action.help != argparse.SUPPRESS
                for word in action.option_strings] + list(self.also)

    def parse_known_args(self, args: Sequence[str] | None = None,  # type: ignore[override]
                         namespace: _Namespace | None = None) -> tuple[_Namespace | argparse.Namespace, list[str]]:
        """As argparse's, with the options spelt as they stand in ``--help``. Raises BadInput for unknown ones."""
        self._given = {}
        words = list(args or ())
        end = words.index("--") if "--" in words else len(words)
        words[:end] = [self._spelt(word) for word in words[:end]]
        return super().parse_known_args(words, namespace)

    def parse_args(self, args: Sequence[str] | None = None,  # type: ignore[override]
                   namespace: _Namespace | None = None) -> _Namespace | argparse.Namespace:
        """As argparse's. Raises BadInput for words that have no place, too."""
        values, rest = self.parse_known_args(args, namespace)
        if rest:
            self.error(f"unrecognized arguments: {shlex.join(rest)}")
        return values

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        """The value of one option or argument. Raises ArgumentError for an option that is given two values."""
        value = super()._get_values(action, arg_strings)
        if action.option_strings and isinstance(action, (argparse._StoreAction, argparse._StoreConstAction)):
            told = action.const if isinstance(action, argparse._StoreConstAction) else value
            if self._given.setdefault(action.dest, told) != told:
                self.error(doubled("/".join(action.option_strings), self._given[action.dest], told))
        return value

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        if action.type is Path and not arg_string:
            raise argparse.ArgumentError(action, "the name of the file or folder is empty; type a name")
        return super()._get_value(action, arg_string)

    def _spelt(self, word: str) -> str:
        flag, equals, value = word.partition("=")
        if not is_option(word) or flag in self._option_string_actions:
            return word
        dashes = flag.lower().replace("_", "-")
        if dashes in self._option_string_actions:
            return dashes + equals + value
        if not flag.startswith("--") and flag[:2] in self._option_string_actions:
            return word  # -n3
        self.error(f"{flag} is not an option{nearest(flag, self.option_words())}")
        return word  # never

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            names = [str(choice) for choice in action.choices]
            raise argparse.ArgumentError(
                action, f"{value!r} is not one of {', '.join(names)}{nearest(str(value), names)}")

    def error(self, message: str) -> NoReturn:
        message = re.sub(r"ignored explicit argument (.*)", r"it takes no value, not \1", message)
        raise BadInput(f"{message.removeprefix('argument ')}; see {self.prog} --help")
