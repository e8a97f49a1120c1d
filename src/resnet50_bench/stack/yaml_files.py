"""A YAML file -> its documents."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import BadInput

#: What PyYAML lets through for a month of 13, an integer of 5,000 digits, ``!!bool x``, or very deep nesting.
_ODD_SCALARS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
#: ``<<: *a`` may stand as often as it likes.
_MERGE = "tag:yaml.org,2002:merge"


def load_yaml(path: Path) -> list[Any]:
    """Every document of the file. Raises BadInput where it cannot be read, is not YAML or says a thing twice."""
    import yaml  # beside the functions that a Python without the set-up serves

    try:
        return list(yaml.load_all(path.read_text(encoding="utf-8"), _loader()))
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} cannot be read: it is not UTF-8 text ({error})") from error
    except (yaml.YAMLError, *_ODD_SCALARS) as error:
        raise BadInput(f"{path} is not YAML: {' '.join(str(error).split())}") from error


@lru_cache
def _loader() -> Any:
    """PyYAML's safe loader, which heeds only the last of equal keys; this one refuses them, as YAML does."""
    import yaml

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            known: set[Any] = set()
            for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else ():
                key = key_node.tag, key_node.value
                if isinstance(key_node, yaml.ScalarNode) and key in known and key_node.tag != _MERGE:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"{key_node.value} is there twice, give it once", key_node.start_mark)
                known |= {key} if isinstance(key_node, yaml.ScalarNode) else set()
            return dict(super().construct_mapping(node, deep))

    return Loader
