"""Columns of plain text."""

from __future__ import annotations

from resnet50_bench.tables import aligned


def test_columns_line_up_and_what_a_cell_says_stays_as_it_is():
    rows = [("case", "images/s", "verdict"), ("[bold]b :smile:", "1.5", "valid"), ("a", "100.25", "x" * 300)]
    lines = aligned(rows, left=(0, 2))
    assert [line.split("  ")[0].strip() for line in lines] == [name for name, _, _ in rows]
    ends = [line.index(number) + len(number) for line, (_, number, _) in zip(lines, rows, strict=True)]
    assert len(set(ends)) == 1
    assert [line.endswith(rows[number][2]) for number, line in enumerate(lines)] == [True] * 3
    assert aligned([("a", "b"), ("cc", "d")], between=" | ") == ["a  | b", "cc | d"]
