"""A case's name and the environment -> quoted shell assignments that validate.sh passes to WSF's scripts.

WSF passes parameters as text: for docker in a line of docker-config.yaml, cut at the first quote and evaluated by the
shell; for Kubernetes as m4 definitions; in workload-config.yaml between double quotes. Each value is quoted for its
way. A value that one way cannot pass is refused on all, so that a case runs on all of WSF's backends or on none.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..case.case import parse_option
from ..case.parameters import CATALOGUE, from_environment, read, refusal, text_of
from ..errors import BadInput

#: The same limits as in our docker backend. WSF's docker and terraform backends give the container a network.
_CONFINED = ("--cap-drop=ALL", "--cap-add=SYS_NICE", "--shm-size=4g")
#: The two phrases that delimit the region of interest for trace tools.
_REGION = "roi,Evaluating RESNET: ,Complete..."
_SAFE_FOR_SHELL = re.compile(r"[A-Za-z0-9_./=,@%+-]")
_SAFE_FOR_M4 = re.compile(r"[A-Za-z0-9_./=@+:-]")
_DEFINITION = re.compile(r"-D[A-Za-z_][A-Za-z0-9_]*=[A-Za-z0-9_./=@+:%-]*")


def parameters(option: str, environment: Mapping[str, str]) -> Iterator[str]:
    """An export of every parameter: from the case's name, else the environment, else the case's default.

    WSF marks a case as customized if --set or --config then differ from these.
    """
    _refuse_foreign(environment)
    texts = {name: environment.get(name, "") for name in CATALOGUE} | parse_option(option)
    defaults = _defaults({name: text for name, text in texts.items() if text and not read({name: text})[1]})
    for name, text in texts.items():
        yield f"export {name}={shlex.quote(text or defaults[name])}"


def words(option: str, environment: Mapping[str, str]) -> Iterator[str]:
    """The assignments for WSF's validate.sh. Raises BadInput for a value that cannot be passed or has no meaning."""
    _refuse_foreign(environment)
    given = _differing(option, environment)
    bad = []
    for name, text in given.items():
        bad += [f"{name}={text!r} {why}"] if (why := _not_carried(text)) else read({name: text})[1]
    options, own = _callers(environment, bad)
    if bad:
        raise BadInput(*bad)
    texts = _defaults(given) | given
    for name in CATALOGUE:
        yield f"export {name}={shlex.quote(texts[name])}"
    yield "WORKLOAD_PARAMS=(" + " ".join(CATALOGUE) + ")"
    text = " ".join([*_CONFINED, *(f"-e {shell_word(f'{name}={text}')}" for name, text in given.items()),
                     *map(shell_word, options)])
    # WSF's terraform backend reads docker-config.yaml as YAML, in which a backslash is written twice.
    if environment.get("BACKEND") == "terraform":
        text = text.replace("\\", r"\\")
    yield f"DOCKER_OPTIONS={shlex.quote(text)}"
    yield "DOCKER_CMAKE_OPTIONS=" + shlex.quote(" ".join([environment.get("DOCKER_CMAKE_OPTIONS", ""), *own]).strip())
    definitions = [f"-DK_{name}={m4_word(text)}" for name, text in given.items()]
    yield f"RECONFIG_OPTIONS={shlex.quote(' '.join([*definitions, *environment.get('RECONFIG_OPTIONS', '').split()]))}"
    yield f"EVENT_TRACE_PARAMS={shlex.quote(_REGION if texts['CASE_TYPE'] == 'pkm' else '')}"


def shell_word(text: str) -> str:
    """Quote one shell word without quotes: a backslash precedes every character with a meaning.

    It also precedes the second of two hyphens, because WSF searches this text for its own ``--owner=``.
    """
    word = "".join(char if _SAFE_FOR_SHELL.match(char) else f"\\{char}" for char in text)
    return word[:2] + word[2:].replace("--", "-\\-")


def m4_word(text: str) -> str:
    """Quote text between double quotes in kubernetes-config.yaml.m4: YAML's escapes, and WSF's %20 for a space.

    ``$`` is doubled. The kubelet turns ``$$`` into ``$`` without reading ``$(NAME)`` as a reference.
    """
    def escaped(char: str) -> str:
        if char == " ":
            return "%20"
        if _SAFE_FOR_M4.match(char):
            return char
        return f"\\x{ord(char):02x}" if ord(char) < 0x100 else f"\\U{ord(char):08x}"

    return "".join(map(escaped, text.replace("$", "$$")))


def _refuse_foreign(environment: Mapping[str, str]) -> None:
    """Raises BadInput for parameters of WSF's own workload without an equivalent here."""
    bad = [refusal(name, text) for name, text in from_environment(environment).items() if name not in CATALOGUE]
    if bad:
        raise BadInput(*bad)


def outcome(folder: Path) -> list[str]:
    """One line if the case could not run on this CPU. WSF does not distinguish this from other failures."""
    for status in sorted(folder.glob("itr-*/*/status")):
        if status.read_text(errors="replace").strip() == "77":
            logs = "\n".join(log.read_text(errors="replace") for log in sorted(status.parent.glob("*.log")))
            why = re.search(r"^error: (.*)$", logs, re.M) or re.search(r"^RESULT: failed: (.*)$", logs, re.M)
            return ["SKIPPED, though WSF counts it as failed: " + (why.group(1) if why else "this CPU cannot run it")]
    return []


def _differing(option: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The parameters that differ from the exports of ``parameters``. ``%20`` is WSF's space. The name's always win."""
    named = parse_option(option)
    exported = _defaults(named)
    texts = {name: environment.get(name, "").replace("%20", " ").strip(" ") or named.get(name, "")
             for name in CATALOGUE}
    return {name: text for name, text in texts.items() if text and (name in named or text != exported[name])}


def _defaults(given: Mapping[str, str]) -> dict[str, str]:
    """Every parameter's default text in this case, "" if it depends on the machine that runs it."""
    chosen: dict[str, object] = {}
    texts = {}
    for name, parameter in CATALOGUE.items():
        value = parameter.default(chosen)
        chosen[name] = parameter.parse(given[name]) if given.get(name) else value
        default = text_of(value)
        texts[name] = default if default and not read({name: default})[1] else ""
    return texts


def _not_carried(text: str) -> str | None:
    """Why WSF cannot pass a text. Its docker backend turns ~ into line ends, its terraform backend expands Jinja."""
    for char in text:
        if char in "'\"\\~" or not char.isprintable():
            return f"contains {char!r}, which WSF cannot pass on: no quotes, backslashes, tildes or control characters"
    if jinja := re.search(r"\{[{%#]", text):
        return f"contains {jinja[0]!r}, and WSF's terraform backend would evaluate it"
    return None


def _callers(environment: Mapping[str, str], bad: list[str]) -> tuple[list[str], list[str]]:
    """The caller's DOCKER_OPTIONS: words for docker, and ``--owner=`` for WSF itself. Appends errors to ``bad``."""
    options: list[str] = []
    try:
        options = shlex.split(environment.get("DOCKER_OPTIONS", ""))
    except ValueError as error:
        bad.append(f"DOCKER_OPTIONS={environment['DOCKER_OPTIONS']!r} cannot be read as options: {error}")
    bad += [f"DOCKER_OPTIONS: {word!r} {problem}" for word in options if (problem := _not_carried(word))]
    bad += [f"RECONFIG_OPTIONS: {word!r} is not -DNAME=VALUE of letters, digits and _ . / = @ + : % -"
            for word in environment.get("RECONFIG_OPTIONS", "").split() if not _DEFINITION.fullmatch(word)]
    own = [word for word in options if word.startswith("--owner=")]
    return [word for word in options if word not in own], own
