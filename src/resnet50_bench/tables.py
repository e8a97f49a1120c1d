"""Rows of cells -> lines of plain text whose columns line up; nothing is wrapped, cropped or coloured."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def aligned(rows: Sequence[Sequence[str]], left: Collection[int] = (0,), between: str = "  ") -> list[str]:
    """A line for each row. Cells of the columns ``left`` begin at the left, all others, such as numbers, end right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [between.join(cell.ljust(width) if column in left else cell.rjust(width)
                         for column, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip()
            for row in rows]
