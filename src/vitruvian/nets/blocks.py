"""Blocks that several families share; attribute names are those of the public checkpoints."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitruvian.core.errors import InputError

Style = Literal["pytorch", "caffe"]
"""Where a bottleneck strides: on its 3x3 convolution, or (``caffe``) on its first 1x1."""


def conv_bn(
    inputs: int, outputs: int, kernel: int, stride: int = 1, *, relu: bool = True
) -> nn.Sequential:
    """Convolution without bias, "same" padding; normalisation; ReLU unless told otherwise."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    layers = [conv, nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if relu else nn.Sequential(*layers)


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    conv = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut (He et al. 2016, Fig. 5 left).

    Args:
        inputs: Channels that come in.
        width: Channels that come out.
        stride: Of the first convolution.
        dilations: Of the convolutions up to the strided one, and of those after it.
    """

    def __init__(
        self, inputs: int, width: int, stride: int = 1, dilations: tuple[int, int] = (1, 1)
    ) -> None:
        super().__init__()
        before, after = dilations
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, before, before, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, after, after, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(inputs, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """B C H W -> B width H/stride W/stride."""
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(y)) + self.downsample(x), inplace=True)


class Bottleneck(nn.Module):
    """1x1 down, 3x3, 1x1 up by four, around a shortcut (He et al. 2016, Fig. 5 right).

    Args:
        inputs: Channels that come in.
        width: Channels of the 3x3; four times as many come out.
        stride: Of the convolution that ``style`` names.
        dilations: Of the convolutions up to the strided one, and of those after it.
        style: See :data:`Style`.
    """

    def __init__(
        self,
        inputs: int,
        width: int,
        stride: int = 1,
        dilations: tuple[int, int] = (1, 1),
        style: Style = "pytorch",
    ) -> None:
        super().__init__()
        first, second = (stride, 1) if style == "caffe" else (1, stride)
        dilation = dilations[style == "caffe"]
        outputs = 4 * width
        self.conv1 = nn.Conv2d(inputs, width, 1, first, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, second, dilation, dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = _shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        """B C H W -> B 4*width H/stride W/stride."""
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        return F.relu(self.bn3(self.conv3(y)) + self.downsample(x), inplace=True)


def init_normal(net: nn.Module, std: float = 0.001) -> None:
    """Convolutions from N(0, std), biases 0: what Xiao 2018 and Sun 2019 start a head from."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, std=std)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def require_divisible(x: Tensor, divisor: int) -> None:
    """Refuse an input whose sides are no multiple of ``divisor``.

    Raises:
        InputError: As said, with the nearest sizes that fit.
    """
    height, width = x.shape[-2:]
    if torch.compiler.is_compiling() or not (height % divisor or width % divisor):
        return
    fits = tuple(max(1, round(side / divisor)) * divisor for side in (height, width))
    raise InputError(
        f"input of {height} x {width} (height x width): both sides must divide by {divisor}; "
        f"the nearest size is {fits[0]} x {fits[1]}"
    )
