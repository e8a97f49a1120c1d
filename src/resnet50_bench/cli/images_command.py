"""The Dockerfiles -> images, built in the order of their numbers, highest first (``build.sh``)."""

from __future__ import annotations

import os
import shlex

from ..arguments import Parser
from ..backends import images
from ..backends.container import DOCKER, PODMAN
from ..ctest import settings


def parser() -> Parser:
    options = Parser("resnet50-bench images", "Build the container images. REGISTRY (with a slash at its end) and "
                     "RELEASE (with its colon) in the environment set their names. BACKEND=podman builds with podman.",
                     "./build.sh 1 --dry-run")
    add = options.add_argument
    add("images", nargs="*", help="only these images: a number, a Dockerfile or an image name (default: all)")
    add("--bom", action="store_true", help="list the contents of each image, and build nothing")
    add("--dry-run", action="store_true", help="print the commands, and run nothing")
    add("--build-arg", action="append", default=[], metavar="NAME=VALUE", help="an option for docker build")
    add("--no-cache", action="store_true", help="build every layer again")
    add("--commit", action="store_true", help="print the COMMIT of the images: the sources that they are built from")
    return options


def main(argv: list[str]) -> int:
    """Build, or list ingredients (--bom), or print the commands (--dry-run)."""
    words = parser().parse_args(argv)
    if words.commit:
        print(images.commit())
        return 0
    chosen = images.choose(words.images)
    if words.bom:
        for dockerfile in chosen:
            print(f"# {dockerfile.image}", *(f"{name}={value}" for name, value in dockerfile.ingredients()), sep="\n")
        return 0
    texts = settings.chosen({}, {name: os.environ.get(name, "") for name in ("BACKEND", "REGISTRY", "RELEASE")})
    engine = PODMAN if texts.get("BACKEND") == PODMAN.name else DOCKER
    builder = images.Builder(engine, texts.get("REGISTRY", ""), texts.get("RELEASE", ""), words.build_arg,
                             words.no_cache)
    if words.dry_run:
        print("\n".join(shlex.join(builder.command(dockerfile)) for dockerfile in chosen))
    else:
        builder.build(chosen)
    return 0
