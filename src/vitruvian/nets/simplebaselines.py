"""SimpleBaselines: a trunk and three deconvolutions.

Xiao, Wu and Wei, "Simple baselines for human pose estimation and tracking", ECCV 2018.
"""

from torch import Tensor, nn

from vitruvian.core.errors import ConfigError
from vitruvian.nets.blocks import Style, init_normal, require_divisible
from vitruvian.nets.convert import Layout
from vitruvian.nets.resnet import IMAGENET as IMAGENET
from vitruvian.nets.resnet import ResNet

LAYOUTS: dict[str, Layout] = {
    "authors": ((r"(conv1|bn1|layer[1-4])\.", r"trunk.\1."),),
    "mmpose": (
        (r"backbone\.", "trunk."),
        (r"(keypoint_)?head\.", ""),
        (r"data_preprocessor\.", None),
    ),
}
"""How public checkpoints name the parameters of :class:`SimpleBaseline`."""


class SimpleBaseline(nn.Module):
    """Deconvolutions on the last level of a trunk, then one map per keypoint.

    Args:
        trunk: Gives a list of levels, the last at stride 32, and has their ``widths``.
        channels: Number of heatmaps K.
        widths: Channels of each deconvolution; each doubles the resolution.
        kernels: Kernel of each deconvolution, 2, 3 or 4.
        bias: Whether deconvolutions have a bias.
        head_kernel: Kernel of the last convolution, 1 or 3.
    """

    def __init__(
        self,
        trunk: ResNet,
        channels: int,
        *,
        widths: tuple[int, ...],
        kernels: tuple[int, ...],
        bias: bool,
        head_kernel: int,
    ) -> None:
        super().__init__()
        self.trunk = trunk
        layers: list[nn.Module] = []
        inputs = trunk.widths[-1]
        for width, kernel in zip(widths, kernels, strict=True):
            layers += [_deconv(inputs, width, kernel, bias), nn.BatchNorm2d(width)]
            layers += [nn.ReLU(inplace=True)]
            inputs = width
        self.deconv_layers = nn.Sequential(*layers)
        self.final_layer = nn.Conv2d(inputs, channels, head_kernel, padding=head_kernel // 2)
        init_normal(self.deconv_layers)
        init_normal(self.final_layer)

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W normalised -> one stage {"heatmap": B K H/4 W/4}; H and W divide by 32."""
        require_divisible(x, 32)
        return [{"heatmap": self.final_layer(self.deconv_layers(self.trunk(x)[-1]))}]


def _deconv(inputs: int, outputs: int, kernel: int, bias: bool) -> nn.ConvTranspose2d:
    padding = {2: (0, 0), 3: (1, 1), 4: (1, 0)}
    if kernel not in padding:
        raise ConfigError(f"deconvolution kernel {kernel!r}; {sorted(padding)} are possible")
    inner, outer = padding[kernel]
    return nn.ConvTranspose2d(inputs, outputs, kernel, 2, inner, outer, bias=bias)


def simplebaselines(
    depth: int = 50,
    channels: int = 17,
    *,
    style: Style = "pytorch",
    widths: tuple[int, ...] = (256, 256, 256),
    kernels: tuple[int, ...] = (4, 4, 4),
    bias: bool = False,
    head_kernel: int = 1,
) -> SimpleBaseline:
    """The published network on a ResNet of ``depth`` 18, 34, 50, 101 or 152."""
    trunk = ResNet(depth, style=style)
    return SimpleBaseline(
        trunk, channels, widths=widths, kernels=kernels, bias=bias, head_kernel=head_kernel
    )
