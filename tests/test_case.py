"""Parameter texts and a FAKE machine -> one valid Case, or every violation at once."""

from __future__ import annotations

from dataclasses import replace
from types import UnionType
from typing import get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resnet50_bench.case.case import CASE_NAME, Case, Layer, UndecidedCase, option_of, parse_option, resolve
from resnet50_bench.case.parameters import CATALOGUE
from resnet50_bench.errors import BadInput, BenchError, Infrastructure, UnsupportedCpu
from support.fakes import GENOA_CPU, ICX_CPU, MILAN_CPU, SPR_CPU, machine


@pytest.fixture
def spr(tmp_path):
    return machine(tmp_path)


def of(where, **texts):
    return resolve([Layer("flag", texts)], where)


@pytest.mark.parametrize(("texts", "batch", "cores", "steps", "warmup"), [
    ({"MODE": "latency"}, 1, 4, 100, 20),
    ({"PRECISION": "amx_int8"}, 64, 56, 100, 20),
    ({"PRECISION": "amx_bfloat16"}, 32, 56, 100, 20),
    ({"PRECISION": "avx_int8"}, 32, 56, 100, 20),
    ({"PRECISION": "avx_fp32"}, 128, 56, 100, 20),
    ({"PRECISION": "amx_int8", "CASE_TYPE": "gated"}, 1, 56, 10, 5),
    ({"MODE": "latency", "CASE_TYPE": "gated"}, 1, 56, 10, 5),
    ({"PRECISION": "amx_int8", "CASE_TYPE": "pkm"}, 64, 56, 100, 20),
])
def test_defaults_by_case_type_and_precision(spr, texts, batch, cores, steps, warmup):
    case = of(spr, **texts)
    assert (case.batch_size, case.cores_per_instance, case.steps, case.warmup_steps) == (
        batch, cores, steps, warmup)


def test_nothing_given_is_the_platforms_best(spr, tmp_path):
    case = resolve([], spr)
    assert (case.platform, case.precision, case.mode, case.torch_type) == ("SPR", "amx_int8", "throughput", "IPEX")
    assert resolve([], machine(tmp_path / "g", GENOA_CPU)).precision == "avx_int8"
    assert resolve([], machine(tmp_path / "m", MILAN_CPU)).precision == "avx2_int8"


def test_flag_beats_config_beats_environment_beats_case_name_beats_default(spr):
    layers = [Layer("--set", {"BATCH_SIZE": "1"}), Layer("--config", {"BATCH_SIZE": "2", "STEPS": "2"}),
              Layer("environment", {"BATCH_SIZE": "3", "STEPS": "3", "PRECISION": "avx_fp32", "WARMUP_STEPS": ""}),
              Layer(CASE_NAME, parse_option("inference_throughput_amx_int8"))]
    case = resolve(layers, spr)
    assert (case.batch_size, case.steps, case.precision, case.warmup_steps) == (1, 2, "avx_fp32", 20)
    assert "PRECISION: avx_fp32 (environment) instead of the case name's amx_int8" in case.notices


def test_a_socket_of_one_core_is_said_where_there_are_more_cores(tmp_path):
    case = of(machine(tmp_path, SPR_CPU, sockets=2, cores_per_node=1))
    assert case.cores_per_instance == 1 and "give 2 for one instance" in case.notices[0]
    assert not of(machine(tmp_path, SPR_CPU, cores_per_node=1)).notices


def test_a_default_that_does_not_fit_is_lowered_and_a_given_value_is_an_error(tmp_path):
    small = machine(tmp_path, SPR_CPU, cores_per_node=2)
    case = of(small, MODE="latency")
    assert case.cores_per_instance == 2
    assert case.notices == ("CORES_PER_INSTANCE: default 4 lowered to the 2 usable cores",)
    with pytest.raises(BadInput, match=r"CORES_PER_INSTANCE=4 does not fit: .* 2 cores \(nearest: 2\)"):
        of(small, CORES_PER_INSTANCE="4")


@pytest.mark.parametrize(("texts", "message"), [
    ({"BATCH_SIZE": "0"}, r"BATCH_SIZE='0' \(flag\) is too small: 1 or more is allowed \(nearest: 1\)"),
    ({"PLATFORM": "SRF"}, r"PLATFORM='SRF' \(flag\) is not supported: Sierra Forest's .* supported are SPR, .*, ROME"),
    ({"PLATFORM": "bergamo"}, r"'bergamo' .* is not supported: its cores .* run the cases of PLATFORM=GENOA; "
                              r"supported are SPR"),
    ({"PLATFORM": "ARMv9"}, r"'ARMv9' .* is not supported: it is not x86-64; supported are SPR"),
    ({"STEPS": "abc"}, "STEPS='abc' .* is not a whole number of 1 or more"),
    ({"PRECISION": "amx_bfloat61"}, r"did you mean amx_bfloat16\?"),
    ({"TRAIN_EPOCH": "3"}, r"TRAIN_EPOCH=3 \(flag\) is not supported; training is measured in steps: STEPS=N"),
    ({"BATCHSIZE": "1"}, r"BATCHSIZE \(flag\) is not a parameter \(did you mean BATCH_SIZE\?\)"),
    ({"WEIGHT_SHARING": "True", "PRECISION": "avx_fp32"}, "WEIGHT_SHARING=True is not supported with avx_fp32"),
    ({"WEIGHT_SHARING": "True", "PRECISION": "amx_bfloat32"}, "not supported with amx_bfloat32"),
    ({"CUSTOMER_ENV": "A=1 ;rm"}, "';rm', which is not NAME=VALUE"),
    ({"MODE": "accuracy", "DATA_TYPE": "dummy"}, "random labels have no accuracy"),
    ({"FUNCTION": "training"}, "FUNCTION=training is not supported"),
    ({"FUNCTION": "training", "PRECISION": "amx_bfloat32"}, "amx_bfloat32.*; use .*amx_bfloat16"),
])
def test_what_is_refused_and_in_which_words(spr, texts, message):
    with pytest.raises(BadInput, match=message) as refused:
        of(spr, **texts)
    assert refused.value.exit_status == 2


def test_every_violation_is_reported_together(spr):
    with pytest.raises(BadInput) as refused:
        of(spr, BATCH_SIZE="0", STEPS="x", MODE="fast")
    assert len(refused.value.violations) == 3


@pytest.mark.parametrize(("cpu", "precision", "missing"), [
    (ICX_CPU, "amx_int8", "amx_tile amx_int8"), (MILAN_CPU, "avx_fp32", "avx512f"), (ICX_CPU, "avx_bfloat16",
                                                                                   "avx512_bf16")])
def test_a_cpu_that_cannot_run_it_is_77_and_names_the_flags(tmp_path, cpu, precision, missing):
    with pytest.raises(UnsupportedCpu, match=missing) as refused:
        of(machine(tmp_path, cpu), PRECISION=precision)
    assert refused.value.exit_status == 77


@pytest.mark.parametrize(("texts", "named"), [
    ({}, True), ({"BATCH_SIZE": "16"}, False), ({"CORES_PER_INSTANCE": "2"}, False), ({"TORCH_TYPE": "IPEX"}, False),
    ({"PRECISION": "amx_bfloat16"}, False), ({"FUNCTION": "training", "MODE": "throughput"}, True)])
def test_eager_fp32_on_one_core_runs_what_no_log_shows(spr, texts, named):
    case = of(spr, **{"PRECISION": "avx_fp32", "TORCH_TYPE": "EAGER", "MODE": "latency", "BATCH_SIZE": "15",
                      "CORES_PER_INSTANCE": "1"} | texts)
    assert bool(case.unprovable) == named and ("BATCH_SIZE=16" in case.unprovable) == named


def test_amx_that_the_kernel_refuses_is_no_lack_of_the_cpu(tmp_path):
    """A case that was skipped for it would hide a machine that is set up wrongly."""
    flags = frozenset(flag for flag in SPR_CPU.flags if not flag.startswith("amx_"))
    refused = machine(tmp_path, replace(SPR_CPU, flags=flags, amx_refused="the kernel refuses the tile state"))
    with pytest.raises(Infrastructure, match="PRECISION=amx_int8 needs AMX.*the kernel refuses the tile state"):
        of(refused, PRECISION="amx_int8")
    assert of(refused).precision == "avx_int8", "a default is one that can be used"


def test_case_names_go_both_ways(spr):
    option = "inference_throughput_amx_bfloat16_gated"
    texts = parse_option(f"test_resnet50_pytorch_xeon_public_{option}")
    assert option_of(resolve([Layer(CASE_NAME, texts)], spr)) == option
    with pytest.raises(BadInput, match="MODE"):
        parse_option("inference_speed_amx_int8")


def test_verbose_0_and_1_are_wsfs_words_for_false_and_true(spr):
    assert [of(spr, VERBOSE=text).verbose for text in ("0", "1", "False", "True")] == [False, True, False, True]


def test_customer_env_is_data(spr):
    case = of(spr, CUSTOMER_ENV="A=$(id) B=x;y A=2")
    assert case.customer_env == (("A", "2"), ("B", "x;y"))


_NAMES = st.one_of(st.sampled_from([*CATALOGUE]), st.text(max_size=12))
_TEXTS = st.one_of(st.text(max_size=30), st.sampled_from(
    ["1", "4", "0", "-1", "True", "latency", "amx_int8", "gated", "A=1 B=$(id)", "9" * 40, "\x00", "٣"]))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(texts=st.dictionaries(_NAMES, _TEXTS, max_size=6))
def test_arbitrary_environments_give_a_case_or_a_refusal(spr, texts):
    try:
        case = of(spr, **{name: text for name, text in texts.items() if name != "where"})
    except BenchError as refused:
        assert refused.exit_status in (2, 77) and str(refused)
        return
    assert resolve([Layer("again", case.texts())], spr).texts() == case.texts()


def test_a_case_that_leaves_numbers_to_a_search_is_another_thing_until_it_has_them(spr):
    asked = of(spr, BATCH_SIZE="Auto", STEPS="7")
    assert isinstance(asked, UndecidedCase) and asked.sought == ("BATCH_SIZE",)
    assert asked.texts()["BATCH_SIZE"] == "auto" and isinstance(of(spr, BATCH_SIZE="3"), Case)
    case = asked.decided({"BATCH_SIZE": 8, "CORES_PER_INSTANCE": 1}, "a notice")
    assert (case.batch_size, case.cores_per_instance) == (8, asked.cores_per_instance), "what was known stays"
    assert dict(case.origins)["BATCH_SIZE"] == "auto" and case.notices[-1] == "a notice"
    assert case.texts() == asked.texts() | {"BATCH_SIZE": "8"}


def test_the_catalogues_values_have_the_types_of_the_cases_fields(spr):
    types = get_type_hints(Case)
    for case in (of(spr), of(spr, MODE="accuracy"), of(spr, CUSTOMER_ENV="A=1", FUNCTION="training",
                                                       PRECISION="avx_fp32")):
        for name, hint in types.items():
            kinds = get_args(hint) if get_origin(hint) is UnionType else (hint,)
            assert type(getattr(case, name)) in [get_origin(kind) or kind for kind in kinds], name
