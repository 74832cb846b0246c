"""G-RMI's pose network: a dilated ResNet at stride 8 and one 1x1 convolution.

Papandreou et al., "Towards accurate multi-person pose estimation in the wild", CVPR 2017, Sec. 3.2.
"""

from torch import Tensor, nn

from vitruvian.nets.blocks import init_normal
from vitruvian.nets.convert import Layout
from vitruvian.nets.resnet import IMAGENET as IMAGENET
from vitruvian.nets.resnet import ResNet

LAYOUTS: dict[str, Layout] = {}
"""No public checkpoint is known."""


class GRMI(nn.Module):
    """Logits of a disc around each keypoint, and the vectors to the keypoint inside it.

    Args:
        trunk: Its last level is at stride 8.
        channels: Number of keypoints K.
    """

    def __init__(self, trunk: ResNet, channels: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.final_layer = nn.Conv2d(trunk.widths[-1], 3 * channels, 1)
        self.channels = channels
        init_normal(self.final_layer)

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W normalised -> one stage {"heatmap": B K h w, "offset": B 2K h w}.

        h is H/8 rounded up, w likewise; where H - 1 and W - 1 divide by 8 (353 x 257), cell i lies
        on pixel 8 i.
        """
        maps = self.final_layer(self.trunk(x)[-1])
        return [{"heatmap": maps[:, : self.channels], "offset": maps[:, self.channels :]}]


def g_rmi(depth: int = 101, channels: int = 17) -> GRMI:
    """The network on a ResNet of ``depth`` 50 or 101, as published, or any other."""
    return GRMI(ResNet(depth, output_stride=8), channels)
