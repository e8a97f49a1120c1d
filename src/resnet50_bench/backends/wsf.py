"""A case's name and the environment -> what validate.sh tells WSF's scripts, as quoted assignments.

WSF carries parameters as text: for docker in a line of docker-config.yaml that it cuts at the first quote and then
hands to the shell's eval, for Kubernetes as definitions of m4, in workload-config.yaml between double quotes. So each
value is written in the words of the way it takes, and what one of them cannot carry is refused on all of them: a case
that runs on one of WSF's backends runs on the others.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..case.case import parse_option
from ..case.parameters import CATALOGUE, from_environment, read, refusal, text_of
from ..errors import BadInput

#: Confined as with our own docker backend; WSF's docker and terraform backends give the container a network.
_CONFINED = ("--cap-drop=ALL", "--cap-add=SYS_NICE", "--shm-size=4g")
#: Trace tools bound the region of interest by these two phrases.
_REGION = "roi,Evaluating RESNET: ,Complete..."
_SAFE_FOR_SHELL = re.compile(r"[A-Za-z0-9_./=,@%+-]")
_SAFE_FOR_M4 = re.compile(r"[A-Za-z0-9_./=@+:-]")
_DEFINITION = re.compile(r"-D[A-Za-z_][A-Za-z0-9_]*=[A-Za-z0-9_./=@+:%-]*")


def parameters(option: str, environment: Mapping[str, str]) -> Iterator[str]:
    """An export of every parameter: the name's, else the environment's, else the case's default.

    WSF calls a case customized where --set or --config then differ from these.
    """
    _refuse_foreign(environment)
    texts = {name: environment.get(name, "") for name in CATALOGUE} | parse_option(option)
    defaults = _defaults({name: text for name, text in texts.items() if text and not read({name: text})[1]})
    for name, text in texts.items():
        yield f"export {name}={shlex.quote(text or defaults[name])}"


def words(option: str, environment: Mapping[str, str]) -> Iterator[str]:
    """Assignments of what WSF's validate.sh reads. Raises BadInput for what cannot be carried or means nothing."""
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
    # WSF's terraform backend reads its docker-config.yaml as YAML, where a backslash stands for itself as two.
    if environment.get("BACKEND") == "terraform":
        text = text.replace("\\", r"\\")
    yield f"DOCKER_OPTIONS={shlex.quote(text)}"
    yield "DOCKER_CMAKE_OPTIONS=" + shlex.quote(" ".join([environment.get("DOCKER_CMAKE_OPTIONS", ""), *own]).strip())
    definitions = [f"-DK_{name}={m4_word(text)}" for name, text in given.items()]
    yield f"RECONFIG_OPTIONS={shlex.quote(' '.join([*definitions, *environment.get('RECONFIG_OPTIONS', '').split()]))}"
    yield f"EVENT_TRACE_PARAMS={shlex.quote(_REGION if texts['CASE_TYPE'] == 'pkm' else '')}"


def shell_word(text: str) -> str:
    """One word for the shell without a quote: every character that may mean something stands behind a backslash.

    So does the second of two hyphens inside: WSF looks for its own ``--owner=`` in this text.
    """
    word = "".join(char if _SAFE_FOR_SHELL.match(char) else f"\\{char}" for char in text)
    return word[:2] + word[2:].replace("--", "-\\-")


def m4_word(text: str) -> str:
    """What stands between double quotes in kubernetes-config.yaml.m4: YAML's escapes, and WSF's %20 for a space.

    ``$`` is doubled: of ``$$`` the kubelet makes ``$``, so that ``$(NAME)`` is no reference.
    """
    def escaped(char: str) -> str:
        if char == " ":
            return "%20"
        if _SAFE_FOR_M4.match(char):
            return char
        return f"\\x{ord(char):02x}" if ord(char) < 0x100 else f"\\U{ord(char):08x}"

    return "".join(map(escaped, text.replace("$", "$$")))


def _refuse_foreign(environment: Mapping[str, str]) -> None:
    """Raises BadInput for parameters of WSF's own workload that there is no like of here."""
    bad = [refusal(name, text) for name, text in from_environment(environment).items() if name not in CATALOGUE]
    if bad:
        raise BadInput(*bad)


def outcome(folder: Path) -> list[str]:
    """One line where the case could not run on this CPU: WSF tells it from no other failure."""
    for status in sorted(folder.glob("itr-*/*/status")):
        if status.read_text(errors="replace").strip() == "77":
            logs = "\n".join(log.read_text(errors="replace") for log in sorted(status.parent.glob("*.log")))
            why = re.search(r"^error: (.*)$", logs, re.M) or re.search(r"^RESULT: failed: (.*)$", logs, re.M)
            return ["SKIPPED, though WSF counts it as failed: " + (why.group(1) if why else "this CPU cannot run it")]
    return []


def _differing(option: str, environment: Mapping[str, str]) -> dict[str, str]:
    """What differs from the defaults that ``parameters`` exported; ``%20`` is WSF's space. The name's always stands."""
    named = parse_option(option)
    exported = _defaults(named)
    texts = {name: environment.get(name, "").replace("%20", " ").strip(" ") or named.get(name, "")
             for name in CATALOGUE}
    return {name: text for name, text in texts.items() if text and (name in named or text != exported[name])}


def _defaults(given: Mapping[str, str]) -> dict[str, str]:
    """Every parameter's default text in this case; empty where only the machine that runs it can tell."""
    chosen: dict[str, object] = {}
    texts = {}
    for name, parameter in CATALOGUE.items():
        value = parameter.default(chosen)
        chosen[name] = parameter.parse(given[name]) if given.get(name) else value
        default = text_of(value)
        texts[name] = default if default and not read({name: default})[1] else ""
    return texts


def _not_carried(text: str) -> str | None:
    """Why WSF cannot carry a text. Its docker backend makes line ends of ~, and its terraform backend knows Jinja."""
    for char in text:
        if char in "'\"\\~" or not char.isprintable():
            return f"holds {char!r}, which WSF cannot carry: no quotes, backslashes, tildes or control characters"
    if jinja := re.search(r"\{[{%#]", text):
        return f"holds {jinja[0]!r}, which WSF's terraform backend would evaluate"
    return None


def _callers(environment: Mapping[str, str], bad: list[str]) -> tuple[list[str], list[str]]:
    """The caller's DOCKER_OPTIONS: words for docker, and ``--owner=``, which is for WSF itself; adds to ``bad``."""
    options: list[str] = []
    try:
        options = shlex.split(environment.get("DOCKER_OPTIONS", ""))
    except ValueError as error:
        bad.append(f"DOCKER_OPTIONS={environment['DOCKER_OPTIONS']!r} is not words for a command: {error}")
    bad += [f"DOCKER_OPTIONS: {word!r} {problem}" for word in options if (problem := _not_carried(word))]
    bad += [f"RECONFIG_OPTIONS: {word!r} is not -DNAME=VALUE of letters, digits and _ . / = @ + : % -"
            for word in environment.get("RECONFIG_OPTIONS", "").split() if not _DEFINITION.fullmatch(word)]
    own = [word for word in options if word.startswith("--owner=")]
    return [word for word in options if word not in own], own
