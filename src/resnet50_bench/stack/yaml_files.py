"""A YAML file -> its documents."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from pathlib import Path
from typing import Any

from ..errors import BadInput, Infrastructure
from .environment import worker_python

_LOAD = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(sys.stdin)), default=str))"
#: What PyYAML lets through for a month of 13, an integer of 5,000 digits, ``!!bool x``, or very deep nesting.
_ODD_SCALARS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def load_yaml(path: Path) -> list[Any]:
    """Every document of the file, by PyYAML of this Python or of the environment that measures."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read: {error}") from error
    if importlib.util.find_spec("yaml"):
        import yaml

        try:
            return list(yaml.safe_load_all(text))
        except (yaml.YAMLError, *_ODD_SCALARS) as error:
            raise BadInput(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    try:
        python = worker_python()
    except Infrastructure as error:
        raise Infrastructure(f"{path.name}: reading YAML needs PyYAML (apt-get install python3-yaml), or scripts/"
                             "setup.sh") from error
    done = subprocess.run([python, "-c", _LOAD], input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BadInput(f"{path} is not YAML: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout)
