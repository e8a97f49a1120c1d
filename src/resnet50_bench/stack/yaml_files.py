"""A YAML file -> its documents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import BadInput

#: What PyYAML lets through for a month of 13, an integer of 5,000 digits, ``!!bool x``, or very deep nesting.
_ODD_SCALARS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def load_yaml(path: Path) -> list[Any]:
    """Every document of the file. Raises BadInput where it cannot be read or is not YAML."""
    import yaml  # beside the functions that a Python without the set-up serves

    try:
        return list(yaml.safe_load_all(path.read_text()))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read: {error}") from error
    except (yaml.YAMLError, *_ODD_SCALARS) as error:
        raise BadInput(f"{path} is not YAML: {' '.join(str(error).split())}") from error
