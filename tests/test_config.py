"""A --config file: what is wrong in it is said before a case runs."""

from __future__ import annotations

import pytest

from resnet50_bench.ctest.config import read_config, texts_for
from resnet50_bench.errors import BadInput


@pytest.mark.parametrize(("text", "why"), [
    ("- 1", "[1] is not globs with parameters below them"),
    ("'*': 7", "['*']: 7 is not NAME: VALUE lines"),
    ("'*': {BATCHSIZE: 8}", "BATCHSIZE is not a parameter (did you mean BATCH_SIZE?)"),
    ("'*': {BATCH_SIZE: [1, 2]}", "BATCH_SIZE: [1, 2] is not a single value"),
    ("'*': {BATCH_SIZE: -3}", "BATCH_SIZE='-3' is too small: 1 or more is allowed"),
    ("'*': {BATCH_SIZE: true}", "BATCH_SIZE='True' is not a whole number"),
    ("'*_avx_in8*': {STEPS: 1}", "'*_avx_in8*' matches no case of any platform (did you mean int8?)"),
    ("'*_THROUGHPUT_*': {STEPS: 1}", "(did you mean throughput?)"),
    ("'*_training_latency_*': {STEPS: 1}", "'*_training_latency_*' matches no case of any platform;"),
    ("test_resnet50_pytorch_xeon_public_inference_troughput_avx_int8: {STEPS: 1}",
     "did you mean test_resnet50_pytorch_xeon_public_inference_throughput_avx_int8?"),
    ("'*_gated': {STEPS: 1}\n'*': {STEPS: 1}\n'*_gated': {STEPS: 2}", "*_gated is given twice; give it once"),
])
def test_what_is_wrong_is_one_line_with_its_place(tmp_path, text, why):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(BadInput) as caught:
        read_config(path)
    line, = caught.value.violations
    assert line.startswith(str(path)) and why in line


def test_a_later_glob_beats_an_earlier_one_and_nothing_is_the_default(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("'*': {STEPS: 1, VERBOSE: yes}\n---\n'*_gated': {STEPS: 2, BATCH_SIZE: }\n")
    assert texts_for(read_config(path), "test_x_gated") == {"STEPS": "2", "VERBOSE": "True", "BATCH_SIZE": ""}


def test_a_glob_for_another_platforms_cases_is_taken(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("'*_amx_int8*': {STEPS: 1}\n'*_avx2_fp32': {STEPS: 2}\nresnet50_*_training_*: {STEPS: 3}\n")
    assert [glob for glob, _ in read_config(path)] == ["*_amx_int8*", "*_avx2_fp32", "resnet50_*_training_*"]
