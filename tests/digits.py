"""scikit-learn's handwritten digits (real images, 10 classes) -> a class-folder data set of PNG and JPEG files."""

from __future__ import annotations

from pathlib import Path

SIDE, DIGIT = 224, 192


def write(root: Path, train: int = 1437, val: int = 360) -> Path:
    """``root/{train,val}/<class>/*``: at most ``train`` and ``val`` of the 1797 images, grey ones as RGB."""
    import numpy
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    order = numpy.random.default_rng(1).permutation(len(digits.images))
    parts = {"val": order[:360][:val], "train": order[360:][:train]}
    for part, indices in parts.items():
        for index in indices:
            small = Image.fromarray((digits.images[index] * 255 / 16).astype(numpy.uint8))
            picture = Image.new("RGB", (SIDE, SIDE))
            picture.paste(small.resize((DIGIT, DIGIT), Image.Resampling.BICUBIC), [(SIDE - DIGIT) // 2] * 2)
            folder = root / part / f"n{digits.target[index]:08d}"
            folder.mkdir(parents=True, exist_ok=True)
            picture.save(folder / f"{index:04d}.{'JPEG' if index % 2 else 'png'}")
    return root
