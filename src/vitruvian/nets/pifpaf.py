"""PifPaf: a trunk at stride 16 and two convolutions, one for keypoints and one for limbs.

Kreiss, Bertoni and Alahi, "PifPaf: composite fields for human pose estimation", CVPR 2019, and
"OpenPifPaf: composite fields for semantic keypoint detection and spatio-temporal association",
T-ITS 2021.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from vitruvian.core.errors import ConfigError
from vitruvian.nets.convert import Layout
from vitruvian.nets.resnet import ResNet
from vitruvian.nets.shufflenet import SHAPES, ShuffleNetK

LAYOUTS: dict[str, Layout] = {
    "authors": (
        (r"base_net\.input_block\.0\.0\.", "trunk.input_block.0."),
        (r"base_net\.input_block\.0\.1\.", "trunk.input_block.1."),
        (r"base_net\.input_block\.0\.", "trunk.conv1."),
        (r"base_net\.input_block\.1\.", "trunk.bn1."),
        (r"base_net\.block2\.", "trunk.layer1."),
        (r"base_net\.block3\.", "trunk.layer2."),
        (r"base_net\.block4\.", "trunk.layer3."),
        (r"base_net\.block5\.", "trunk.layer4."),
        (r"base_net\.", "trunk."),
        (r"head_nets\.0\.conv\.", "cif."),
        (r"head_nets\.1\.conv\.", "caf."),
    )
}
"""How the authors' models name the parameters of :class:`PifPaf`; their files hold the whole
pickled model, so save its ``state_dict()`` first."""


class PifPaf(nn.Module):
    """Composite fields from the last level of a trunk, as raw values; the codec reads them.

    Args:
        trunk: Gives a list of levels, the last at stride 16, and has their ``widths``.
        keypoints: K; five channels each.
        limbs: E; eight channels each.
        upsample: 2 answers at stride 8: sub-pixel convolution (Shi et al. 2016).
    """

    def __init__(
        self, trunk: nn.Module, keypoints: int, limbs: int, *, width: int, upsample: int = 1
    ) -> None:
        super().__init__()
        if upsample not in (1, 2):
            raise ConfigError(f"upsample {upsample!r}; 1 (stride 16) and 2 (stride 8) are possible")
        self.trunk, self.upsample = trunk, upsample
        self.cif = nn.Conv2d(width, 5 * keypoints * upsample**2, 1)
        self.caf = nn.Conv2d(width, 8 * limbs * upsample**2, 1)

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W normalised -> one stage {"cif": B 5K h w, "caf": B 8E h w}.

        Cell i is at pixel ``stride`` i. With H = 16 n + 1, h is n + 1, or 2 n + 1 at stride 8.
        """
        features = self.trunk(x)[-1]
        return [{"cif": self._fine(self.cif(features)), "caf": self._fine(self.caf(features))}]

    def _fine(self, x: Tensor) -> Tensor:
        """The last row and column would lie beyond the last pixels."""
        return x if self.upsample == 1 else F.pixel_shuffle(x, self.upsample)[..., :-1, :-1]


def pifpaf_resnet(
    depth: int = 50, keypoints: int = 17, limbs: int = 19, *, upsample: int = 1
) -> PifPaf:
    """On a ResNet of ``depth`` 18, 34, 50, 101 or 152 without its pooling."""
    trunk = ResNet(depth, pool=False)
    return PifPaf(trunk, keypoints, limbs, width=trunk.widths[-1], upsample=upsample)


def pifpaf_shufflenet(
    k: int = 16, keypoints: int = 17, limbs: int = 19, *, upsample: int = 1
) -> PifPaf:
    """On a ShuffleNetV2K of ``k`` 16, 20, 30 or 44."""
    if k not in SHAPES:
        raise ConfigError(f"no ShuffleNetV2K{k!r}; published are {sorted(SHAPES)}")
    trunk = ShuffleNetK(*SHAPES[k])
    return PifPaf(trunk, keypoints, limbs, width=trunk.widths[-1], upsample=upsample)
