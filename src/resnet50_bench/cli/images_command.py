"""The Dockerfiles -> images, built in the order of their numbers, highest first (``build.sh``)."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..arguments import Parser
from ..backends.engines import DOCKER, ENGINES, PODMAN, last_line
from ..checkout import ROOT, git, require
from ..ctest import settings
from ..errors import BadInput, Infrastructure
from ..spelling import nearest

_RETRIES = 2
#: What Dockerfile.3.benchmark copies.
_IN_THE_IMAGE = ("scripts", "run_test.sh", "kpi.sh", "src")


@dataclass(frozen=True)
class Image:
    """One Dockerfile: its image's name stands in its first comment line (WSF's rule)."""

    dockerfile: Path
    name: str

    def tag(self, registry: str, release: str) -> str:
        """The full name; ``registry`` ends with a slash and ``release`` begins with a colon, or is empty."""
        return f"{registry}{self.name}{release or ':latest'}"

    def ingredients(self) -> list[tuple[str, str]]:
        """Every ``ARG ..._VER`` and ``..._REPO`` with its default."""
        return re.findall(r"^ARG (\w+_(?:VER|REPO))=(\S*)$", self.dockerfile.read_text(), re.M)


def images() -> list[Image]:
    """All images in the order in which they are built."""
    require("build.sh")
    found = []
    for path in sorted(ROOT.glob("Dockerfile.[0-9].*"), reverse=True):
        first = re.search(r"^#\s*(\S+)", path.read_text(), re.M)
        if not first:
            raise BadInput(f"{path.name} does not name its image in its first comment line")
        found.append(Image(path, first.group(1)))
    return found


def parser() -> Parser:
    """The options."""
    made = Parser("resnet50-bench images", "Build the images, highest number first. REGISTRY (with a trailing slash) "
                  "and RELEASE (with its colon) from the environment name them; BACKEND=podman builds them by podman.",
                  "./build.sh 1 --dry-run")
    made.add_argument("images", nargs="*", help="only these: a number, a Dockerfile or an image's name")
    made.add_argument("--bom", action="store_true", help="list every image's ingredients, build nothing")
    made.add_argument("--dry-run", action="store_true", help="print the commands, run nothing")
    made.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE", help="for docker build")
    made.add_argument("--no-cache", action="store_true", help="build every layer anew")
    made.add_argument("--commit", action="store_true", help="what the images are built from, as their COMMIT says it")
    return made


def main(argv: list[str]) -> int:
    """Build, or list ingredients (--bom), or print the commands (--dry-run)."""
    given = parser().parse_args(argv)
    if given.commit:
        print(commit())
        return 0
    chosen = _choose(given.images)
    if given.bom:
        for image in chosen:
            print(f"# {image.name}")
            print("".join(f"{name}={value}\n" for name, value in image.ingredients()), end="")
        return 0
    settings.chosen({}, {name: os.environ.get(name, "") for name in ("BACKEND", "REGISTRY", "RELEASE")})
    commands = [_command(image, given.build_arg, given.no_cache) for image in chosen]
    if given.dry_run:
        print("\n".join(shlex.join(command) for command in commands))
        return 0
    require_engine()
    for number, (image, command) in enumerate(zip(chosen, commands, strict=True), start=1):
        _build(image, command, f"{number} of {len(chosen)}")
    return 0


def _choose(words: Sequence[str]) -> list[Image]:
    every = images()
    if not words:
        return every
    by_word = {word: image for image in every
               for word in (image.name, image.dockerfile.name, image.dockerfile.name.split(".")[1])}
    bad = [f"there is no image {word!r}{nearest(word, tuple(by_word))}; the images are "
           + ", ".join(image.name for image in every) for word in words if word not in by_word]
    if bad:
        raise BadInput(*bad)
    return [image for image in every if image in {by_word[word] for word in words}]


def _command(image: Image, build_args: Sequence[str], no_cache: bool) -> list[str]:
    registry, release = os.environ.get("REGISTRY", ""), os.environ.get("RELEASE", "") or ":latest"
    known = set(re.findall(r"^ARG (\w+)", image.dockerfile.read_text(), re.M))
    arguments = {"REGISTRY": registry, "RELEASE": release, "COMMIT": commit()}
    for word in build_args:
        name, equals, value = word.partition("=")
        if not equals:
            raise BadInput(f"--build-arg {word}: NAME=VALUE is expected")
        arguments[name] = value
    return [_engine(), "build", "--file", str(image.dockerfile), "--tag", image.tag(registry, release),
            *(["--no-cache"] if no_cache else []),
            *(word for name, value in arguments.items() if name in known
              for word in ("--build-arg", f"{name}={value}")), str(ROOT)]


def commit() -> str:
    """The commit of this checkout, ``-dirty`` where it was changed; of a copy without one, such as inside a WSF
    checkout (whose commit says nothing about it), a hash of the files that go into the image: ``sources-<SHA-256>``.
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


def _engine() -> str:
    """What builds: podman where ``BACKEND`` from the environment says so, else docker."""
    return PODMAN.name if os.environ.get("BACKEND") == PODMAN.name else DOCKER.name


def require_engine() -> None:
    """Raises Infrastructure where the engine that builds does not answer."""
    engine = ENGINES[_engine()]
    if not shutil.which(engine.name):
        raise Infrastructure(f"{engine.name} is not installed")
    done = engine.ask(*engine.alive)
    if done.returncode != 0:
        raise Infrastructure(f"no {engine.name} engine answers: {last_line(done.stderr) or 'no message'}")


def _build(image: Image, command: list[str], place: str) -> None:
    began = time.monotonic()
    for attempt in range(1, _RETRIES + 1):
        print(f"image {place}: {image.name} ({image.dockerfile.name})", file=sys.stderr, flush=True)
        if subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode == 0:
            print(f"image {place}: {image.name} done after {time.monotonic() - began:.0f} s", file=sys.stderr,
                  flush=True)
            return
        if attempt < _RETRIES:
            print(f"image {place}: failed, once more (layers that were built are kept)", file=sys.stderr, flush=True)
    raise Infrastructure(f"{image.dockerfile.name} could not be built; the reason stands above")
