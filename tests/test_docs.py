"""The pages: commands that today's parsers read, links that lead somewhere, plain English."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from resnet50_bench import errors, variables
from resnet50_bench.case import flags, parameters, platforms
from resnet50_bench.case.case import WORKLOAD, parse_option
from resnet50_bench.case.precision import PRECISIONS
from resnet50_bench.cli.completion_command import parser_of
from resnet50_bench.cli.tree import COMMANDS, SHOWN
from resnet50_bench.ctest import options
from resnet50_bench.errors import BadInput, BenchError
from resnet50_bench.versus.words import read_side
from support import made_pages, pages
from support.messages import messages
from support.pages import PAGES, ROOT, Shown
from support.prose import banned, faults, sentences

MARKDOWN = [page for page in PAGES if page.suffix == ".md"]
#: Scripts that are a command by another name.
SCRIPTS = {"list-kpi.sh": "list", "build.sh": "images", "setup.sh": "setup", "run_test.sh": "run", "ctest.sh": "ctest"}
#: Ours that take no option which a page shows.
PLAIN = ("quickstart.sh", "test.sh", "docs.sh", "lock.sh", "kpi.sh", "validate.sh", "make-base-image.sh")
OTHERS = ("apt-get", "cd", "cmake", "docker", "eval", "make", "podman", "pytest", "python3", "sudo", "tar")
NAMES = [f"test_{WORKLOAD}_{what}_{precision}{end}" for what, precision, end in itertools.product(
    ("inference_latency", "inference_throughput", "inference_accuracy", "inference_server",
     "training_throughput"), PRECISIONS,
    ("", "_gated", "_pkm"))]


def understood(shown: Shown) -> None:
    """Raises where a command of ours would refuse these words; nothing is run."""
    program, words = shown.words[0], [word for word in shown.words[1:] if word != "..."]
    name = Path(program).name
    if "/" in program:
        assert os.access(ROOT / program, os.X_OK), f"{program} is not there"
    if name in OTHERS or program.startswith("$") or name in PLAIN:
        assert name != "python3" or not words[0].endswith(".py") or (ROOT / words[0]).exists(), words[0]
        return
    if name in ("resnet50-bench", "resnet50-bench.sh"):
        name, words = (words[0], words[1:]) if words else ("--help", [])
    else:
        assert name in SCRIPTS, f"{name} is no command"
    read(SCRIPTS.get(name, name), words, dict(shown.environment))


def read(name: str, words: list[str], environment: dict[str, str]) -> None:
    """The words after a command's name, by its own parsers."""
    if name in ("--help", "--version"):
        return
    assert name in COMMANDS, f"{name} is no command"
    if {"--help", "--version"} & {*words}:
        return
    if name == "ctest":
        read_ctest(words, environment)
        return
    if name in ("run", "sweep", "versus", "engines"):
        texts, words = flags.parse_flags(words)
        lists = ("PRECISION", "BATCH_SIZE", "CORES_PER_INSTANCE") if name in ("sweep", "engines") else ()
        wrong = parameters.wrong_values({key: text for key, text in texts.items() if key not in lists})
        assert not list(wrong)
    parser = parser_of(name)
    assert parser or not words, f"{name} takes no words"
    if parser:
        parsed = parser.parse_args(words)
        for side in "ABCDEFGH" if name == "versus" else "":
            assert not list(parameters.wrong_values(read_side(side, getattr(parsed, side) or "")[0]))


def read_ctest(words: list[str], environment: dict[str, str]) -> None:
    parsed = options.parse(words, environment)
    if parsed.testcase and not parsed.testcase.isupper():  # NAME stands for any
        parse_option(parsed.testcase)
    for item in parsed.items:
        if item.name == "-R":
            assert any(re.search(item.value or "", case) for case in NAMES), f"no case matches {item.value}"


@pytest.mark.parametrize("shown", pages.commands(), ids=str)
def test_what_pages_show_is_understood(shown):
    understood(shown)


def test_commands_are_taken_out_of_lines_as_a_shell_would():
    line = 'A="1 2" ./ctest.sh -R "a|b" --set "X=1 2" > out.txt && eval "$(resnet50-bench completion bash)"  # why'
    first, second, third = pages.of_line("page", line)
    assert (first.words, third.words) == (("resnet50-bench", "completion", "bash"), ("eval", "_"))
    assert second.words == ("./ctest.sh", "-R", "a|b", "--set", "X=1 2") and dict(second.environment) == {"A": "1 2"}


@pytest.mark.parametrize("line", [
    "./ctest.sh --lop 3", "./ctest.sh -R no_such_case", "./ctest.sh --testcase inference_throughput_amx_int9",
    "./ctest.sh --batch_size=none", "scripts/resnet50-bench.sh reprot", "scripts/resnet50-bench.sh gate --base",
    "resnet50-bench versus --a BATCHSIZE=8", "resnet50-bench run --batch_size=none", "./list-kpi.sh --frmt json",
    "./no-such.sh", "curl example.org",
])
def test_what_a_command_refuses_is_found(line):
    shown, = pages.of_line("page", line)
    with pytest.raises((AssertionError, BadInput)):
        understood(shown)


@pytest.mark.parametrize("page", [*MARKDOWN, ROOT / "assets/README.md"], ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page):
    for link in pages.links(page):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in pages.anchors(target), link


def test_every_page_is_linked_from_the_index_and_in_the_sites_menu():
    index = ROOT / "docs/README.md"
    reachable = {(index.parent / link.partition("#")[0]).resolve() for link in pages.links(index)} | {index}
    assert [str(page) for page in ROOT.glob("docs/**/*.md") if page not in reachable] == []
    assert "docs/README.md" in pages.links(ROOT / "README.md")
    named = re.findall(r": ([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.M)
    assert sorted(named) == sorted(str(page.relative_to(index.parent)) for page in ROOT.glob("docs/**/*.md"))


@pytest.mark.parametrize("page", made_pages.every(), ids=lambda page: page.name)
def test_what_is_made_from_the_code_is_current(page):
    assert page.read_text() == made_pages.current(page), "run: scripts/docs.sh --reference"


def test_wsfs_index_names_every_platform():
    index = (ROOT / "README.md").read_text().partition("- Platform: ")[2].partition("\n")[0]
    assert re.findall(r"`(\w+)`", index) == [*platforms.PLATFORMS]


def test_every_exit_status_is_explained():
    rows = re.findall(r"^\| (\d+) \|", (ROOT / "docs/reference/exit-statuses.md").read_text(), re.M)
    failures = [error for error in vars(errors).values() if isinstance(error, type) and issubclass(error, BenchError)]
    assert {int(row) for row in rows} == {0, *(failure.exit_status for failure in failures)}


def test_every_variable_of_the_environment_is_explained():
    rows = re.findall(r"^\| `(RESNET50_BENCH_\w+)` \|", (ROOT / "docs/reference/parameters.md").read_text(), re.M)
    assert sorted(rows) == sorted(variables.FOR_USERS)


def test_every_option_of_ctest_sh_and_every_command_is_on_a_page():
    text = "\n".join(page.read_text() for page in PAGES)
    own = [word for word in options.parser().option_words()
           if word.startswith("--") and word.removeprefix("--").upper() not in parameters.CATALOGUE]
    assert [word for word in own if not re.search(rf"{word}\b", text)] == []
    lines = [line.words for line in pages.commands() if re.search(r"resnet50-bench|\.sh$", line.words[0])]
    names = {SCRIPTS.get(Path(program).name, "".join(words[:1])) for program, *words in lines}
    assert {*SHOWN} - names == set()


@pytest.mark.parametrize("page", MARKDOWN, ids=lambda page: page.name)
def test_files_that_a_page_names_are_there(page):
    for name in re.findall(r"`((?:src|benchmarks|tests|scripts|docs)/[\w./-]+)", page.read_text()):
        assert (ROOT / name).exists(), name


def test_pages_that_the_program_names_are_there():
    texts = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    assert [name for name in re.findall(r"(?<!/)\bdocs/[\w./-]+\w", texts) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", [page for page in MARKDOWN if page.name != "commands.md"], ids=str)
def test_a_page_is_short(page):
    assert len(page.read_text().splitlines()) <= (120 if page.name == "README.md" else 200)


@pytest.mark.skipif(not shutil.which("git") or not (ROOT / ".git").exists(), reason="this is no git checkout")
def test_nothing_refers_to_a_page_that_nobody_has():
    pattern = r"the descriptio[n]\|contract sectio[n]\|contract, sectio[n]\|issu[e] [A-K]\b"
    done = subprocess.run(["git", "grep", "-n", pattern, "--", ":!CHANGELOG.md"], cwd=ROOT, capture_output=True,
                          text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")


@pytest.mark.parametrize("page", [page for page in MARKDOWN if page.name != "commands.md"], ids=str)
def test_a_page_is_plain_english(page):
    assert faults(page.read_text(), names_tests=page.name == "CONTRIBUTING.md") == []


def test_no_text_of_the_program_has_a_banned_word():
    texts = [message for message in messages() if message.path.name not in ("schema.py", "completion_command.py")]
    assert len(texts) > 500
    assert [str(message) for message in texts if banned(message.text)] == []


def test_sentences_are_found_in_text_lists_and_tables_and_not_in_code():
    page = ("# A head\n\nOne. Two `x. Y` [three](x.md)!\n\n- Four\n  five\n\n| six | Seven. Eight |\n| --- | --- |\n\n"
            "```\nNo. No\n```\n")
    assert [*sentences(page)] == ["A head", "One.", "Two `____` three!", "Four five", "six", "Seven.", "Eight"]


@pytest.mark.parametrize("text", ["Measured by turns.", "Status shows how they fare.", f"It has {'many ' * 30}words.",
                                  "`test_that_it_runs` shows it.", "See `src/resnet50_bench/files.py`."])
def test_what_a_reader_stumbles_over_is_found(text):
    assert len(faults(text)) == 1
