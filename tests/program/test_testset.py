"""--testset: documents of cases and settings, run in turn by real ctest with a FAKE runner."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resnet50_bench.case.parameters import CATALOGUE
from resnet50_bench.ctest import options
from resnet50_bench.ctest.choice import CasesDocument
from resnet50_bench.ctest.testset import EVERY_KEY, read_testset
from resnet50_bench.errors import BadInput
from support.fake_checkout import FAILS, Checkout

NAME, VALUE = FAILS.split("=")
FAILING = f"{NAME}: {VALUE}"

yaml = pytest.importorskip("yaml")
NAMES = [f"test_resnet50_pytorch_xeon_public_inference_{mode}_{precision}{case_type}"
         for mode in ("latency", "throughput") for precision in ("avx_fp32", "amx_int8")
         for case_type in ("", "_gated")]


def read(folder: Path, text: str) -> list[CasesDocument]:
    (folder / "t.yaml").write_text(text)
    return read_testset(folder / "t.yaml")


def test_a_document_is_what_one_would_have_typed(tmp_path):
    (tmp_path / "c.yaml").write_text("")
    first, second = read(tmp_path, """
testcase: test_x
PLATFORM: SPR
BENCHMARK: ResNet50-PyTorch-Xeon-Public
TIMEOUT: 60
BATCH_SIZE: 1 2 ...8
CUSTOMER_ENV: A=1 B=2
test-config: c.yaml
options: ["--cpus 2", "--memory 4g"]
loop: 3
---
---
cases: ["*_gated", "!/fp32/"]
set: {STEPS: [10, 20], WEIGHT_SHARING: yes, WARMUP_STEPS: }
continue: true
gate: c.yaml
allow-missing: true
run: 2
""")
    assert (first.number, first.patterns) == (1, ["test_x"])
    assert first.words == ["--platform=SPR", "--timeout=60", "--set=BATCH_SIZE=1 2 ...8", "--set=CUSTOMER_ENV=A=1 B=2",
                           f"--config={tmp_path / 'c.yaml'}", "--options=--cpus 2 --memory 4g", "--loop=3"]
    assert second.number == 3 and second.words == [
        "--set=STEPS=10 20", "--set=WEIGHT_SHARING=True", "--set=WARMUP_STEPS=", "--continue",
        f"--gate={tmp_path / 'c.yaml'}", "--allow-missing", "--run=2"]
    assert len(options.parse(second.words).runs()) == 4


@pytest.mark.parametrize(("patterns", "expected"), [
    ([NAMES[3]], [3]), ([NAMES[3].removeprefix("test_")], [3]), (["*_gated"], [1, 3, 5, 7]),
    (["inference_latency_amx_int8"], [2]), (["/latency.*int8/"], [2, 3]), (["!/fp32|gated/"], [2, 6]),
    (["*_gated", "!/fp32/"], [3, 7]), (["*_latency_avx_fp32", "*_throughput_avx_fp32"], [0, 4]),
])
def test_names_globs_and_regular_expressions_choose_cases(patterns, expected):
    assert CasesDocument(1, patterns).select(NAMES) == [NAMES[i] for i in expected]


@pytest.mark.parametrize(("patterns", "why"), [
    (["test_resnet50_pytorch_xeon_public_inference_latency_amx_int9"], "did you mean .*latency_amx_int8"),
    (["*_int4"], "is no case"), (["*_gated", "!/./"], "all its cases are excluded")])
def test_patterns_that_choose_nothing_are_said(patterns, why):
    with pytest.raises(BadInput, match=why):
        CasesDocument(1, patterns).select(NAMES)


@pytest.mark.parametrize(("text", "why"), [
    ("", "contains no document"), ("- a", "is not NAME: VALUE lines"), ("STEPS: 1", "it names no case"),
    ("cases: x\nBACTH_SIZE: 1", "did you mean BATCH_SIZE"), ("cases: x\nloop: many", "loop: 'many' is not a number"),
    ("cases: x\nloop: true", "is not a number"), ("cases: x\nSTEPS: {a: 1}", "STEPS: {'a': 1} is not a value"),
    ("cases: {a: 1}", "is not a case"),
    ("cases: /(/", "not a regular expression"), ("cases: '!*_gated'", "to exclude cases use a regular expression"),
    ("cases: x\nconfig: none.yaml", "no such file"), ("cases: x\nTIMEOUT: soon", "not a number of seconds"),
    ("cases: x\ncontinue: perhaps", "is not true or false"), ("cases: x\nBENCHMARK: stream", "another workload"),
    ("cases: x\nTERRAFORM_SUT: aws", "neither a key nor a parameter"), ("cases: [a", "is not YAML"),
    ("cases: x\nSTEPS: 2001-13-99", "is not YAML"), ("cases: x\nSTEPS: 0x" + "f" * 5000, "no usable value"),
    ('cases: "a\\0b"', "contains control characters"), ("? [a, b]\n: 1", "is not YAML"),
    ("!!python/tuple [a]: 1", "is not YAML"), ("? !!timestamp x\n: 1", "is not YAML"),
    ("cases: x\nattach: " + "y" * 5000, "no such file"), ("[" * 1000, "is not YAML"),
    ("cases: x\nSTEPS: 1\nSTEPS: 2", "STEPS is given twice; give it once.* line 3"),
    ("cases: x\nset: {STEPS: 1, 'STEPS': 2}", "STEPS is given twice"),
])
def test_what_is_wrong_is_one_line_with_its_place(tmp_path, text, why):
    with pytest.raises(BadInput, match=why) as caught:
        read(tmp_path, text)
    assert all(str(tmp_path / "t.yaml") in line and "\n" not in line for line in caught.value.violations)


def test_a_file_that_cannot_be_read_says_why(tmp_path):
    (tmp_path / "latin1.yaml").write_bytes(b"cases: x\nDATASET: /\xe9")
    for name, why in (("latin1.yaml", "it is not UTF-8 text"), (".", "Is a directory$"), ("none", "No such file")):
        with pytest.raises(BadInput, match=f"cannot be read: {why}"):
            read_testset(tmp_path / name)


def test_merged_keys_are_no_doubled_ones(tmp_path):
    made, = read(tmp_path, "cases: x\nset: {<<: {STEPS: 1, BATCH_SIZE: 3}, STEPS: 2}")
    assert sorted(made.words) == ["--set=BATCH_SIZE=3", "--set=STEPS=2"]


def test_every_wrong_line_of_every_document_is_told_at_once(tmp_path):
    with pytest.raises(BadInput) as caught:
        read(tmp_path, "cases: x\nloop: a\nrun: b\n---\nSTEPS: 1\n")
    assert len(caught.value.violations) == 3 and "document 2" in caught.value.violations[2]


KEYS = st.sampled_from([*EVERY_KEY, *list(CATALOGUE)[:8], "none"]) | st.text(max_size=5) | st.integers() | st.none()
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner,
                                                                                          max_size=3), max_leaves=6)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.dictionaries(KEYS, VALUES, max_size=5) | VALUES, max_size=3))
def test_any_yaml_is_read_or_refused(tmp_path, documents):
    (tmp_path / "t.yaml").write_text(yaml.safe_dump_all(documents, allow_unicode=False))
    _never_a_traceback(tmp_path)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=60) | st.text("ab:-[]{}!&*?|>'\"#/\n 019._~", max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(tmp_path, content):
    (tmp_path / "t.yaml").write_bytes(content)
    _never_a_traceback(tmp_path)


def _never_a_traceback(folder: Path) -> None:
    try:
        for document in read_testset(folder / "t.yaml"):
            assert document.patterns
            document.select(NAMES)
            options.parse(document.words).overrides()
    except BadInput as error:
        assert str(error)


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Checkout:
    if not shutil.which("cmake"):
        pytest.skip("cmake is not installed")
    return Checkout(tmp_path_factory.mktemp("testset") / "checkout")


@pytest.fixture
def checkout(shared) -> Checkout:
    shared.clear()
    return shared


def put(checkout: Checkout, *documents: str) -> None:
    (checkout.folder / "t.yaml").write_text("\n---\n".join(documents))


def test_documents_run_in_turn_and_the_first_failure_ends_them(checkout):
    put(checkout, f"testcase: {checkout.case}\nSTEPS: 10 20", f"testcase: {checkout.case}\n{FAILING}",
        f"testcase: {checkout.case}\nSTEPS: 30")
    done = checkout.ctest("--testset", "t.yaml", "-V")
    assert done.returncode == 1, done.stdout + done.stderr
    summary = done.stdout[done.stdout.index("== t.yaml: summary"):].splitlines()
    short = checkout.case.partition("public_")[2]
    assert summary[1:] == ["document 1: 1 passed, 0 failed, 0 skipped, status 0",
                           "document 2: 0 passed, 1 failed, 0 skipped, status 1",
                           f"  failed: {short}, status 1", "document 3: not run"]
    first, second = checkout.logs()
    assert len(list(first.glob("itr-*"))) == 2 and f'{NAME}: "{VALUE}"' in (second / "workload-config.yaml").read_text()


def test_continue_goes_on_and_the_command_line_beats_the_file(checkout):
    put(checkout, f"testcase: {checkout.case}\n{FAILING}\nSTEPS: 10", f"testcase: {checkout.case}\nSTEPS: 30")
    done = checkout.ctest("--testset=t.yaml", "-V", "--continue", "--set", "STEPS=40")
    assert done.returncode == 1
    assert "document 2: 1 passed, 0 failed, 0 skipped, status 0" in done.stdout
    assert "*Throughput (samples/sec): 40.0000" in done.stdout
    assert all('STEPS: "40"' in (logs / "workload-config.yaml").read_text() for logs in checkout.logs())


def test_dry_run_writes_configurations_only(checkout):
    put(checkout, "cases: '/inference_latency_.*fp32_gated/'\nset: STEPS=3", f"cases: {checkout.case}\nloop: 2")
    done = checkout.ctest("--testset", "t.yaml", "--dry-run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "summary (dry run: nothing was measured)" in done.stdout and "document 1: --set=STEPS=3" in done.stdout
    assert checkout.logs() and not list(checkout.build.glob("workload/*/*/itr-*"))


def test_what_is_wrong_anywhere_is_said_before_anything_runs(checkout):
    put(checkout, f"testcase: {checkout.case}", "cases: '*_int4'\nTIMEOUT: 30", "cases: '*'\nBATCH_SIZE: 0",
        "cases: '*'\nTIMEOUT: 999999")
    done = checkout.ctest("--testset", "t.yaml", "-V")
    assert done.returncode == 2 and done.stdout == ""
    for line in ("document 2: *_int4 is no case", "document 3: BATCH_SIZE='0' is too small",
                 "document 4: TIMEOUT=999999 is above the build folder's 3600"):
        assert f"error: t.yaml: {line}" in done.stderr
    assert not checkout.logs()
