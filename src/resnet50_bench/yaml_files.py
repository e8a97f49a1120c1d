"""A YAML file -> its documents; a document -> the type that its reader wants, decoded by msgspec."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

from .errors import BadInput
from .spelling import nearest

Scalar = str | int | float | bool | None
#: A description says in an error what is allowed.
Value = Annotated[Scalar, msgspec.Meta(description="a single value")]
Values = Annotated[Scalar | list[Scalar], msgspec.Meta(description="a value or a list of values")]
_WRONG = (msgspec.ValidationError, OverflowError, RecursionError, ValueError)
#: A value in an error is cut at this many characters.
_MOST_SHOWN = 60
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
        text = " ".join(str(error).replace('"<unicode string>", ', "").split())
        # A glob is what most of our files have as keys.
        hint = '; put text that begins with * in quotes, such as "*_gated"' if " alias " in text else ""
        raise BadInput(f"{path} is not YAML: {text}{hint}") from error


@lru_cache
def _loader() -> Any:
    """PyYAML's safe loader, which heeds only the last of equal keys; this one refuses them, as YAML does."""
    import yaml

    class KeyLoader(yaml.SafeLoader):
        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            known: set[Any] = set()
            for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else ():
                key = key_node.tag, key_node.value
                if isinstance(key_node, yaml.ScalarNode) and key in known and key_node.tag != _MERGE:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"{key_node.value} is given twice; give it once", key_node.start_mark)
                known |= {key} if isinstance(key_node, yaml.ScalarNode) else set()
            return dict(super().construct_mapping(node, deep))

    return KeyLoader


def decoded(place: str, value: object, wanted: Any, strict: bool = True) -> Any:
    """``value`` as ``wanted``, a type that msgspec knows. Not ``strict``: the text "3" is a number, too.

    Raises BadInput with a line for each thing that is wrong: where below ``place``, and what is allowed there.
    """
    try:
        return msgspec.convert(value, wanted, strict=strict)
    except _WRONG as error:
        # msgspec stops at the first error and does not name the key of a dict.
        problems = list(_problems("", value, wanted, strict)) or [("", str(error))]
        raise BadInput(*(f"{place}: {below}{': ' * bool(below)}{what}" for below, what in problems)) from error


def _problems(place: str, value: object, wanted: Any, strict: bool) -> Iterator[tuple[str, str]]:
    """(where, what is wrong), of a mapping or list for each of its parts."""
    allowed = next((meta.description for meta in getattr(wanted, "__metadata__", ())), None)
    inner = get_args(wanted)[0] if get_origin(wanted) is Annotated else wanted
    for option in get_args(inner) if get_origin(inner) in (Union, UnionType) else (inner,):
        if isinstance(option, type) and issubclass(option, msgspec.Struct):
            if isinstance(value, dict):
                yield from _in_struct(place, value, option, strict)
                return
            allowed = f"lines of {', '.join(option.__struct_encode_fields__)}"
        elif get_origin(option) is dict and isinstance(value, dict):
            for key, part in value.items():
                if isinstance(key, str):
                    yield from _problems(_below(place, key), part, get_args(option)[1], strict)
                else:
                    yield place, f"{shown(key)} is not a name"
            return
        elif get_origin(option) is list and isinstance(value, list):
            for number, part in enumerate(value):
                yield from _problems(f"{place}[{number}]", part, get_args(option)[0], strict)
            return
        elif get_origin(option) is dict:
            allowed = allowed or "NAME: VALUE lines"
    try:
        msgspec.convert(value, wanted, strict=strict)
    except _WRONG as error:
        yield place, f"{shown(value)} is not {allowed or error}"


def _in_struct(place: str, value: dict[object, object], wanted: type[msgspec.Struct],
               strict: bool) -> Iterator[tuple[str, str]]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(wanted)}
    for name in value:
        if name not in fields:
            yield place, f"{name} is not a key{nearest(str(name), fields)}; allowed here: {', '.join(fields)}"
    for name, field in fields.items():
        if name in value:
            yield from _problems(_below(place, name), value[name], field.type, strict)
        elif field.required:
            yield place, f"the key {name} is missing"


def _below(place: str, key: str) -> str:
    return f"{place}{'.' * bool(place)}{key}" if key.isidentifier() else f"{place}[{key!r}]"


def shown(value: object) -> str:
    """A value for an error."""
    try:
        text = ascii(value)
    except (ValueError, RecursionError):  # CPython refuses to write integers of more than 4,300 digits
        return f"a {type(value).__name__}"
    return text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "..."


def text_of(place: str, value: Scalar) -> str:
    """A single value as a parameter's text; nothing is the default. Raises BadInput for what no value can be."""
    try:
        text = "" if value is None else str(value).strip()
    except ValueError as error:
        raise BadInput(f"{place} has no usable value: {error}") from error
    if not text.isprintable():
        raise BadInput(f"{place}: {text!r} contains control characters, and no value may have them")
    return text
