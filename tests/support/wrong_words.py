"""Command lines that are wrong, made from the real options: each with the word that the refusal must name."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

from resnet50_bench.case.parameters import CATALOGUE
from resnet50_bench.cli.completion_command import parser_of
from resnet50_bench.cli.tree import SHOWN
from resnet50_bench.ctest import ctest_words, options

#: (words of resnet50-bench, what the refusal must name, the option that was meant or nothing)
Line = tuple[list[str], str, str]


def typos(word: str) -> Iterator[str]:
    """``--loop`` -> ``--lop``, ``--lloop``, ``--lopo`` ...: a letter dropped, doubled, or two swapped."""
    for place in range(3, len(word)):
        yield word[:place] + word[place + 1:]
        yield word[:place] + word[place] + word[place:]
        if word[place:place + 2] != word[place + 1:place - 1:-1]:
            yield word[:place] + word[place + 1:place + 2] + word[place] + word[place + 2:]


def mistyped(seed: int, count: int) -> list[Line]:
    """``count`` of ctest.sh's and as many of the other commands'."""
    draw = random.Random(seed)
    real = {*options.parser()._option_string_actions, *(f"--{name.lower()}" for name in CATALOGUE),
            *ctest_words.known()}
    lines = [(["ctest", *draw.choice((["-N", wrong], [f"{wrong}=3", "-V"], [wrong, "3"]))], wrong, word)
             for word in sorted(real) if len(word) > 4 and word.startswith("--")
             for wrong in typos(word) if not _is_real(wrong, real)]
    others = [([name, wrong], wrong, word) for name in SHOWN if name != "ctest" and (parser := parser_of(name))
              for word in parser.option_words() if len(word) > 4 for wrong in typos(word)
              if not _is_real(wrong, {*parser.option_words(), *parser._option_string_actions})]
    commands = [([wrong], wrong, word) for word in SHOWN if len(word) > 3 for wrong in typos(f"--{word}")]
    commands = [([wrong[2:]], wrong[2:], word) for ([wrong], _, word) in commands if wrong[2:] not in SHOWN]
    return draw.sample(lines, count) + draw.sample(others + commands, count)


def _is_real(word: str, real: set[str]) -> bool:
    spelt = word.lower()
    return bool({spelt, spelt.replace("_", "-"), spelt.replace("-", "_")} & real) or (
        "--" + spelt[2:].replace("-", "_") in real)


def wrong_values(seed: int) -> list[Line]:
    """Values that no option or parameter takes."""
    draw = random.Random(seed)
    lines: list[Line] = [
        (["ctest", "-N", f"--{name.lower()}={text}"], text, "") for name, text in (
            *((name, "-1") for name in ("BATCH_SIZE", "STEPS", "WARMUP_STEPS", "CORES_PER_INSTANCE", "MIN_DURATION")),
            *((name, "many") for name in ("BATCH_SIZE", "STEPS", "WARMUP_STEPS", "MIN_DURATION", "ACCURACY_TARGET")),
            ("BATCH_SIZE", "0"), ("STEPS", "1.5"), ("WEIGHT_SHARING", "perhaps"), ("DATASET", "not/absolute"),
            ("CUSTOMER_ENV", "NOVALUE"), ("VERBOSE", "2"))]
    for name in ("MODE", "FUNCTION", "PRECISION", "PLATFORM", "CASE_TYPE", "DATA_TYPE", "INSTANCE_MODE", "TORCH_TYPE"):
        for value in CATALOGUE[name].allowed.split():
            if value not in ("empty", "auto"):
                wrong = value[0] + value[2:]
                lines += [(["ctest", "-V", f"--set={name}={wrong}"], wrong, value),
                          (["ctest", f"--{name.lower()}", wrong], wrong, value)]
    lines += [(["ctest", f"{option}={text}"], text if option != "--set" else text.partition("=")[0], "")
              for option, text in (
        ("--loop", "two"), ("--loop", "0"), ("--run", "-3"), ("--burst", "1.5"), ("--status", "x"),
        ("--timeout", "abc"), ("--timeout", "0"), ("--backend", "dokcer"), ("--backend", "slrum"),
        ("--registry", "host:5000"),
        ("--release", "v1"), ("--options", "--cpus='2"), ("--attach", "nowhere"), ("--config", "nowhere"),
        ("--testset", "nowhere"), ("--gate", "nowhere"), ("--set", "STEPS"), ("--set", "STPES=1"),
        ("--set", "STEPS=3...1"),
        ("--set", "STEPS=1 2 |0"), ("--repeat", "until-fial:3"), ("--repeat", "3"), ("--show-only", "jsn"),
        ("--no-tests", "ignroe"), ("--parallel", "x"), ("--max-width", "wide"), ("--test-output-size-passed", "big"),
        ("--dry-run", "yes"), ("--noenv", "1"), ("--rerun-failed", "now"))]
    lines += [(["ctest", *words], words[0], "") for words in (
        ["-R"], ["-j", "x"], ["--set"], ["--testcase"], ["--output-junit"], ["gated"], ["BATCH_SIZE=8"], ["-R", ""],
        ["test_resnet50_pytorch_xeon_public_inference_latency_amx_int8"], ["-Z"], ["-NV"], ["--loop", "-V"],
        ["--batch_size"], ["--gate"])]
    lines += [(words, words[-1].rpartition("=")[2], "") for words in (
        ["list", "--format", "cvs"], ["list", "--recent", "0"], ["fleet", ".", "--format=jsn"],
        ["gate", ".", "--last=x"],
        ["versus", "--rounds", "no"], ["versus", "--a", "", "--b", "", "--within=5"], ["completion", "fish"],
        ["doctor", "now"], ["parameters", "all"], ["status", "--lines=-2"], ["images", "Dockerfile.9"],
        ["rerun", "nowhere.json"], ["sweep", "now"], ["run", "gated"], ["run", "--mode=latecny"],
        ["run", "--precision=amx_int9"], ["report", "--output=report.pdf"])]
    draw.shuffle(lines)
    return lines


def contradictions() -> list[Line]:
    """Options that exclude each other."""
    choosing = [["-R", "x"], ["-E", "x"], ["-L", "x"], ["-LE", "x"], ["-I", "1"], ["--rerun-failed"],
                ["--tests-regex=x"]]
    modes = [["--describe-params"], ["--doctor"], ["--status"], ["--stop"], ["--check-docker-image"], ["--sweep"],
             ["--testset", "x"]]
    pairs = [*itertools.product([["--testcase", "x"]], choosing),
             *itertools.product([["--rerun-failed"]], choosing[:5]), *itertools.combinations(modes, 2),
             *itertools.product(modes[:5], (["--loop", "3"], ["-V"], ["--steps=3"], ["--dry-run"])),
             *((["--sweep"], other) for other in (["-N"], ["--loop=2"], ["--run", "2"], ["--burst", "2"],
                                                  ["--backend=docker"], ["--testcase=x"], ["--gate", "x"])),
             (["--nohup"], ["--daemon"]), (["--testset", "x"], ["--testcase", "y"]), (["--testset", "x"], ["-R", "y"]),
             (["--gate", "x"], ["--burst", "2"]), (["-N"], ["--dry-run"]), (["-N"], ["--daemon"]),
             (["--show-only"], ["--nohup"]), (["-Q"], ["-V"]), (["--backend=slurm"], ["--burst=2"]),
             (["--testcase", "x"], ["--testcase", "y"])]
    return [(["ctest", *one, *other], other[0].partition("=")[0], "") for one, other in pairs]
