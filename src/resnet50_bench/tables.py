"""Rows of cells -> text: columns that line up, CSV or Markdown; nothing is wrapped, cropped or coloured."""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping, Sequence

Cell = str | float | None


def aligned(rows: Sequence[Sequence[str]], left: Collection[int] = (0,), between: str = "  ") -> list[str]:
    """A line for each row. Cells of the columns ``left`` begin at the left, all others, such as numbers, end right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [between.join(cell.ljust(width) if column in left else cell.rjust(width)
                         for column, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip()
            for row in rows]


def as_csv(table: Sequence[Mapping[str, Cell]]) -> str:
    """A header and a line for each row, as RFC 4180 has it but for the line ends; all rows have the same columns."""
    import csv  # that --help and -N do without

    text = io.StringIO()
    writer = csv.DictWriter(text, list(table[0]) if table else [], lineterminator="\n")
    if table:
        writer.writeheader()
        writer.writerows(table)
    return text.getvalue()


def as_markdown(table: Sequence[Mapping[str, Cell]]) -> str:
    """A table of GitHub's Markdown."""
    if not table:
        return ""
    lines = [list(table[0]), ["---"] * len(table[0]), *([_cell(value) for value in row.values()] for row in table)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(value: Cell) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    return "" if value is None else " ".join(str(value).split()).replace("|", "\\|")
