"""Markdown -> its sentences, and what is wrong with them by the project's rules of style."""

from __future__ import annotations

import re
from collections.abc import Iterator

MOST_WORDS = 30
#: Words and phrases that a reader stumbles over -> what to write. Compared without regard to case.
BANNED = {
    r"by turns|in turns|taking turns|take turns": "in alternating order", r"anew": "again", r"shall": "will, must",
    r"fares?": "progress", r"whereof|thereof|wherein|hereby": "of which", r"and its like|the like": "and similar ones",
    r"(?:is|are|stands?|lies?) apart": "differ", r"li(?:es|e|ke of)|lay": "is, are", r"stands?|stood": "is, are",
    r"what is there is": "", r"for want of": "without", r"behind your back": "silently", r"to go without": "without it",
    r"of themselves": "by themselves", r"is no \w+ of": "is not one of", r"likely to": "will probably",
    r"upon|hence|thus|whilst|amongst": "on, so, while, among", r"in the place of": "in place of",
}
_BANNED = re.compile("|".join(rf"\b(?:{words})\b" for words in BANNED), re.I)
_TEST = re.compile(r"\btest_(?!resnet50)\w+|\btests/\w+\.py\b|\bsrc/\S+\.py\b")
_BLOCK = re.compile(r"^ *```.*?^ *```$|^ {4}.*?$|<!--.*?-->|^---$", re.M | re.S)
#: A sentence ends at a point with a capital letter, a digit or code behind it.
_END = re.compile(r"(?<=[.!?:])(?<!e\.g\.)(?<!i\.e\.)\s+(?=[A-Z0-9`(*\"\[])")


def paragraphs(markdown: str) -> Iterator[str]:
    """The paragraphs, items of lists, headings and cells of tables, without blocks of code."""
    for block in re.split(r"\n\s*\n|\n(?= *(?:[-*]|\d+\.) )|\n(?=#)|\n(?=\|)", _BLOCK.sub("", markdown)):
        if block.lstrip().startswith("|"):
            yield from (cell for cell in re.split(r"(?<!\\)\|", block) if not set(cell) <= set(" -:\n"))
        elif block.strip():
            yield re.sub(r"^[\s#>]*(?:(?:[-*]|\d+\.) )?", "", block)


def sentences(markdown: str) -> Iterator[str]:
    """Each sentence on one line; inline code counts as one word."""
    for paragraph in paragraphs(markdown):
        plain = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(paragraph.split()))
        yield from _END.split(re.sub(r"``.+?``|`[^`]*`", lambda code: "`" + "_" * (len(code[0]) - 2) + "`", plain))


def banned(text: str) -> list[str]:
    """The banned words in a text of the program; what it fills in, in braces, does not count."""
    return [found[0] for found in _BANNED.finditer(re.sub(r"\{[^{}]*\}", "_", text))]


def faults(markdown: str, names_tests: bool = False) -> list[str]:
    """A line for each sentence that is too long, holds a banned word or (unless ``names_tests``) the name of a test."""
    found = []
    for sentence in sentences(markdown):
        words = [word for word in sentence.split() if re.search(r"\w", word)]
        if len(words) > MOST_WORDS:
            found.append(f"{len(words)} words: {sentence}")
        found += [f"{banned[0]!r}: {sentence}" for banned in _BANNED.finditer(sentence)]
    return found + ([] if names_tests else [f"a test or module: {name[0]}" for name in _TEST.finditer(markdown)])
