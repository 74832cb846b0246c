"""Associative Embedding: hourglasses that also give every keypoint a tag, alike within a person.

Newell, Huang and Deng, "Associative embedding: end-to-end learning for joint detection and
grouping", NeurIPS 2017. Unlike in Stacked Hourglass, a block is one 3x3 convolution, and lower
resolutions are wider.
"""

from collections import OrderedDict
from itertools import accumulate

from torch import Tensor, nn

from vitruvian.core.errors import ConfigError
from vitruvian.nets.blocks import require_divisible
from vitruvian.nets.convert import Layout
from vitruvian.nets.hourglass import Hourglass

LAYOUTS: dict[str, Layout] = {
    "authors": ((r"(merge_(?:features|preds)\.\d+)\.conv\.conv\.", r"\1.conv."),)
}
"""How the authors' checkpoints name the parameters of :class:`AssociativeEmbedding`."""


def _conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2)
    return nn.Sequential(OrderedDict(conv=conv, relu=nn.ReLU(inplace=True)))


def _linear(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(OrderedDict(conv=nn.Conv2d(inputs, outputs, 1)))


class AssociativeEmbedding(nn.Module):
    """Hourglasses in a row; each predicts, and what it predicts goes into the next one.

    Args:
        stacks: Number of hourglasses, and of stages.
        channels: Number of heatmaps K.
        tags: Number of tag maps, one per keypoint.
        outputs: Maps that each hourglass predicts; the next one sees those without a name, too.
        widths: Channels at each resolution, the finest first.
    """

    def __init__(
        self, stacks: int, channels: int, tags: int, outputs: int, widths: tuple[int, ...]
    ) -> None:
        super().__init__()
        self.channels, self.tags = channels, tags
        self.divisor = 4 << (len(widths) - 1)
        width = widths[0]
        self.pre = nn.Sequential(
            _conv(3, 64, 7, 2), _conv(64, 128), nn.MaxPool2d(2), _conv(128, 128), _conv(128, width)
        )
        each, merged = range(stacks), range(stacks - 1)
        self.features = nn.ModuleList(
            nn.Sequential(Hourglass(widths, _conv), _conv(width, width), _conv(width, width))
            for _ in each
        )
        self.outs = nn.ModuleList(_linear(width, outputs) for _ in each)
        self.merge_features = nn.ModuleList(_linear(width, width) for _ in merged)
        self.merge_preds = nn.ModuleList(_linear(outputs, width) for _ in merged)

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W in [0, 1] -> a stage {"heatmap": B K H/4 W/4, "tag": same} per hourglass.

        H and W divide by 64.
        """
        require_divisible(x, self.divisor)
        x = self.pre(x)
        stages = []
        for index, (hourglass, head) in enumerate(zip(self.features, self.outs, strict=True)):
            features = hourglass(x)
            maps = head(features)
            tags = maps[:, self.channels : self.channels + self.tags]
            stages.append({"heatmap": maps[:, : self.channels], "tag": tags})
            if index < len(self.merge_preds):
                x = x + self.merge_preds[index](maps) + self.merge_features[index](features)
        return stages


def associative_embedding(
    stacks: int = 4,
    channels: int = 17,
    *,
    tags: int = 17,
    outputs: int = 68,
    width: int = 256,
    growth: tuple[int, int, int, int] = (128, 128, 128, 128),
) -> AssociativeEmbedding:
    """The published network; half of its 68 outputs have no name.

    Args:
        stacks: See :class:`AssociativeEmbedding`, likewise ``channels``, ``tags``, ``outputs``.
        channels: See there.
        tags: See there.
        outputs: See there.
        width: Channels at stride 4.
        growth: Channels more at each halving.

    Raises:
        ConfigError: There are fewer outputs than heatmaps and tags.
    """
    if outputs < channels + tags:
        raise ConfigError(
            f"{outputs} outputs cannot hold {channels} heatmaps and {tags} tags; "
            f"give at least {channels + tags}"
        )
    widths = tuple(accumulate((width, *growth)))
    return AssociativeEmbedding(stacks, channels, tags, outputs, widths)
