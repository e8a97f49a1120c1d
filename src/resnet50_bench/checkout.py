"""Where the files of this project lie."""

from __future__ import annotations

from pathlib import Path

#: The checkout, or in a container the folder that it was copied to.
ROOT = Path(__file__).parents[2]
