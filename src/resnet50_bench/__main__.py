"""``python3 -m resnet50_bench COMMAND ...``."""

from __future__ import annotations

import sys

from .cli.tree import main

if __name__ == "__main__":
    sys.exit(main())
