"""RESNET50_BENCH_* variables: all that anything reads are known, and a mistyped one is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from resnet50_bench.cli.tree import main
from resnet50_bench.errors import BadInput
from resnet50_bench.variables import KNOWN, refuse_unknown

ROOT = Path(__file__).parents[1]


def test_every_variable_that_is_read_is_known_and_every_known_one_is_read():
    files = [path for folder in ("src", "scripts", "cmake") for path in (ROOT / folder).rglob("*")
             if path.suffix in (".py", ".sh", ".j2", ".cmake") and path.name != "variables.py"]
    texts = [path.read_text() for path in (*files, *ROOT.glob("*.sh"), *ROOT.glob("*.m4"), *ROOT.glob("Dockerfile.*"))]
    read = set(re.findall(r"\bRESNET50_BENCH_[A-Z_]*[A-Z]\b", "\n".join(texts)))
    assert read == set(KNOWN)


def test_a_mistyped_one_is_named_with_the_nearest(monkeypatch, capsys):
    refuse_unknown(["PATH", *KNOWN])
    with pytest.raises(BadInput) as far:
        refuse_unknown(["RESNET50_BENCH_QUX"])
    assert "did you mean" not in str(far.value)
    with pytest.raises(BadInput, match="RESNET50_BENCH_STAK does not exist .*did you mean RESNET50_BENCH_STACK"):
        refuse_unknown(["RESNET50_BENCH_STAK"])
    monkeypatch.setenv("RESNET50_BENCH_STACKS", "openvino")
    assert main(["parameters"]) == 2
    assert "RESNET50_BENCH_STACKS does not exist" in capsys.readouterr().err


def test_what_kubernetes_sets_for_a_service_of_that_name_is_passed_over():
    links = ["RESNET50_BENCH_SERVICE_HOST", "RESNET50_BENCH_SERVICE_PORT_HTTP", "RESNET50_BENCH_PORT",
             "RESNET50_BENCH_WEB_PORT_80_TCP_ADDR"]
    refuse_unknown(["KUBERNETES_SERVICE_HOST", *links])
    for name in links:
        with pytest.raises(BadInput):
            refuse_unknown([name])
