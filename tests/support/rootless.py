"""Podman for an ordinary user, from Debian's packages; the user and its settings are made where they are not there."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support import packages
from support.docker_images import ROOT, docker

USER = "benchpod"
_PACKAGES = ("podman", "uidmap", "slirp4netns", "catatonit", "runc", "fuse-overlayfs")
#: crun refuses a machine with both versions of cgroups; without systemd there is only cgroupfs, and no journal. The
#: kernel's overlay needs no /dev/fuse. slirp4netns needs /dev/net/tun: images are built in the host's network.
_SETTINGS = {
    "storage.conf": '[storage]\ndriver = "overlay"\n',
    "containers.conf": '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
                       '[containers]\nnetns = "host"\nvolumes = VOLUMES\n'}
#: PyTorch's folder inside, where it is mounted from, and the label that says what an image was made of.
_TORCH, _MOUNTED = "/opt/venv", Path(tempfile.gettempdir()) / "resnet50-bench-rootless-torch"
_LABEL = "made-of"
#: Docker's own, or the kernel's.
_NOT_FILES = ("./.dockerenv", "./proc/*", "./sys/*", "./dev/*")


def environment(**more: str) -> dict[str, str]:
    return {"HOME": _home(), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", **more}


def as_user(*words: object) -> list[str]:
    return ["runuser", "-u", USER, "--", *map(str, words)]


def podman(*words: str, stdin: bytes | None = None, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(as_user("podman", *words), input=stdin, capture_output=True, check=False, timeout=timeout,
                          env=environment(), cwd="/")
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def folder() -> Path:
    """A new one of the user's: pytest's own are root's alone."""
    made = Path(tempfile.mkdtemp(prefix="resnet50-bench-rootless-"))
    shutil.chown(made, USER)
    return made


def containers(image: str) -> list[str]:
    return podman("ps", "--all", "--quiet", "--filter", "label=resnet50-bench", "--filter",
                  f"ancestor={image}").stdout.split()


def why_not() -> str | None:
    """Why podman cannot run rootless here, after an attempt to install it; None where it can."""
    if os.geteuid() != 0:
        return "only root can make a user without rights"
    if not all(map(shutil.which, ("podman", "newuidmap", "catatonit", "runc"))):
        why = packages.missing("podman", *_PACKAGES)
        if why:
            return why
    try:
        pwd.getpwnam(USER)
    except KeyError:
        subprocess.run(["useradd", "--create-home", USER], check=True)  # with a range of subordinate ids
    settings = Path(_home()) / ".config/containers"
    settings.mkdir(parents=True, exist_ok=True)
    for path in (settings.parent, settings):
        shutil.chown(path, USER)
    _write_settings()
    if subprocess.run(as_user("test", "-r", ROOT / "ctest.sh"), check=False).returncode != 0:
        return f"{ROOT} cannot be read by other users"
    _set_up_host()
    told = podman("info", "--format", "{{.Host.Security.Rootless}}")
    return None if told.stdout == "true\n" else f"podman info: {told.stderr.strip()[-200:]}"


def _set_up_host() -> None:
    """What a user who lets containers measure sets up: the small environment of a host, in the user's own cache."""
    if subprocess.run(as_user("python3", "-c", "import ensurepip"), env=environment(), cwd="/", check=False,
                      capture_output=True).returncode != 0:
        assert packages.missing("python3-venv", "python3-venv") is None
    done = subprocess.run(as_user(ROOT / "scripts/setup.sh", "--host"), env=environment(), cwd="/", check=False,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@contextmanager
def taken_over(image: str) -> Iterator[None]:
    """The user has docker's image, but for PyTorch's folder, which is mounted: a copy of 7.5 GB takes three minutes.

    An engine that keeps layers in another way than folders gives the whole image.
    """
    torch = _layer_with(image, _TORCH)
    made = json.loads(docker("image", "inspect", image).stdout)[0]
    wanted = f"{made['Id']} {'mounted' if torch else 'whole'}"
    try:
        if torch:
            # What killed tests left; Python's ismount does not see a mount from the same disk.
            while subprocess.run(["mountpoint", "-q", _MOUNTED], check=False).returncode == 0:
                subprocess.run(["umount", "--lazy", _MOUNTED], check=True)
            _MOUNTED.mkdir(exist_ok=True)
            subprocess.run(["mount", "--bind", torch, _MOUNTED], check=True)
            _write_settings()
            podman("system", "migrate")  # what podman keeps running for the user does not see mounts that came later
        if podman("image", "inspect", "--format", f'{{{{index .Labels "{_LABEL}"}}}}', image).stdout.strip() != wanted:
            _hand_over(image, made["Config"], [*_NOT_FILES, *[f".{_TORCH}/*"] * bool(torch)], wanted)
        yield
    finally:
        podman("system", "migrate")
        if torch:
            subprocess.run(["umount", "--lazy", _MOUNTED], check=True)
            _MOUNTED.rmdir()
            _write_settings()


def mounts() -> dict[str, Path]:
    """What is mounted of docker's image: the folder inside, and where it is."""
    return {_TORCH: _MOUNTED} if _MOUNTED.is_dir() else {}


def _layer_with(image: str, folder: str) -> Path | None:
    """Where docker keeps the layer that made ``folder``."""
    shown = docker("image", "inspect", "--format", "{{json .GraphDriver.Data}}", image).stdout
    data = json.loads(shown or "null") or {}
    layers = [data.get("UpperDir", ""), *data.get("LowerDir", "").split(":")]
    return next((Path(layer + folder) for layer in layers if layer and Path(layer + folder, "bin").is_dir()), None)


def _hand_over(image: str, config: dict, without: list[str], label: str) -> None:
    """Its files as they are, and what its Dockerfile says of how it runs."""
    changes = [f"ENV {text}" for text in config["Env"]]
    changes += [f"USER {config['User']}", f"WORKDIR {config['WorkingDir']}", f"CMD {json.dumps(config['Cmd'])}",
                f'LABEL {_LABEL}="{label}"']
    packed = ["docker", "run", "--rm", "--user=root", "--entrypoint=tar", image, "-C", "/",
              *(f"--exclude={pattern}" for pattern in without), "-c", "."]
    words = ["podman", "import", "--quiet", *(f"--change={change}" for change in changes), "-", image]
    with subprocess.Popen(packed, stdout=subprocess.PIPE) as files:
        subprocess.run(as_user(*words), stdin=files.stdout, env=environment(), cwd="/", check=True, capture_output=True,
                       timeout=1800)


def _write_settings() -> None:
    folder = Path(_home()) / ".config/containers"
    volumes = json.dumps([f"{path}:{inside}:ro" for inside, path in mounts().items()])
    for name, text in _SETTINGS.items():
        (folder / name).write_text(text.replace("VOLUMES", volumes))
        shutil.chown(folder / name, USER)


def _home() -> str:
    return pwd.getpwnam(USER).pw_dir
