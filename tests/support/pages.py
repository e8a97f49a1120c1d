"""The pages that people read -> the command lines and links in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md")),
         *sorted(ROOT.glob("docs/ci/*")))
#: It quotes on purpose what is refused.
_ONLY_BLOCKS = ("wsf.md",)
_OURS = r"(?:\./|scripts/)[a-z0-9_-]+\.sh|resnet50-bench"
_SHELL_BLOCK = re.compile(r"^ *```sh\n(.*?)^ *```$", re.M | re.S)
_INLINE = re.compile(rf"`((?:[A-Z_0-9]+=\S* )*(?:{_OURS})(?: [^`\n]*)?)`")
_YAML = re.compile(rf"^[ #]*(?:- |run: )?((?:{_OURS})(?: .*)?)$", re.M)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z_0-9]*=.*", re.S)
_WITHIN = re.compile(r"\$\(([^()]*)\)")


@dataclass(frozen=True)
class Shown:
    """One command as a page shows it: where, with which variables of the environment, its words."""

    page: str
    environment: tuple[tuple[str, str], ...]
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}: {' '.join(self.words)}"


def commands() -> list[Shown]:
    """Every command of every page, in the order of the pages."""
    return list(dict.fromkeys(shown for page in PAGES for line in _lines(page) for shown in of_line(page.name, line)))


def _lines(page: Path) -> Iterator[str]:
    text = page.read_text()
    if page.suffix == ".yml":
        yield from _YAML.findall(text)
        return
    for block in _SHELL_BLOCK.findall(text):
        yield from block.replace("\\\n", " ").splitlines()
    if page.name not in _ONLY_BLOCKS:
        yield from (span.replace("\\|", "|") for span in _INLINE.findall(_SHELL_BLOCK.sub("", text)))


def of_line(page: str, line: str) -> Iterator[Shown]:
    """The commands of one line of shell: those between ``&&``, ``|`` and ``;``, and those within ``$(...)``."""
    for inner in _WITHIN.findall(line):
        yield from of_line(page, inner)
    lexer = shlex.shlex(_WITHIN.sub("_", line), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    into_file = False
    for token in [*lexer, ";"]:
        if into_file:
            into_file = False
        elif set(token) <= {"<", ">"} and token:
            into_file = True
        elif set(token) <= set(";&|()") and token:
            yield from _command(page, words)
            words = []
        else:
            words.append(token)


def _command(page: str, words: list[str]) -> Iterator[Shown]:
    count = next((index for index, word in enumerate(words) if not _ASSIGNMENT.fullmatch(word)), len(words))
    if words[count:]:
        environment = tuple((name, value) for name, _, value in (word.partition("=") for word in words[:count]))
        yield Shown(page, environment, tuple(words[count:]))


def links(page: Path) -> list[str]:
    """Where the links of a page lead, those into the network left out."""
    return [link for link in _LINK.findall(page.read_text()) if "://" not in link]


def anchors(page: Path) -> set[str]:
    """What ``page#...`` may name: its headings, as GitHub spells them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
