"""Podman for an ordinary user, from Debian's packages; the user and its settings are made where they are not there."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from support import packages
from support.images import ROOT, docker

USER = "benchpod"
_PACKAGES = ("podman", "uidmap", "slirp4netns", "catatonit", "runc", "fuse-overlayfs")
#: crun refuses a machine with both versions of cgroups; without systemd there is only cgroupfs, and no journal. The
#: kernel's overlay needs no /dev/fuse. slirp4netns needs /dev/net/tun: images are built in the host's network.
_SETTINGS = {
    "storage.conf": '[storage]\ndriver = "overlay"\n',
    "containers.conf": '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
                       '[containers]\nnetns = "host"\n'}


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
    for name, text in _SETTINGS.items():
        (settings / name).write_text(text)
    for path in (settings.parent, settings, *settings.iterdir()):
        shutil.chown(path, USER)
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


def take_over(image: str) -> None:
    """The image from docker's store, where podman has not got this very one: a copy of 7.5 GB takes minutes."""
    wanted = json.loads(docker("image", "inspect", image).stdout)[0]["Id"].removeprefix("sha256:")
    if podman("image", "inspect", "--format", "{{.Id}}", image).stdout.strip() == wanted:
        return
    with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saved:
        subprocess.run(as_user("podman", "load", "--quiet"), stdin=saved.stdout, env=environment(), cwd="/", check=True,
                       capture_output=True, timeout=1800)


def _home() -> str:
    return pwd.getpwnam(USER).pw_dir
