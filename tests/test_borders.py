"""What crosses a room's border has a type and a name of its own: no dictionary of anything crosses one."""

from __future__ import annotations

import ast
import functools
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src/resnet50_bench"
#: A dictionary whose values may be anything.
UNTYPED = re.compile(r"(dict|Mapping)\[str, (Any|object)\]")
#: Those that may, each with its reason.
ALLOWED = {
    "case/defaults.complete": "the parameters' values by name; each row of the catalogue gives its own type",
    "case/parameters.Parameter.default": "the parameters' values by name",
    "ctest/background.records": "the document that becomes JSON",
    "files.write_json": "the document that becomes JSON",
    "history/gate_words.as_record": "the document that becomes JSON",
    "result/result.Result.document": "the document that becomes JSON",
    "engines/table.document": "the document that becomes JSON",
    "versus/outcome.document": "the document that becomes JSON",
}


def signatures(path: Path) -> Iterator[tuple[str, str]]:
    """(name, annotations) of each public function, method and field of the file."""
    for node in ast.parse(sources()[path]).body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, of_function(node)
        elif isinstance(node, ast.ClassDef):
            for member in node.body:
                if isinstance(member, ast.FunctionDef):
                    yield f"{node.name}.{member.name}", of_function(member)
                elif isinstance(member, ast.AnnAssign):
                    yield f"{node.name}.{ast.unparse(member.target)}", ast.unparse(member.annotation)


def of_function(node: ast.FunctionDef) -> str:
    words = [argument.annotation for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    return " ".join(ast.unparse(word) for word in (*words, node.returns) if word)


def room(path: Path) -> str:
    return path.relative_to(SOURCE).with_suffix("").parts[0]


@functools.cache
def sources() -> dict[Path, str]:
    return {path: path.read_text() for path in SOURCE.rglob("*.py")}


def is_used_elsewhere(path: Path, name: str) -> bool:
    """Whether a file of another room imports the module and says the name, or its class's."""
    said = re.compile(rf"\b{name.partition('.')[0]}\b")
    imported = re.compile(rf"import .*\b{path.stem}\b|[. ]{path.stem} import")
    return any(room(other) != room(path) and imported.search(text) and said.search(text)
               for other, text in sources().items())


@functools.cache
def crossing() -> set[str]:
    return {f"{path.relative_to(SOURCE).with_suffix('')}.{name}" for path in sources()
            for name, annotations in signatures(path)
            if UNTYPED.search(annotations) and not re.search(r"(^|\.)_", name) and is_used_elsewhere(path, name)}


def test_a_class_name_means_one_thing_in_the_whole_project():
    names = [node.name for text in sources().values() for node in ast.walk(ast.parse(text))
             if isinstance(node, ast.ClassDef)]
    assert [name for name, count in Counter(names).items() if count > 1] == []


def test_no_dictionary_of_anything_crosses_a_border():
    assert crossing() - set(ALLOWED) == set()


def test_every_exception_is_still_one():
    assert set(ALLOWED) - crossing() == set()
