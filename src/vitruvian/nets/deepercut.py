"""DeeperCut: a dilated ResNet, doubled to stride 8, that also says where the other keypoints are.

Insafutdinov, Pishchulin, Andres, Andriluka and Schiele, "DeeperCut: a deeper, stronger, and faster
multi-person pose estimation model", ECCV 2016. The Caffe network adds a prediction from the third
level's end; the TensorFlow one does not, and supervises the fourth level's middle instead.
"""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from vitruvian.core.errors import ConfigError
from vitruvian.nets.blocks import init_normal, require_divisible
from vitruvian.nets.convert import Layout
from vitruvian.nets.resnet import IMAGENET as IMAGENET
from vitruvian.nets.resnet import ResNet

Version = Literal["caffe", "tensorflow"]

LAYOUTS: dict[str, Layout] = {}
"""The authors' checkpoints are Caffe's and TensorFlow's; none is read."""


class Head(nn.Module):
    """Doubles the last level's resolution; may add what a finer level says.

    Args:
        inputs: Channels of the last level.
        outputs: Channels of the field.
        finer: Channels of the level at the doubled resolution; 0 without it.
    """

    def __init__(self, inputs: int, outputs: int, finer: int = 0) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(inputs, outputs, 3, 2, 1, 1)
        self.skip = nn.Conv2d(finer, outputs, 1) if finer else None

    def forward(self, x: Tensor, finer: Tensor) -> Tensor:
        """B inputs H W and B finer 2H 2W -> B outputs 2H 2W."""
        return self.up(x) if self.skip is None else self.up(x) + self.skip(finer)


class DeeperCut(nn.Module):
    """Logits of a disc around each keypoint, steps to it, steps from each keypoint to each other.

    Args:
        trunk: Its last level is at stride 16.
        channels: Number of keypoints K.
        version: See the module.
        pairs: Predict the steps to other keypoints.
    """

    def __init__(self, trunk: ResNet, channels: int, version: Version, *, pairs: bool) -> None:
        super().__init__()
        self.trunk = trunk
        _, second, third, last = trunk.widths
        counts = {"heatmap": channels, "locref": 2 * channels}
        if pairs:
            counts["pairwise"] = 2 * channels * (channels - 1)
        finer = second if version == "caffe" else 0
        self.heads = nn.ModuleDict({name: Head(last, c, finer) for name, c in counts.items()})
        self.middle = Head(third, channels) if version == "tensorflow" else None
        self.early = len(trunk.layer3) // 2
        init_normal(self.heads, 0.01)

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W normalised -> stages {"heatmap", "locref", "pairwise"} at H/8 W/8.

        TensorFlow's version has a stage {"heatmap"} before. H and W divide by 16.
        """
        require_divisible(x, 16)
        trunk = self.trunk
        x = F.relu(trunk.bn1(trunk.conv1(x)), inplace=True)
        x = finer = trunk.layer2(trunk.layer1(F.max_pool2d(x, 3, 2, 1)))
        stages = []
        for index, block in enumerate(trunk.layer3):
            x = block(x)
            if index == self.early and self.middle is not None:
                stages.append({"heatmap": self.middle(x, finer)})
        x = trunk.layer4(x)
        return [*stages, {name: head(x, finer) for name, head in self.heads.items()}]


def deepercut(
    depth: int = 152, channels: int = 17, *, version: Version = "caffe", pairs: bool = True
) -> DeeperCut:
    """The Caffe network on ResNet-152, or TensorFlow's on 50 or 101.

    Raises:
        ConfigError: There is no such version, or there are no pairs of keypoints.
    """
    if version not in ("caffe", "tensorflow") or channels < 2:
        raise ConfigError(
            f"DeeperCut of {channels!r} keypoints, version {version!r}; at least 2 keypoints, "
            "versions are 'caffe' and 'tensorflow'"
        )
    style = "caffe" if version == "caffe" and depth >= 50 else "pytorch"
    return DeeperCut(ResNet(depth, style=style, output_stride=16), channels, version, pairs=pairs)


def deepercut_tensorflow(depth: int = 101, channels: int = 17, *, pairs: bool = True) -> DeeperCut:
    """The network of the authors' TensorFlow version."""
    return deepercut(depth, channels, version="tensorflow", pairs=pairs)
