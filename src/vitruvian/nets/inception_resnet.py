"""Inception-ResNet-v2 trunk, every convolution padded so that its strides divide the view.

Szegedy, Ioffe, Vanhoucke and Alemi, "Inception-v4, Inception-ResNet and the impact of residual
connections on learning", AAAI 2017. The published classifier leaves its stem and its reductions
unpadded; here all are padded evenly, which keeps the weights and loses only the equality of cells
near the border. Names are those of the PyTorch checkpoints of Cadene and timm.
"""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitruvian.nets.convert import Layout

IMAGENET: dict[str, Layout] = {"inception-resnet": ((r"last_linear\.|classif\.", None),)}
"""How ImageNet checkpoints name this trunk (Cadene's and timm's); the classifier is left out."""

Step = tuple[int, int | tuple[int, int]]
"""Channels that come out and kernel of a convolution."""


def _conv(inputs: int, step: Step, stride: int = 1) -> nn.Sequential:
    outputs, kernel = step
    height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
    padding = (height // 2, width // 2)
    conv = nn.Conv2d(inputs, outputs, (height, width), stride, padding, bias=False)
    norm = nn.BatchNorm2d(outputs, eps=1e-3)
    return nn.Sequential(OrderedDict(conv=conv, bn=norm, relu=nn.ReLU(inplace=True)))


def _branch(inputs: int, *steps: Step, stride: int = 1) -> nn.Module:
    """Convolutions one after another, the last of them with the stride; one alone is unwrapped."""
    layers = []
    for position, step in enumerate(steps, start=1):
        layers.append(_conv(inputs, step, stride if position == len(steps) else 1))
        inputs = step[0]
    return nn.Sequential(*layers) if len(layers) > 1 else layers[0]


class Mixed(nn.Module):
    """Branches side by side, their channels joined (Szegedy et al. 2017, Fig. 7, 17, 18)."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        for index, branch in enumerate(branches):
            self.add_module(f"branch{index}", branch)

    def forward(self, x: Tensor) -> Tensor:
        """B C H W -> B all the branches' channels H/stride W/stride."""
        return torch.cat([branch(x) for branch in self.children()], dim=1)


class Residual(nn.Module):
    """Branches, joined and projected, are a small correction of what came in (Fig. 16, 17, 19).

    Args:
        inputs: Channels that come in and go out.
        branches: The convolutions of each.
        scale: Factor on the correction.
        relu: Whether the sum is rectified.
    """

    def __init__(
        self, inputs: int, *branches: tuple[Step, ...], scale: float, relu: bool = True
    ) -> None:
        super().__init__()
        for index, steps in enumerate(branches):
            self.add_module(f"branch{index}", _branch(inputs, *steps))
        self.conv2d = nn.Conv2d(sum(steps[-1][0] for steps in branches), inputs, 1)
        self.scale, self.relu = scale, relu

    def forward(self, x: Tensor) -> Tensor:
        """B inputs H W -> the same shape."""
        *branches, project = self.children()
        y = x + self.scale * project(torch.cat([branch(x) for branch in branches], dim=1))
        return F.relu(y) if self.relu else y


class InceptionResNet(nn.Module):
    """Stem, three groups of residual blocks and the reductions between them, no classifier.

    Args:
        blocks: Residual blocks of the three groups.
        slim: Every width is divided by this; 1 is the published network.

    Attributes:
        widths: Channels of the four levels.
    """

    def __init__(self, blocks: tuple[int, int, int] = (10, 20, 10), slim: int = 1) -> None:
        super().__init__()
        self.slim = slim
        self.widths = tuple(width // slim for width in (192, 320, 1088, 1536))
        self._stem()
        a, b, c = 320 // slim, 1088 // slim, 2080 // slim
        fine, middle, coarse = blocks
        self.repeat = nn.Sequential(*(self._block35(a) for _ in range(fine)))
        self.mixed_6a = Mixed(
            self._branch(a, (384, 3), stride=2),
            self._branch(a, (256, 1), (256, 3), (384, 3), stride=2),
            nn.MaxPool2d(3, 2, 1),
        )
        self.repeat_1 = nn.Sequential(*(self._block17(b) for _ in range(middle)))
        self.mixed_7a = Mixed(
            self._branch(b, (256, 1), (384, 3), stride=2),
            self._branch(b, (256, 1), (288, 3), stride=2),
            self._branch(b, (256, 1), (288, 3), (320, 3), stride=2),
            nn.MaxPool2d(3, 2, 1),
        )
        self.repeat_2 = nn.Sequential(*(self._block8(c, 0.2) for _ in range(coarse - 1)))
        self.block8 = self._block8(c, 1.0, relu=False)
        self.conv2d_7b = self._branch(c, (1536, 1))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def _stem(self) -> None:
        w = self.slim
        self.conv2d_1a = self._branch(3, (32, 3), stride=2)
        self.conv2d_2a = self._branch(32 // w, (32, 3))
        self.conv2d_2b = self._branch(32 // w, (64, 3))
        self.conv2d_3b = self._branch(64 // w, (80, 1))
        self.conv2d_4a = self._branch(80 // w, (192, 3))
        self.mixed_5b = Mixed(
            self._branch(192 // w, (96, 1)),
            self._branch(192 // w, (48, 1), (64, 5)),
            self._branch(192 // w, (64, 1), (96, 3), (96, 3)),
            nn.Sequential(
                nn.AvgPool2d(3, 1, 1, count_include_pad=False), self._branch(192 // w, (64, 1))
            ),
        )

    def _block35(self, inputs: int) -> Residual:
        branches = ((32, 1),), ((32, 1), (32, 3)), ((32, 1), (48, 3), (64, 3))
        return Residual(inputs, *map(self._slimmed, branches), scale=0.17)

    def _block17(self, inputs: int) -> Residual:
        branches = ((192, 1),), ((128, 1), (160, (1, 7)), (192, (7, 1)))
        return Residual(inputs, *map(self._slimmed, branches), scale=0.1)

    def _block8(self, inputs: int, scale: float, *, relu: bool = True) -> Residual:
        branches = ((192, 1),), ((192, 1), (224, (1, 3)), (256, (3, 1)))
        return Residual(inputs, *map(self._slimmed, branches), scale=scale, relu=relu)

    def _branch(self, inputs: int, *steps: Step, stride: int = 1) -> nn.Module:
        return _branch(inputs, *self._slimmed(steps), stride=stride)

    def _slimmed(self, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        return tuple((outputs // self.slim, kernel) for outputs, kernel in steps)

    def forward(self, x: Tensor) -> list[Tensor]:
        """B 3 H W -> levels at stride 4, 8, 16, 32, the last before each reduction."""
        x = F.max_pool2d(self.conv2d_2b(self.conv2d_2a(self.conv2d_1a(x))), 3, 2, 1)
        levels = [self.conv2d_4a(self.conv2d_3b(x))]
        levels.append(self.repeat(self.mixed_5b(F.max_pool2d(levels[-1], 3, 2, 1))))
        levels.append(self.repeat_1(self.mixed_6a(levels[-1])))
        x = self.block8(self.repeat_2(self.mixed_7a(levels[-1])))
        return [*levels, self.conv2d_7b(x)]
