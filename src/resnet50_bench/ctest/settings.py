"""CMake's settings for one call, given by flags or variables of their names -> their checked texts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from ..backends import BACKENDS, Settings
from ..case.parameters import CATALOGUE
from ..errors import BadInput
from ..spelling import nearest

#: --noenv and --daemon keep these.
NAMES = ("PLATFORM", "BACKEND", "REGISTRY", "RELEASE", "TIMEOUT")
_OF_IMAGES = ("REGISTRY", "RELEASE")


def chosen(flags: Mapping[str, str | None], environment: Mapping[str, str]) -> dict[str, str]:
    """Those that are given, a flag before the variable. Raises BadInput with a line for each wrong one."""
    texts: dict[str, str] = {}
    bad = []
    for name in NAMES:
        flag = flags.get(name)
        text = (environment.get(name) or "").strip() if flag is None else flag.strip()
        if text:
            texts[name] = text
            origin = f"{name}={text}" if flag is None else f"--{name.lower()}={text}"
            # Somebody else's variable RELEASE says nothing where no image is run.
            unused = flag is None and name in _OF_IMAGES and texts.get("BACKEND") == "native"
            wrong = None if unused else problem(name, text)
            bad += [f"{origin} {wrong}"] if wrong else []
    if bad:
        raise BadInput(*bad)
    return texts


def problem(name: str, text: str) -> str | None:
    """The error in a setting's text, or None."""
    if name == "BACKEND" and text not in BACKENDS:
        return f"is not one of {', '.join(BACKENDS)}{nearest(text, BACKENDS)}"
    if name == "REGISTRY" and not text.endswith("/"):
        return f"has no slash at its end (did you mean {text}/?)"
    if name == "RELEASE" and not text.startswith(":"):
        return f"has no colon before it (did you mean :{text}?)"
    if name == "TIMEOUT" and not re.fullmatch(r"0*[1-9][0-9]{0,8}", text):
        return "is not a number of seconds. Allowed are 1, 2, 3 ..."
    if name == "PLATFORM":
        try:
            CATALOGUE[name].parse(text)
        except ValueError as error:
            return str(error)
    return None


def of_the_case(configured: Settings) -> Settings:
    """CMake's settings, each overridden by the environment's of its name. Raises BadInput."""
    get = configured.environment.get
    return replace(configured, backend=get("BACKEND") or configured.backend,
                   registry=get("REGISTRY") or configured.registry, release=get("RELEASE") or configured.release,
                   timeout_s=timeout_s(get("TIMEOUT"), configured.timeout_s))


def timeout_s(text: str | None, configured: float, build: str = "build") -> float:
    """The given TIMEOUT, else the build folder's. Raises BadInput for what ctest would cut short."""
    if not text:
        return configured
    if wrong := problem("TIMEOUT", text):
        raise BadInput(f"TIMEOUT={text!r} {wrong}")
    if int(text) > configured:
        raise BadInput(f"TIMEOUT={text} is above the build folder's {configured:g}, at which ctest ends a case; "
                       f"first run cmake -DTIMEOUT={text} {build}")
    return int(text)
