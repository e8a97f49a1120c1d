"""The manifests by Kubernetes' own schemas of three versions, and by what they have to say."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from resnet50_bench.backends.kubernetes_manifest import KubernetesOptions, labels, manifest
from resnet50_bench.case.parameters import CATALOGUE
from resnet50_bench.case.precision import PRECISIONS
from resnet50_bench.errors import BadInput

yaml = pytest.importorskip("yaml")
schemas = pytest.importorskip("kubernetes_validate", reason="the test tools are not set up")

ROOT = Path(__file__).parents[1]
#: The newest three that the pinned kubernetes-validate holds.
VERSIONS = ("1.35", "1.36", "1.37")
NASTY = "A=$(id) $$ B='x' \"y\" \\n\n# : {} é \U0001f600 \x07"


def job(texts: dict[str, str] | None = None, **options: Any) -> dict[str, Any]:
    text = manifest("resnet50-bench-ab12", "host:5000/image:v1", "Always", texts or {},
                    KubernetesOptions(4, **options), 100.5)
    return yaml.safe_load(text)


def by_m4(*definitions: str) -> dict[str, Any]:
    if not shutil.which("m4"):
        pytest.skip("m4 is not installed")
    done = subprocess.run(["m4", "-I", ROOT / "tests/support/wsf_stand_in", *definitions,
                           ROOT / "kubernetes-config.yaml.m4"], capture_output=True, text=True, check=True)
    return yaml.safe_load(done.stdout)


def pod_of(document: dict[str, Any]) -> dict[str, Any]:
    return document["spec"]["template"]["spec"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("texts", [{}, {"PRECISION": "amx_bfloat16", "CUSTOMER_ENV": NASTY, "STEPS": "010"}])
def test_our_job_keeps_kubernetes_schema(version, texts):
    assert schemas.validate(job(texts, nodes=2, node_selector={"a.b/c": "true"}), version, strict=True) == version


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("definitions", [(), ("-DK_CPUS=56", "-DK_MEMORY=64Gi", "-DK_STEPS=10")])
def test_wsfs_job_keeps_kubernetes_schema(version, definitions):
    assert schemas.validate(by_m4(*definitions), version, strict=True) == version


@pytest.mark.parametrize("version", VERSIONS)
def test_the_schemas_do_refuse(version):
    for change in ({"parallelsim": 2}, {"parallelism": "two"}):
        broken = job()
        broken["spec"] |= change
        with pytest.raises(schemas.ValidationError, match="parallelsim|two"):
            schemas.validate(broken, version, strict=True)


def test_the_versions_are_the_newest_three():
    from kubernetes_validate.utils import all_versions

    assert tuple(dict.fromkeys(version.rpartition(".")[0] for version in all_versions()))[-3:] == VERSIONS


def test_a_job_has_one_pod_a_node_that_ends_by_itself():
    spec = job({}, nodes=3)["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 3, 3)
    assert spec["backoffLimit"] == 0 and spec["activeDeadlineSeconds"] == 160 and spec["ttlSecondsAfterFinished"]
    apart, = pod_of({"spec": spec})["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert apart["topologyKey"] == "kubernetes.io/hostname"
    assert apart["labelSelector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize("document", [job, lambda: by_m4("-DK_CPUS=4")], ids=["jinja", "m4"])
def test_a_pod_is_of_the_guaranteed_class_and_has_no_privilege(document):
    pod = pod_of(document())
    container, = pod["containers"]
    assert container["resources"]["requests"] == container["resources"]["limits"] == {"cpu": 4, "memory": "16Gi"}
    assert container["securityContext"] == {"privileged": False, "allowPrivilegeEscalation": False,
                                            "capabilities": {"drop": ["ALL"], "add": ["SYS_NICE"]}}
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == 1000
    assert pod["automountServiceAccountToken"] is False and pod["restartPolicy"] == "Never"
    assert container["volumeMounts"] == [{"name": "shm", "mountPath": "/dev/shm"}]
    assert pod["volumes"] == [{"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "4Gi"}}]
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()


def test_wsf_without_cpus_asks_for_none():
    assert "resources" not in pod_of(by_m4())["containers"][0]


def test_the_number_of_the_user_is_the_images():
    assert "--uid 1000 bench" in (ROOT / "Dockerfile.1.inference").read_text()


def test_values_are_data_for_yaml_and_for_the_kubelet():
    texts = {"CUSTOMER_ENV": NASTY, "STEPS": "010", "VERBOSE": "True", "CASE_TYPE": ""}
    env = {entry["name"]: entry["value"] for entry in pod_of(job(texts))["containers"][0]["env"]}
    assert env == texts | {"CUSTOMER_ENV": NASTY.replace("$", "$$")}, "the kubelet makes $ of $$"
    with pytest.raises(BadInput, match="CUSTOMER_ENV=.* is not UTF-8"):
        job({"CUSTOMER_ENV": "\udcff"})


def test_amx_is_asked_for_by_node_feature_discoverys_labels():
    prefix = "feature.node.kubernetes.io/cpu-cpuid."
    assert {f"{prefix}AMXTILE", f"{prefix}AMXINT8", f"{prefix}AVX512BW"} <= labels("amx_int8").keys()
    assert labels("avx2_fp32") == {f"{prefix}AVX2": "true", f"{prefix}FMA3": "true"}
    assert all(re.fullmatch(r"[A-Z0-9]+", name.removeprefix(prefix)) for each in PRECISIONS for name in labels(each))
    chosen = pod_of(job({"PRECISION": "amx_int8"}, node_selector={"pool": "bench"}))["nodeSelector"]
    assert chosen == labels("amx_int8") | {"pool": "bench"}


def test_wsfs_job_carries_every_parameter():
    container = pod_of(by_m4(*(f"-DK_{name}={name.lower()} x" for name in CATALOGUE)))["containers"][0]
    env = {entry["name"]: entry["value"] for entry in container["env"]}
    assert container["image"] == "registry/image-of-Dockerfile.1.inference:latest"
    assert env == {name: f"{name.lower()} x" for name in CATALOGUE}
