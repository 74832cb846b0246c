"""SSD: classes and boxes from every cell of a VGG's and some more maps.

Liu, Anguelov, Erhan, Szegedy, Reed, Fu and Berg, "SSD: single shot multibox detector", ECCV 2016.
``codecs/anchors.py`` reads the outputs.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from vitruvian.nets.convert import Layout
from vitruvian.nets.vgg import Conv, chain

STRIDES = (8, 16, 32, 64, 128, 256, 512)
ANCHORS = (4, 6, 6, 6, 6, 4, 4)
"""Boxes of a cell of each level."""

_WIDTHS = {1: (64, 64), 2: (128, 128), 3: (256,) * 3, 4: (512,) * 3, 5: (512,) * 3}
_CONVS = [(level, n, width) for level, row in _WIDTHS.items() for n, width in enumerate(row, 1)]
_TORCHVISION = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)

IMAGENET: dict[str, Layout] = {
    "torchvision": (
        *(
            (rf"features\.{index}\.", f"{'fine' if level < 5 else 'coarse'}.conv{level}_{n}.")
            for index, (level, n, _) in zip(_TORCHVISION, _CONVS, strict=True)
        ),
        (r"classifier\.", None),
    )
}
"""How torchvision's VGG-16 names the trunk."""

LAYOUTS: dict[str, Layout] = {}
"""The authors' checkpoints are Caffe's."""


class VGG(nn.Module):
    """The convolutions of VGG-16 up to conv4_3, and up to conv5_3."""

    def __init__(self, widen: float = 1.0) -> None:
        super().__init__()
        layers: list[Conv | nn.Module] = []
        for level, n, width in _CONVS[:-3]:
            layers.append((f"conv{level}_{n}", int(width * widen), 3))
            if level < 4 and n == len(_WIDTHS[level]):
                layers.append(nn.MaxPool2d(2, ceil_mode=True))
        self.width = int(512 * widen)
        self.fine = chain(3, *layers)
        last = [(f"conv{level}_{n}", self.width, 3) for level, n, _ in _CONVS[-3:]]
        self.coarse = chain(self.width, *last)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """B 3 H W -> maps at stride 8 and 16."""
        fine = self.fine(x)
        return fine, self.coarse(F.max_pool2d(fine, 2))


class Normalise(nn.Module):
    """Cells of unit length, times a learnt factor per channel (Liu et al. 2016, ParseNet)."""

    def __init__(self, width: int, scale: float = 20.0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 1, groups=width, bias=False)
        nn.init.constant_(self.conv.weight, scale)

    def forward(self, x: Tensor) -> Tensor:
        """B C h w -> B C h w."""
        return self.conv(F.normalize(x, dim=1, eps=1e-10))


class SSD(nn.Module):
    """A trunk, a dilated layer in place of the classifier's first, and ever coarser maps.

    Args:
        trunk: Maps at stride 8 and 16.
        classes: Number of classes, nobody among them as the first.
        levels: Number of maps that are read, at most seven.
        widths: Channels of the dilated layer, and of the first and the later coarse maps.
    """

    def __init__(
        self,
        trunk: VGG,
        classes: int = 2,
        *,
        levels: int = 7,
        widths: tuple[int, int, int] = (1024, 512, 256),
    ) -> None:
        super().__init__()
        wide, first, later = widths
        self.trunk, self.norm = trunk, Normalise(trunk.width)
        self.fc6 = nn.Conv2d(trunk.width, wide, 3, padding=6, dilation=6)
        self.fc7 = nn.Conv2d(wide, wide, 1)
        self.extra, inputs = nn.ModuleList(), wide
        for level in range(2, levels):
            width = first if level == 2 else later
            kernel, stride = (4, 1) if level == 6 else (3, 2)
            self.extra.append(
                nn.Sequential(
                    nn.Conv2d(inputs, width // 2, 1),
                    nn.ReLU(inplace=True),
                    nn.Conv2d(width // 2, width, kernel, stride, 1),
                    nn.ReLU(inplace=True),
                )
            )
            inputs = width
        outputs = [trunk.width, wide, first, *[later] * 4][:levels]
        pairs = list(zip(outputs, ANCHORS, strict=False))
        self.score = nn.ModuleList(nn.Conv2d(c, a * classes, 3, padding=1) for c, a in pairs)
        self.box = nn.ModuleList(nn.Conv2d(c, a * 4, 3, padding=1) for c, a in pairs)
        for conv in (*self.score, *self.box, self.fc6, self.fc7, *self.extra.modules()):
            if isinstance(conv, nn.Conv2d):
                nn.init.xavier_uniform_(conv.weight)
                nn.init.zeros_(conv.bias)

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W -> one stage; for the A boxes of a cell of stride S and C classes.

        ``scoreS``: B AC h w logits, the classes of a box together. ``boxS``: B 4A h w, x, y, width
        and height of a box together.
        """
        fine, x = self.trunk(x)
        x = F.relu(self.fc6(F.max_pool2d(x, 3, 1, 1)))
        maps = [self.norm(fine), F.relu(self.fc7(x))]
        for layer in self.extra:
            maps.append(layer(maps[-1]))
        levels = list(zip(STRIDES, maps, self.score, self.box, strict=False))
        stage = {f"score{s}": score(level) for s, level, score, _ in levels}
        return [stage | {f"box{s}": box(level) for s, level, _, box in levels}]


def ssd(classes: int = 2, size: tuple[int, int] = (512, 512)) -> SSD:
    """SSD512; smaller views have fewer levels, those of at least two cells."""
    levels = sum(min(size) > stride for stride in STRIDES[:-1]) + (min(size) >= STRIDES[-1])
    return SSD(VGG(), classes, levels=levels)
