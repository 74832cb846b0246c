"""FastPose, AlphaPose's own network: gated ResNet, then sub-pixel convolutions instead of deconvs.

Fang, Li, Tang, Xu, Zhu, Xiu, Li and Lu, "AlphaPose: whole-body regional multi-person pose
estimation and tracking in real-time", TPAMI 2022.
"""

from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor, nn

from vitruvian.core.errors import ConfigError
from vitruvian.nets.blocks import require_divisible
from vitruvian.nets.convert import Layout
from vitruvian.nets.resnet import ResNet

LAYOUTS: dict[str, Layout] = {
    "authors": (
        (r"preact\.(layer[1-4]\.0)\.bn3\.", r"trunk.\1.bn3.0."),
        (r"preact\.(layer[1-4]\.0)\.se\.", r"trunk.\1.bn3.1."),
        (r"preact\.", "trunk."),
    )
}
"""How public checkpoints name the parameters of :class:`FastPose`."""


def _torchvision(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A torchvision ResNet as our trunk; the gates, which it lacks, start as they are built."""
    ours = {}
    for key, value in state.items():
        block, _, leaf = key.rpartition(".bn3.")
        if block.endswith(".0"):
            ours[f"{block}.bn3.0.{leaf}"] = value
            if leaf == "weight":
                gate = Gate(len(value)).state_dict()
                ours |= {f"{block}.bn3.1.{name}": fresh for name, fresh in gate.items()}
        elif not key.startswith("fc."):
            ours[key] = value
    return ours


IMAGENET: dict[str, Layout] = {"torchvision": _torchvision}
"""How ImageNet checkpoints name the trunk."""


class Gate(nn.Module):
    """Squeeze and excitation (Hu et al. 2018) without a bottleneck."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(inplace=True), nn.Linear(width, width), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        """B C h w -> the same, each channel times its gate."""
        return x * self.fc(x.mean(dim=(2, 3)))[:, :, None, None]


class DUC(nn.Module):
    """Dense upsampling convolution (Wang et al. 2018): four times the channels, then a shuffle."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, 4 * outputs, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(4 * outputs)

    def forward(self, x: Tensor) -> Tensor:
        """B inputs h w -> B outputs 2h 2w."""
        return F.pixel_shuffle(F.relu(self.bn(self.conv(x)), inplace=True), 2)


class FastPose(nn.Module):
    """A gate in the first block of every level, three shuffles, one map per keypoint.

    Args:
        trunk: A ResNet of bottlenecks.
        channels: Number of heatmaps K.
    """

    def __init__(self, trunk: ResNet, channels: int) -> None:
        super().__init__()
        self.trunk = trunk
        for level, width in enumerate(trunk.widths):
            first = getattr(trunk, f"layer{level + 1}")[0]
            first.bn3 = nn.Sequential(first.bn3, Gate(width))
        width = trunk.widths[-1] // 4
        self.duc1 = DUC(width, width // 2)
        self.duc2 = DUC(width // 2, width // 4)
        self.conv_out = nn.Conv2d(width // 4, channels, 3, padding=1)

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W normalised -> one stage {"heatmap": B K H/4 W/4}; H and W divide by 32."""
        require_divisible(x, 32)
        x = F.pixel_shuffle(self.trunk(x)[-1], 2)
        return [{"heatmap": self.conv_out(self.duc2(self.duc1(x)))}]


def fastpose(depth: int = 50, channels: int = 17) -> FastPose:
    """FastPose on a ResNet of ``depth`` 50, 101 or 152."""
    if depth not in (50, 101, 152):
        raise ConfigError(f"FastPose of depth {depth!r}; its gates need 50, 101 or 152")
    return FastPose(ResNet(depth), channels)
