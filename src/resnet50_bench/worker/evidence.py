"""oneDNN's verbose lines of one step -> which convolution kernels ran, and whether they prove the ISA.

Line format: oneDNN "Verbose Mode" (v1): ``onednn_verbose,v1,primitive,exec,cpu,<kind>,<kernel>,
<propagation>,<memory descriptors>,<attributes>,<algorithm>,<shape>,<milliseconds>``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ..case.precision import Precision
from ..result.processes import Convolution

#: ResNet50 has 48 convolutions in its blocks, 4 in its down-sampling paths and the first (He et
#: al., 2015, table 1).
RESNET50_CONVOLUTIONS = 53
#: Training convolves thrice for each: forward, for the weights' gradient, and for its input's, which the images
#: need none of.
TRAINING_CONVOLUTIONS = 3 * RESNET50_CONVOLUTIONS - 1


@dataclass(frozen=True)
class Evidence:
    """What ran in one step: every convolution, in order; or ``unproven``: why nothing can show it."""

    convolutions: tuple[Convolution, ...]
    unproven: str = ""

    def kernels(self) -> dict[str, int]:
        """``{"brgconv_1x1:avx10_1_512_amx src:u8": 36, ...}``, the most frequent first."""
        counts = Counter(f"{c.kernel} src:{c.source_type}" for c in self.convolutions)
        return dict(counts.most_common())

    def text(self) -> str:
        """The kernels in one line, for the log."""
        if self.unproven:
            return f"unproven: {self.unproven}"
        return ", ".join(f"{name} {count}" for name, count in self.kernels().items()) or "none"

    def doubt(self, precision: Precision, expected: int = RESNET50_CONVOLUTIONS) -> str | None:
        """Why this shows that other than ``expected`` convolutions in ``precision`` ran; None where it does not."""
        if self.unproven:
            return None
        wrong = [c for c in self.convolutions if not precision.is_proven_by(c.kernel, c.source_type)]
        if wrong:
            return (f"{len(wrong)} of {len(self.convolutions)} convolutions did not run "
                    f"{precision.name}'s kernels; what ran: {self.text()}")
        if len(self.convolutions) != expected:
            return f"{len(self.convolutions)} convolutions ran where ResNet50 has {expected}: {self.text()}"
        return None


def parse(lines: Iterable[str]) -> Evidence:
    """Every executed convolution among oneDNN's verbose ``lines``; other lines are passed over."""
    found = []
    for line in lines:
        fields = line.strip().split(",")
        if fields[0] not in ("onednn_verbose", "dnnl_verbose") or "exec" not in fields[:5]:
            continue
        after_exec = fields[fields.index("exec") + 1:]
        if len(after_exec) < 4 or after_exec[1] != "convolution":
            continue
        source = re.search(r"\bsrc[_:]([a-z0-9]+)", line)
        found.append(Convolution(after_exec[2], source.group(1) if source else "unknown",
                                 after_exec[-2], float(after_exec[-1])))
    return Evidence(tuple(found))
