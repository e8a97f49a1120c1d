"""scikit-learn's handwritten digits (real images, 10 classes) -> a class-folder data set of PNG and JPEG files.

Each picture shows its digit nine times: 8 x 8 points at ResNet50's 224 would be blots of 28, which it learns slowly.
"""

from __future__ import annotations

from pathlib import Path

SIDE, DIGIT, STEP = 224, 64, 73


def write(root: Path, train: int = 1437, val: int = 360) -> Path:
    """``root/{train,val}/<class>/*``: at most ``train`` and ``val`` of the 1797 images, grey ones as RGB.

    Ten of a part are one of each class.
    """
    import numpy
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    order = numpy.random.default_rng(1).permutation(len(digits.images))

    def first(indices: numpy.ndarray, count: int) -> numpy.ndarray:
        ones = numpy.unique(digits.target[indices], return_index=True)[1]
        return numpy.concatenate([indices[ones], numpy.delete(indices, ones)])[:count]

    parts = {"val": first(order[:360], val), "train": first(order[360:], train)}
    for part, indices in parts.items():
        for index in indices:
            small = Image.fromarray((digits.images[index] * 255 / 16).astype(numpy.uint8))
            picture = Image.new("RGB", (SIDE, SIDE))
            digit = small.resize((DIGIT, DIGIT), Image.Resampling.BICUBIC)
            for place in range(9):
                picture.paste(digit, (5 + STEP * (place % 3), 5 + STEP * (place // 3)))
            folder = root / part / f"n{digits.target[index]:08d}"
            folder.mkdir(parents=True, exist_ok=True)
            picture.save(folder / f"{index:04d}.{'JPEG' if index % 2 else 'png'}")
    return root


def untrained_weights(folder: Path) -> Path:
    """Seeded random weights of ten classes: they know nothing, and must be counted as that."""
    import torch
    import torchvision

    path = folder / "untrained.pth"
    torch.manual_seed(3)
    torch.save({"state_dict": torchvision.models.resnet50(num_classes=10).state_dict()}, path)
    return path
