"""HRNet: parallel branches at stride 4, 8, 16 and 32 that keep exchanging what they see.

Sun, Xiao, Liu and Wang, "Deep high-resolution representation learning for human pose estimation",
CVPR 2019.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from vitruvian.nets.blocks import BasicBlock, Bottleneck, conv_bn, init_normal, require_divisible
from vitruvian.nets.convert import Layout

LAYOUTS: dict[str, Layout] = {
    "authors": ((r"((?:conv|bn)[12]|layer1|transition\d|stage\d)\.", r"trunk.\1."),),
    "mmpose": (
        (r"backbone\.", "trunk."),
        (r"(keypoint_)?head\.", ""),
        (r"data_preprocessor\.", None),
    ),
}
"""How public checkpoints name the parameters of :class:`HRNet`."""

IMAGENET: dict[str, Layout] = {
    "authors": (
        (r"(incre_modules|downsamp_modules|final_layer|classifier|head|fc)\.", None),
        (r"stage4\.\d+\.fuse_layers\.[123]\.", None),
    ),
}
"""How ImageNet checkpoints name the trunk; the classifier, and the three coarse outputs of the last
exchange that it reads, are left out."""


class Exchange(nn.Module):
    """Residual blocks on each branch, then every output is a sum over all branches (Sec. 3).

    Args:
        widths: Channels of the branches, finest first.
        blocks: Residual blocks of a branch.
        outputs: How many of the branches go on.
    """

    def __init__(self, widths: tuple[int, ...], blocks: int, outputs: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(BasicBlock(width, width) for _ in range(blocks))) for width in widths
        )
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_path(widths, source, target) for source in range(len(widths)))
            for target in range(outputs)
        )

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        """Finest first, each B C h w; the same of the outputs."""
        branches = [blocks(x) for blocks, x in zip(self.branches, branches, strict=True)]
        outputs = []
        for paths in self.fuse_layers:
            first, *others = (path(x) for path, x in zip(paths, branches, strict=True))
            for other in others:
                first = first + other
            outputs.append(F.relu(first))
        return outputs


def _path(widths: tuple[int, ...], source: int, target: int) -> nn.Module:
    """Bring branch ``source`` to the resolution and width of branch ``target``."""
    if source == target:
        return nn.Identity()
    if source > target:
        project = conv_bn(widths[source], widths[target], 1, relu=False)
        return nn.Sequential(*project, nn.Upsample(scale_factor=2 ** (source - target)))
    steps = [conv_bn(widths[source], widths[source], 3, 2) for _ in range(target - source - 1)]
    return nn.Sequential(*steps, conv_bn(widths[source], widths[target], 3, 2, relu=False))


class HRNetTrunk(nn.Module):
    """Stem, then stages of two, three and four branches; the finest branch comes out.

    Args:
        widths: Channels of the four branches.
        modules: Exchanges of stage 2, 3 and 4.
        blocks: Residual blocks of a branch in each exchange.
    """

    def __init__(self, widths: tuple[int, ...], modules: tuple[int, ...], blocks: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.conv2 = nn.Conv2d(64, 64, 3, 2, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(Bottleneck(64, 64), *(Bottleneck(256, 64) for _ in range(3)))
        first = conv_bn(256, widths[0], 3)
        self.transition1 = nn.ModuleList([first, nn.Sequential(conv_bn(256, widths[1], 3, 2))])
        self.stage2 = _stage(widths[:2], modules[0], blocks, 2)
        self.transition2 = _new_branch(widths[:3])
        self.stage3 = _stage(widths[:3], modules[1], blocks, 3)
        self.transition3 = _new_branch(widths)
        self.stage4 = _stage(widths, modules[2], blocks, 1)

    def forward(self, x: Tensor) -> Tensor:
        """B 3 H W -> B widths[0] H/4 W/4."""
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = F.relu(self.bn2(self.conv2(x)), inplace=True)
        x = self.layer1(x)
        branches = self.stage2([step(x) for step in self.transition1])
        branches = self.stage3([*branches, self.transition2[-1](branches[-1])])
        return self.stage4([*branches, self.transition3[-1](branches[-1])])[0]


def _stage(widths: tuple[int, ...], modules: int, blocks: int, outputs: int) -> nn.Sequential:
    counts = [len(widths)] * (modules - 1) + [outputs]
    return nn.Sequential(*(Exchange(widths, blocks, count) for count in counts))


def _new_branch(widths: tuple[int, ...]) -> nn.ModuleList:
    """Step from the coarsest branch to the next; the identities keep its published index."""
    keep = [nn.Identity() for _ in widths[:-1]]
    return nn.ModuleList([*keep, nn.Sequential(conv_bn(widths[-2], widths[-1], 3, 2))])


class HRNet(nn.Module):
    """One map per keypoint from the finest branch.

    Args:
        trunk: The four branches.
        channels: Number of heatmaps K.
        width: Channels of the finest branch.
        head_kernel: Kernel of the last convolution, 1 or 3.
    """

    def __init__(self, trunk: HRNetTrunk, channels: int, *, width: int, head_kernel: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.final_layer = nn.Conv2d(width, channels, head_kernel, padding=head_kernel // 2)
        init_normal(self)

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W normalised -> one stage {"heatmap": B K H/4 W/4}; H and W divide by 32."""
        require_divisible(x, 32)
        return [{"heatmap": self.final_layer(self.trunk(x))}]


def hrnet(
    widths: tuple[int, int, int, int] = (32, 64, 128, 256),
    channels: int = 17,
    *,
    modules: tuple[int, int, int] = (1, 4, 3),
    blocks: int = 4,
    head_kernel: int = 1,
) -> HRNet:
    """HRNet of any width; see :class:`HRNetTrunk`."""
    trunk = HRNetTrunk(widths, modules, blocks)
    return HRNet(trunk, channels, width=widths[0], head_kernel=head_kernel)


def hrnet_w32(channels: int = 17) -> HRNet:
    """The published small network."""
    return hrnet((32, 64, 128, 256), channels)


def hrnet_w48(channels: int = 17) -> HRNet:
    """The published large network."""
    return hrnet((48, 96, 192, 384), channels)
