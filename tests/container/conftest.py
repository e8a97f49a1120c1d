"""Marks the tests with real container engines; the four images, and the one that rootless podman runs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import rootless
from support.docker_images import Images
from support.images import built_images as built_images
from support.images import remove_containers


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything below this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.container)


@pytest.fixture
def images(built_images: Images) -> Iterator[Images]:
    """All four images; no container of theirs outlives its test."""
    yield built_images
    remove_containers()


@pytest.fixture(scope="session")
def rootless_image(built_images: Images) -> Iterator[str]:
    reason = rootless.why_not()
    if reason:
        pytest.skip(reason)
    with rootless.taken_over(built_images.name):
        yield built_images.name


@pytest.fixture
def image(rootless_image: str, images: Images) -> Iterator[str]:
    """The image's name; no container of it outlives a test."""
    yield rootless_image
    left = rootless.containers(rootless_image)
    if left:
        rootless.podman("rm", "--force", "--time=0", *left)


@pytest.fixture
def build() -> Iterator[Path]:
    made = rootless.folder()
    yield made
    shutil.rmtree(made)
