"""PersonLab: a dilated ResNet and one convolution per kind of field.

Papandreou, Zhu, Chen, Gidaris, Tompson and Murphy, "PersonLab", ECCV 2018, Sec. 3.
"""

from torch import Tensor, nn

from vitruvian.nets.blocks import init_normal
from vitruvian.nets.resnet import IMAGENET as IMAGENET
from vitruvian.nets.resnet import ResNet


class PersonLab(nn.Module):
    """Disks, short and mid offsets; with ``masks`` people's area and long offsets, too.

    Args:
        trunk: Gives a list of levels and has their ``widths``; dilated to stride 8 or 16.
        channels: Number of keypoints K.
        edges: Number of neighbours E in the body, K - 1 for a tree.
        masks: Also answer ``segment`` (a logit) and ``long`` (offsets to all of the person's
            keypoints), of which instance masks are made.
        unit: Pixels that an offset of 1 of the last layer means, the paper's disk radius.
    """

    def __init__(
        self, trunk: ResNet, channels: int, edges: int, *, masks: bool = False, unit: float = 32.0
    ) -> None:
        super().__init__()
        self.trunk, self.unit = trunk, unit
        fields = {"heatmap": channels, "short": 2 * channels, "mid": 4 * edges}
        if masks:
            fields |= {"segment": 1, "long": 2 * channels}
        width = trunk.widths[-1]
        self.heads = nn.ModuleDict({name: nn.Conv2d(width, c, 1) for name, c in fields.items()})
        init_normal(self.heads)

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W normalised -> one stage; cell i is at pixel ``stride`` i.

        Logits in "heatmap" B K h w and "segment" B 1 h w, pixels in "short" B 2K h w, "mid"
        B 4E h w and "long" B 2K h w. With H = stride n + 1, h is n + 1.
        """
        features = self.trunk(x)[-1]
        maps = {name: head(features) for name, head in self.heads.items()}
        pixels = ("short", "mid", "long")
        return [{name: y * self.unit if name in pixels else y for name, y in maps.items()}]


def personlab(
    depth: int = 101,
    channels: int = 17,
    edges: int = 16,
    *,
    output_stride: int = 16,
    masks: bool = False,
) -> PersonLab:
    """On a ResNet of ``depth`` 50, 101 or 152 dilated to ``output_stride`` 8 or 16."""
    trunk = ResNet(depth, output_stride=output_stride)
    return PersonLab(trunk, channels, edges, masks=masks)
