"""The checkout's Dockerfiles -> the build commands, and the images."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..checkout import ROOT, git, require
from ..errors import BadInput, Infrastructure
from ..spelling import nearest
from .container import ContainerRuntime

_RETRIES = 2
#: The files that Dockerfile.3.benchmark copies.
_IN_THE_IMAGE = ("scripts", "run_test.sh", "kpi.sh", "src")


@dataclass(frozen=True)
class Dockerfile:
    """One Dockerfile. Its first comment line is the name of its ``image`` (WSF's rule)."""

    path: Path
    image: str

    @property
    def text(self) -> str:
        """The file's text."""
        return self.path.read_text()

    def ingredients(self) -> list[tuple[str, str]]:
        """Every ``ARG ..._VER`` and ``..._REPO`` with its default."""
        return re.findall(r"^ARG (\w+_(?:VER|REPO))=(\S*)$", self.text, re.M)


def dockerfiles() -> list[Dockerfile]:
    """All Dockerfiles in build order, the highest number first."""
    require("build.sh")
    files = []
    for path in sorted(ROOT.glob("Dockerfile.[0-9].*"), reverse=True):
        first = re.search(r"^#\s*(\S+)", path.read_text(), re.M)
        if not first:
            raise BadInput(f"{path.name} does not name its image in its first comment line")
        files.append(Dockerfile(path, first[1]))
    return files


def choose(words: Sequence[str]) -> list[Dockerfile]:
    """The Dockerfiles named by ``words`` (number, file or image), or all without words. Raises BadInput."""
    names = {dockerfile: (dockerfile.path.name.split(".")[1], dockerfile.path.name, dockerfile.image)
             for dockerfile in dockerfiles()}
    known = [name for those in names.values() for name in those]
    bad = [f"there is no image {word!r}{nearest(word, known)}; the images are "
           + ", ".join(dockerfile.image for dockerfile in names) for word in words if word not in known]
    if bad:
        raise BadInput(*bad)
    return [dockerfile for dockerfile, those in names.items() if not words or set(words) & set(those)]


@dataclass(frozen=True)
class Builder:
    """Builds images. ``registry`` ends with a slash, ``release`` begins with a colon. Both may be ""."""

    runtime: ContainerRuntime
    registry: str
    release: str
    build_args: Sequence[str]
    no_cache: bool

    def command(self, dockerfile: Dockerfile) -> list[str]:
        """The command that builds the image. Raises BadInput for a build argument without a value."""
        release = self.release or ":latest"
        arguments = {"REGISTRY": self.registry, "RELEASE": release, "COMMIT": commit()}
        for word in self.build_args:
            name, equals, value = word.partition("=")
            if not equals:
                raise BadInput(f"--build-arg {word} is not NAME=VALUE")
            arguments[name] = value
        known = re.findall(r"^ARG (\w+)", dockerfile.text, re.M)
        return [self.runtime.name, "build", "--file", str(dockerfile.path),
                "--tag", f"{self.registry}{dockerfile.image}{release}", *(["--no-cache"] if self.no_cache else []),
                *(word for name, value in arguments.items() if name in known
                  for word in ("--build-arg", f"{name}={value}")), str(ROOT)]

    def build(self, chosen: Sequence[Dockerfile]) -> None:
        """Build the images one after another. Raises Infrastructure if one fails."""
        commands = {dockerfile: self.command(dockerfile) for dockerfile in chosen}
        if why := self.runtime.why_silent():
            raise Infrastructure(why)
        for number, (dockerfile, command) in enumerate(commands.items(), start=1):
            _build(dockerfile, command, f"image {number} of {len(chosen)}")


def commit() -> str:
    """The commit of this checkout, with ``-dirty`` if it has changes. For a copy without its own commit, for example
    inside a WSF checkout, a hash of the files that go into the image: ``sources-<SHA-256>``.
    """
    if shutil.which("git") and (ROOT / ".git").exists():
        done = git(ROOT, "describe", "--always", "--dirty", "--abbrev=40")
        if done.returncode == 0:
            return done.stdout.strip()
    digest = hashlib.sha256()
    for path in sorted(path for name in _IN_THE_IMAGE for path in (ROOT / name, *(ROOT / name).rglob("*"))):
        if path.is_file() and path.suffix != ".pyc":
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{content} {path.relative_to(ROOT)}\n".encode())
    return f"sources-{digest.hexdigest()}"


def _build(dockerfile: Dockerfile, command: list[str], place: str) -> None:
    began = time.monotonic()
    for attempt in range(1, _RETRIES + 1):
        _say(f"{place}: {dockerfile.image} ({dockerfile.path.name})")
        if subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode == 0:
            _say(f"{place}: {dockerfile.image} done after {time.monotonic() - began:.0f} s")
            return
        if attempt < _RETRIES:
            _say(f"{place}: failed. Trying again (built layers are kept)")
    raise Infrastructure(f"{dockerfile.path.name} could not be built; see the reason above")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
