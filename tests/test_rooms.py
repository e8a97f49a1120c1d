"""The house's plan: which room may import which. CONTRIBUTING.md draws it for people."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src/resnet50_bench"
#: From the ground up; a room imports only rooms before it.
GROUND = ("__init__", "errors", "files", "signals", "checkout", "spelling", "arguments", "variables", "tables",
          "yaml_files")
ROOMS = (*GROUND, "machine", "stack", "case", "protocol", "result", "worker", "launch", "history", "sweep", "versus",
         "engines", "report", "backends", "ctest", "cli", "__main__")
#: They meet in protocol/ only.
STRANGERS = {("launch", "worker"), ("worker", "launch")}


@functools.cache
def syntax(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """All of them, also those within others; expressions, most of a tree, hold no import."""
    for node in body:
        yield node
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            yield from statements(getattr(node, part, []))


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """(module, the room it imports from) for each import within the project, also those inside functions."""
    name = path.relative_to(SOURCE).with_suffix("").parts
    for node in statements(syntax(path).body):
        if isinstance(node, ast.ImportFrom) and node.level:
            package = name[:-1][:len(name) - node.level]
            target = (*package, *(node.module.split(".") if node.module else ()))
            yield from ((".".join(name), (*target, alias.name)[0]) for alias in node.names)


def found() -> list[tuple[str, str]]:
    return [pair for path in sorted(SOURCE.rglob("*.py")) for pair in imports(path)]


def test_every_file_stands_in_a_room_of_the_plan():
    assert {path.relative_to(SOURCE).with_suffix("").parts[0] for path in SOURCE.rglob("*.py")} == set(ROOMS)


def forbidden(pairs: list[tuple[str, str]]) -> list[str]:
    """Those of the imports that the plan does not have; ``__version__`` and WORKLOAD are the package's own names."""
    return [f"{module} imports {room}" for module, room in pairs
            if room not in ("__version__", "WORKLOAD", own := module.split(".")[0])
            and (ROOMS.index(room) > ROOMS.index(own) or (own, room) in STRANGERS)]


def test_a_room_imports_only_rooms_below_it():
    assert forbidden(found()) == []
    assert len(forbidden([("machine.cpu", "case"), ("launch.launcher", "worker"), ("cli.tree", "errors")])) == 2


def test_no_file_imports_itself_in_a_circle():
    graph: dict[str, set[str]] = {}
    for path in SOURCE.rglob("*.py"):
        name = path.relative_to(SOURCE).with_suffix("").parts
        for node in syntax(path).body:
            if isinstance(node, ast.ImportFrom) and node.level:
                package = name[:-1][:len(name) - node.level]
                target = (*package, *(node.module.split(".") if node.module else ()))
                for alias in node.names:
                    own = [".".join(each) for each in ((*target, alias.name), target)
                           if SOURCE.joinpath(*each).with_suffix(".py").exists()]
                    graph.setdefault(".".join(name), set()).update(own[:1])

    def reach(start: str, seen: set[str]) -> set[str]:
        for target in graph.get(start, set()) - seen:
            seen.add(target)
            reach(target, seen)
        return seen

    assert [name for name in graph if name in reach(name, set())] == []
