"""The Dockerfiles by hadolint's rules that matter here, build.sh's listing, and docker's words. No engine needed."""

from __future__ import annotations

import ast
import io
import os
import re
import socket
import subprocess
import tarfile
from pathlib import Path

import pytest

from resnet50_bench.backends import container, images, workers
from resnet50_bench.backends.container import DOCKER
from resnet50_bench.cli import images_command
from resnet50_bench.errors import BadInput
from resnet50_bench.stack import installer, pins

ROOT = Path(__file__).parents[1]
DOCKERFILES = sorted(ROOT.glob("Dockerfile.*"))


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_a_dockerfile_keeps_the_rules(path):
    text = path.read_text().replace("\\\n", " ")
    assert re.search(r"^ARG BASE_VER=\S*\d", text, re.M), "the base image has a version"
    assert set(re.findall(r"^FROM (\$\{BASE.*?)(?: AS .*)?$", text, re.M)) <= {"${BASE_REPO}:${BASE_VER}${BASE_DIGEST}"}
    assert ":latest" not in re.sub(r"ARG RELEASE=:latest", "", text)
    assert "no-check-certificate" not in text and "--insecure" not in text and "trusted-host" not in text
    for line in text.splitlines():
        if "apt-get install" in line:
            assert "--no-install-recommends" in line and "rm -rf /var/lib/apt/lists/*" in line
        if "pip install" in line:
            assert "--no-cache-dir" in line and "--require-hashes" in line
    assert not re.search(r"(PASSWORD|SECRET|TOKEN)", text)


def imported_by(path: Path) -> set[Path]:
    """``path`` and every module of ours that it imports, also within functions, and their packages."""
    found, new = set(), {path}
    while new:
        module = new.pop()
        found.add(module)
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level:
                base = module.parents[node.level - 1].joinpath(*(node.module or "").split("."))
                named = [base.with_suffix(".py"), *(base / f"{alias.name}.py" for alias in node.names)]
                new |= {file for file in named if file.exists()} - found
    return found


def test_the_image_that_installs_has_what_the_installer_imports_and_reads():
    """Not more: a change of what is copied installs PyTorch anew."""
    words = (ROOT / "Dockerfile.3.benchmark").read_text().replace("\\\n", " ").split()
    copied = {ROOT / word for word in words if word.startswith("src/resnet50_bench/")}
    stack = ROOT / "src/resnet50_bench/stack"
    read = {stack / "__init__.py", *(stack / f"requirements/{name}.txt" for name in ("image", "uv"))}
    assert copied == imported_by(stack / "installer.py") | read


def test_an_image_leaves_out_the_files_that_only_a_gpu_needs(tmp_path, monkeypatch):
    monkeypatch.setattr(installer, "install", lambda folder, name, needed_gb: None)
    folder = tmp_path / "lib/python3.13/site-packages/nvidia/cudnn/lib"
    folder.mkdir(parents=True)
    for name in ("libcudnn.so.9", "libcudnn_ops.so.9", "libcudnn_adv.so.9"):
        (folder / name).touch()
    installer.install_in_image(tmp_path, "image")
    assert [file.name for file in folder.iterdir()] == ["libcudnn.so.9"]


@pytest.mark.parametrize("name", ["ipex", "image", "tools"])
def test_locks_leave_out_the_packages_that_only_a_gpu_needs(name):
    named = set(re.findall(r"^([a-z0-9-]+)==", pins.path(name).read_text(), re.M))
    assert named and not named & set(pins.WITHOUT_GPU)


@pytest.mark.parametrize(("name", "text"), [("BACKEND", "dokcer"), ("REGISTRY", "host:5000"), ("RELEASE", "v1")])
def test_a_misspelt_setting_builds_nothing(monkeypatch, name, text):
    monkeypatch.setenv(name, text)
    with pytest.raises(BadInput, match=f"{name}={text}.*did you mean"):
        images_command.main(["1", "--dry-run"])


def test_the_images_have_the_names_that_users_run_in_the_order_of_building():
    assert [each.image for each in images.dockerfiles()] == [
        "resnet50-pytorch-inference-dataset", "resnet50-pytorch-benchmark", "resnet50-pytorch-model",
        "resnet50-pytorch-intel-public-inference"]
    assert "USER bench" in (ROOT / "Dockerfile.1.inference").read_text()


def test_build_lists_ingredients_and_commands():
    bom = subprocess.run([ROOT / "build.sh", "--bom"], capture_output=True, text=True, check=True).stdout
    for ingredient in ("PYTORCH_VER=2.8.0", "IPEX_REPO=https://", "RESNET50_WEIGHTS_VER=resnet50-0676ba61.pth"):
        assert ingredient in bom
    dry = subprocess.run([ROOT / "build.sh", "--dry-run", "1"], capture_output=True, text=True, check=True,
                         env=os.environ | {"REGISTRY": "host:5000/", "RELEASE": ":v1"}).stdout
    assert "--tag host:5000/resnet50-pytorch-intel-public-inference:v1" in dry
    assert "REGISTRY=host:5000/" in dry and len(dry.splitlines()) == 1


def test_the_image_measures_with_what_the_environment_measures_with():
    pins_of = {name: dict(re.findall(r"^([a-z0-9-]+)==(\S+)", pins.path(name).read_text(), re.M))
               for name in ("image", "ipex")}
    for package in ("torch", "torchvision", "intel-extension-for-pytorch", "msgspec", "psutil"):
        assert pins_of["image"][package] == pins_of["ipex"][package]
    assert pins_of["image"].keys() <= pins_of["ipex"].keys()


def test_every_wheel_of_the_image_is_among_its_ingredients():
    names = {"torch": "PYTORCH", "intel-extension-for-pytorch": "IPEX"}
    listed = dict(images.dockerfiles()[-1].ingredients())
    wheels = re.findall(r"^([a-z0-9-]+)==(\S+)", pins.path("image").read_text(), re.M)
    expected = {names.get(name, name.upper().replace("-", "_")): version for name, version in wheels}
    assert expected.items() <= {name.removesuffix("_VER"): text for name, text in listed.items()}.items()
    every = {name for each in images.dockerfiles() for name, _ in each.ingredients()}
    assert {name.removesuffix("_VER") for name in every if name.endswith("_VER")} == {
        name.removesuffix("_REPO") for name in every if name.endswith("_REPO")}, "each has its version and its source"


def test_an_image_says_what_it_was_built_from(monkeypatch, tmp_path):
    for folder in ("src", "scripts"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "file.py").write_text(folder)
    monkeypatch.setattr(images, "ROOT", tmp_path)
    before = images.commit()
    assert re.fullmatch("sources-[0-9a-f]{64}", before) and images.commit() == before
    (tmp_path / "src/cached.pyc").write_text("not the source")
    assert images.commit() == before
    (tmp_path / "src/file.py").rename(tmp_path / "src/other.py")
    assert images.commit() != before
    monkeypatch.undo()
    assert re.match("[0-9a-f]{40}|sources-", images.commit())


def test_a_container_is_confined_and_parameters_are_words_of_their_own():
    words = container.run_command(DOCKER, "image:1", {"CUSTOMER_ENV": "A=$(id) B=`x`\n;"}, ("--cpuset-cpus=0",),
                                  "resnet50-bench-1", 60)
    assert "--privileged" not in words
    assert words[words.index("--cap-drop") + 1] == "ALL" and words[words.index("--cap-add") + 1] == "SYS_NICE"
    assert words[words.index("--network") + 1] == "none"
    assert words[words.index("--hostname") + 1] == socket.gethostname(), "the result says which machine it is of"
    assert words[-5:-2] == ["--env", "CUSTOMER_ENV=A=$(id) B=`x`\n;", "--env"]
    assert words[-1] == "image:1" and "--cpuset-cpus=0" in words


def test_what_a_container_sends_stays_in_the_folder(tmp_path):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name in ("status", "../../escaped.log", "/absolute.log"):
            entry = tarfile.TarInfo(name)
            entry.size = 2
            archive.addfile(entry, io.BytesIO(b"0\n"))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    stream.seek(0)
    folder = tmp_path / "in"
    folder.mkdir()
    assert workers.extract(stream, folder) is workers.Stream.WHOLE
    assert sorted(p.name for p in folder.iterdir()) == ["absolute.log", "escaped.log", "status"]
    assert [p.name for p in tmp_path.iterdir()] == ["in"]
