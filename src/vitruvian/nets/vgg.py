"""Chains of convolution and ReLU, and the ten layers of VGG-19 that CPM and OpenPose begin with.

Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition",
ICLR 2015. Convolutions have the names of the Caffe models.
"""

from collections import OrderedDict
from collections.abc import Callable

from torch import nn

from vitruvian.nets.convert import Layout

Conv = tuple[str, int, int]
"""Name, channels that come out, and kernel of a convolution."""

_WIDTHS = {1: (64, 64), 2: (128, 128), 3: (256, 256, 256, 256), 4: (512, 512)}
_CONVS = [(level, n, width) for level, row in _WIDTHS.items() for n, width in enumerate(row, 1)]
_TORCHVISION = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21)

IMAGENET: dict[str, Layout] = {
    "torchvision": (
        *(
            (rf"features\.{index}\.", f"conv{level}_{n}.")
            for index, (level, n, _) in zip(_TORCHVISION, _CONVS, strict=True)
        ),
        (r"features\.(2[3-9]|3\d)\.|classifier\.", None),
    )
}
"""How torchvision's VGG-19 names these layers; the others are left out."""


def chain(
    inputs: int,
    *layers: Conv | nn.Module,
    act: Callable[[int], nn.Module] = lambda channels: nn.ReLU(inplace=True),
    last: bool = True,
) -> nn.Sequential:
    """Convolutions with bias and "same" padding, each with its activation.

    Args:
        inputs: Channels that come in.
        layers: A convolution, see :data:`Conv`, or a module to put in between as it is.
        act: Makes an activation for a number of channels.
        last: Whether an activation follows the last convolution.
    """
    found: OrderedDict[str, nn.Module] = OrderedDict()
    for layer in layers:
        if isinstance(layer, nn.Module):
            found[f"{name}_{type(layer).__name__.lower()}"] = layer
            continue
        name, outputs, kernel = layer
        found[name] = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
        found[f"{name}_act"] = act(outputs)
        inputs = outputs
    if not last:
        del found[f"{name}_act"]
    return nn.Sequential(found)


def vgg19() -> list[Conv | nn.Module]:
    """The layers conv1_1 to conv4_2 for :func:`chain`: stride 8, 512 channels."""
    layers: list[Conv | nn.Module] = []
    for level, n, width in _CONVS:
        layers.append((f"conv{level}_{n}", width, 3))
        if level < 4 and n == len(_WIDTHS[level]):
            layers.append(nn.MaxPool2d(2))
    return layers
