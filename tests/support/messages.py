"""Every text of src/ that people may read: ``PYTHONPATH=src:tests python -m support.messages [ROOM]`` prints them.

Docstrings, patterns and code in strings are left out; what a program fills in is shown as ``{name}``.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src/resnet50_bench"
#: Two words side by side, of which one is not a name: a text, not a key or a pattern.
_WORDS = re.compile(r"[a-z]{2,},? (?:[a-z]|\{)")
_CODE = re.compile(r"\\[dswb(]|\(\?|</|\bimport \w+;|^[\s<.#@{]*[a-z-]+[{:][^ ]")


@dataclass(frozen=True)
class Message:
    """One text and where it is made."""

    path: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(SOURCE)}:{self.line}: {self.text}"


def messages(room: str = "") -> Iterator[Message]:
    """The texts of a room, or of all."""
    for path in sorted((SOURCE / room).rglob("*.py")):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        not_alone = {part for node in nodes if isinstance(node, ast.JoinedStr) for part in ast.walk(node)
                     if not isinstance(part, ast.JoinedStr)}
        docstrings = {node.value for node in nodes if isinstance(node, ast.Expr)}
        for node in nodes:
            text = " ".join(_text(node).split())
            if node not in not_alone | docstrings and _WORDS.search(text) and not _CODE.search(text):
                yield Message(path, node.lineno, text)


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(value.value if isinstance(value, ast.Constant) else "{" + ast.unparse(value.value) + "}"
                       for value in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


if __name__ == "__main__":
    print(*messages(*sys.argv[1:2]), sep="\n")
