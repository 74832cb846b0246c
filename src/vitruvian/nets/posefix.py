"""PoseFix: a picture and a pose that somebody found in it, to a better pose.

Moon, Chang and Lee, "PoseFix: model-agnostic general human pose refinement network", CVPR 2019. The
pose enters as one Gaussian map per keypoint beside the picture's three channels; the rest is the
network of SimpleBaselines.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitruvian.core.errors import ConfigError
from vitruvian.nets.blocks import require_divisible
from vitruvian.nets.convert import Layout
from vitruvian.nets.resnet import IMAGENET as IMAGENET
from vitruvian.nets.resnet import ResNet
from vitruvian.nets.simplebaselines import SimpleBaseline
from vitruvian.nets.slim import from_slim, resnet_place

HEIGHT = 255.0
"""Peak of a map of the input pose: the pictures are not scaled either."""


def _tensorflow(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The variables of the authors' checkpoint; their first convolution sees pictures and maps."""
    ours = from_slim(state, _place)
    first = ours.pop("trunk.conv1.weight", None)
    if first is None:
        return ours
    return ours | {"trunk.conv1.weight": first[:, :3], "pose_conv.weight": first[:, 3:]}


def _place(scope: str) -> tuple[str, str]:
    if scope in ("up1", "up2", "up3"):
        at = 3 * (int(scope[-1]) - 1)
        return f"deconv_layers.{at}", f"deconv_layers.{at + 1}"
    return ("final_layer", "") if scope == "out" else resnet_place(scope)


LAYOUTS: dict[str, Layout] = {"tensorflow": _tensorflow}
"""How public checkpoints name the parameters of :class:`PoseFix`."""


class PoseFix(nn.Module):
    """A trunk whose first convolution also sees the pose, deconvolutions, one map per keypoint.

    Args:
        trunk: A ResNet.
        channels: Number of keypoints K, of the input pose and of the maps.
        sigma: Standard deviation of the input pose's Gaussians, in pixels of the view.
        widths: Channels of each deconvolution.
    """

    def __init__(
        self,
        trunk: ResNet,
        channels: int,
        *,
        sigma: float,
        widths: tuple[int, int, int] = (256, 256, 256),
    ) -> None:
        super().__init__()
        baseline = SimpleBaseline(
            trunk, channels, widths=widths, kernels=(4, 4, 4), bias=False, head_kernel=1
        )
        self.sigma = sigma
        self.trunk = trunk
        # One convolution of 3 + K channels, in two parts: ImageNet's weights fit the first.
        self.pose_conv = nn.Conv2d(channels, 64, 7, 2, 3, bias=False)
        self.deconv_layers = baseline.deconv_layers
        self.final_layer = baseline.final_layer
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps = 1e-9

    def forward(self, x: Tensor, pose: Tensor | None = None) -> list[dict[str, Tensor]]:
        """Maps whose softmax is where each keypoint is.

        Args:
            x: B 3 H W, mean subtracted, in [0, 255]; H and W divide by 32.
            pose: B K 2, pixels of the view; NaN for keypoints that nobody found. None is a pose
                without keypoints.

        Returns:
            One stage {"heatmap": B K H/4 W/4}.
        """
        require_divisible(x, 32)
        y = self.trunk.conv1(x) + self.pose_conv(self._maps(x, pose))
        y = F.max_pool2d(F.relu(self.trunk.bn1(y), inplace=True), 3, 2, 1)
        for layer in (self.trunk.layer1, self.trunk.layer2, self.trunk.layer3, self.trunk.layer4):
            y = layer(y)
        return [{"heatmap": self.final_layer(self.deconv_layers(y))}]

    def _maps(self, x: Tensor, pose: Tensor | None) -> Tensor:
        """B K H W: a Gaussian at each keypoint of the pose."""
        channels, (height, width) = self.pose_conv.in_channels, x.shape[-2:]
        if pose is None:
            return x.new_zeros(x.shape[0], channels, height, width)
        known = pose.isfinite().all(dim=2)
        pose = pose.nan_to_num(0.0)
        steps = [torch.arange(side, device=x.device, dtype=x.dtype) for side in (width, height)]
        across, down = (
            torch.exp(-((step - pose[..., axis, None]) / self.sigma).square() / 2)
            for axis, step in enumerate(steps)
        )
        across = across * (HEIGHT * known[..., None])
        return down[..., :, None] * across[..., None, :]


def posefix(depth: int = 50, channels: int = 17, *, sigma: float = 7.0) -> PoseFix:
    """The published network on a ResNet of ``depth``; ``sigma`` is 7 at 256 x 192, 9 at 384 x 288.

    Raises:
        ConfigError: The Gaussians have no width.
    """
    if sigma <= 0:
        raise ConfigError(f"Gaussians of {sigma} pixels; sigma must be above 0")
    return PoseFix(ResNet(depth), channels, sigma=sigma)
