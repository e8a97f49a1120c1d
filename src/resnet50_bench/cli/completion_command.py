"""``completion bash|zsh``: print a shell script that completes all commands."""

from __future__ import annotations

import importlib
import shlex
import shutil
from collections.abc import Callable

from ..arguments import Parser
from ..ctest import ctest_words
from .tree import COMMANDS, PROG, SHOWN

_BASH = """# Completion of {prog}, ctest.sh and the other scripts. To use it: eval "$({prog} completion bash)"
_resnet50_bench() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} words
    case ${{COMP_WORDS[0]##*/}} in
{scripts}        *) if [ "$COMP_CWORD" = 1 ]; then words={commands}; else case ${{COMP_WORDS[1]}} in
{cases}        esac; fi ;;
    esac
    case $previous in
{values}    esac
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    [ -n "${{COMPREPLY-}}" ] || [ "${{current#-}}" != "$current" ] || COMPREPLY=($(compgen -f -- "$current"))
}}
complete -o filenames -F _resnet50_bench {prog} {prog}.sh ctest.sh build.sh list-kpi.sh run_test.sh
"""
_ZSH = "autoload -U +X bashcompinit && bashcompinit\n"
#: What calls a command by another name.
_SCRIPTS = {"ctest.sh": "ctest", "build.sh": "images", "list-kpi.sh": "list", "run_test.sh": "run"}


def parser() -> Parser:
    options = Parser(f"{PROG} completion", "Print a script that completes commands, options and values in your shell.",
                     f'eval "$({PROG} completion bash)"')
    options.add_argument("shell", choices=("bash", "zsh"), help="your shell")
    return options


def main(argv: list[str]) -> int:
    """Print the script."""
    shell = parser().parse_args(argv).shell
    print((_ZSH if shell == "zsh" else "") + script(), end="")
    return 0


def script() -> str:
    """The completion script for bash. zsh reads it, too."""
    parsers = {name: options for name in SHOWN if (options := parser_of(name))}
    values: dict[str, str] = {}
    for options in parsers.values():
        for action in options._actions:
            if action.choices and action.option_strings:
                values.setdefault("|".join(action.option_strings), " ".join(map(str, action.choices)))
    words = {name: " ".join(options.option_words()) for name, options in parsers.items()}
    words["ctest"] += " " + " ".join(ctest_words.known() if shutil.which("ctest") else ())
    return _BASH.format(
        prog=PROG, commands=shlex.quote(" ".join(SHOWN)),
        scripts="".join(f"        {file}) words={shlex.quote(words[name])} ;;\n" for file, name in _SCRIPTS.items()),
        cases="".join(f"            {name}) words={shlex.quote(text)} ;;\n" for name, text in words.items()),
        values="".join(f"        {option}) words={shlex.quote(text)} ;;\n" for option, text in values.items()))


def parser_of(name: str) -> Parser | None:
    """The parser of a command, or None if it has none."""
    command = COMMANDS[name]
    module = importlib.import_module(f"..{command.module}", __package__)
    maker: Callable[[], Parser] | None = getattr(module, f"{command.function}_parser", getattr(module, "parser", None))
    return maker() if maker else None
