"""OpenPose: fields that point along limbs, beside the keypoints' heatmaps, for everybody at once.

Cao, Simon, Wei and Sheikh, "Realtime multi-person 2D pose estimation using part affinity fields",
CVPR 2017 (:class:`OpenPose`); Cao, Hidalgo, Simon, Wei and Sheikh, "OpenPose", PAMI 2019
(:class:`OpenPosePAMI`). Layers have the names of the Caffe models. Written from the papers; the
authors' weights are for non-commercial use.
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from vitruvian.nets.blocks import init_normal, require_divisible
from vitruvian.nets.convert import Layout
from vitruvian.nets.vgg import IMAGENET as IMAGENET
from vitruvian.nets.vgg import chain, vgg19

_PREFIX = r"(?:model\d(?:_\d)?\.)?"

LAYOUTS: dict[str, Layout] = {
    "cvpr 2017": (
        (rf"{_PREFIX}(conv[1-4]_\d)\.", r"trunk.\1."),
        (rf"{_PREFIX}(conv4_\d)_CPM\.", r"features.\1."),
        (rf"{_PREFIX}(conv5_\d)_CPM_L1\.", r"paf.stage1.\1."),
        (rf"{_PREFIX}(conv5_\d)_CPM_L2\.", r"heatmap.stage1.\1."),
        (rf"{_PREFIX}(Mconv\d)_(stage\d)_L1\.", r"paf.\2.\1."),
        (rf"{_PREFIX}(Mconv\d)_(stage\d)_L2\.", r"heatmap.\2.\1."),
    ),
    "pami 2019": (
        (rf"{_PREFIX}(conv[1-4]_\d)\.", r"trunk.\1."),
        (rf"{_PREFIX}(conv4_\d)_CPM\.", r"features.\1."),
        (rf"{_PREFIX}prelu(4_2)\.", r"trunk.conv\1_act."),
        (rf"{_PREFIX}prelu(4_\d)_CPM\.", r"features.conv\1_act."),
        *(
            rule
            for branch, name in (("L1", "heatmap"), ("L2", "paf"))
            for rule in (
                (rf"{_PREFIX}(Mconv\d)_(stage\d)_{branch}_(\d)\.", rf"{name}.\2.\1.\3.conv."),
                (
                    rf"{_PREFIX}Mprelu(\d)_(stage\d)_{branch}_(\d)\.",
                    rf"{name}.\2.Mconv\1.\3.conv_act.",
                ),
                (rf"{_PREFIX}(Mconv\d)_(stage\d)_{branch}\.", rf"{name}.\2.head.\1."),
                (
                    rf"{_PREFIX}Mprelu(\d)_(stage\d)_{branch}\.",
                    rf"{name}.\2.head.Mconv\1_act.",
                ),
            )
        ),
    ),
}
"""How the Caffe models, and the ports that put ``model2_1.`` before, name the parameters."""


class OpenPose(nn.Module):
    """Two branches, fields and heatmaps; each stage sees both of the stage before (Fig. 3).

    Args:
        channels: Heatmaps: the keypoints', then the background's.
        fields: Two per limb, x and y.
        stages: Number of stages.
    """

    def __init__(self, channels: int, fields: int, stages: int) -> None:
        super().__init__()
        self.trunk = chain(3, *vgg19())
        self.features = chain(512, ("conv4_3", 256, 3), ("conv4_4", 128, 3))
        self.paf = nn.ModuleDict(_stages(fields, channels + fields, stages))
        self.heatmap = nn.ModuleDict(_stages(channels, channels + fields, stages))
        init_normal(self, 0.01)

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W normalised -> a stage {"heatmap": B C H/8 W/8, "paf": B F H/8 W/8} each.

        H and W divide by 8.
        """
        require_divisible(x, 8)
        seen = features = self.features(self.trunk(x))
        stages = []
        for fields, maps in zip(self.paf.values(), self.heatmap.values(), strict=True):
            paf, heatmap = fields(seen), maps(seen)
            stages.append({"heatmap": heatmap, "paf": paf})
            seen = torch.cat([paf, heatmap, features], dim=1)
        return stages


def _stages(outputs: int, seen: int, count: int) -> dict[str, nn.Module]:
    small = [(f"conv5_{n}", 128, 3) for n in (1, 2, 3)]
    large = [(f"Mconv{n}", 128, 7) for n in (1, 2, 3, 4, 5)]
    first = chain(128, *small, ("conv5_4", 512, 1), ("conv5_5", outputs, 1), last=False)
    return {"stage1": first} | {
        f"stage{stage}": chain(
            128 + seen, *large, ("Mconv6", 128, 1), ("Mconv7", outputs, 1), last=False
        )
        for stage in range(2, count + 1)
    }


class OpenPosePAMI(nn.Module):
    """Stages of fields, then stages of heatmaps that see the last fields (Fig. 3).

    Args:
        channels: Heatmaps: the keypoints', then the background's.
        fields: Two per limb, x and y.
    """

    def __init__(self, channels: int, fields: int) -> None:
        super().__init__()
        *layers, conv4_2 = vgg19()
        self.trunk = chain(3, *layers)
        for name, module in chain(512, conv4_2, act=nn.PReLU).named_children():
            self.trunk.add_module(name, module)
        self.features = chain(512, ("conv4_3", 256, 3), ("conv4_4", 128, 3), act=nn.PReLU)
        with_fields = 128 + fields
        self.paf = nn.ModuleDict(
            {
                "stage0": _dense_stage(128, 96, 256, fields),
                **{f"stage{n}": _dense_stage(with_fields, 128, 512, fields) for n in (1, 2, 3)},
            }
        )
        self.heatmap = nn.ModuleDict(
            {
                "stage0": _dense_stage(with_fields, 96, 256, channels),
                "stage1": _dense_stage(with_fields + channels, 128, 512, channels),
            }
        )
        init_normal(self, 0.01)

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W normalised -> a stage each of {"paf": B F h w}, then of {"heatmap": B C h w}.

        The last stage of the fields stands beside that of the heatmaps. h, w = H/8, W/8.
        """
        require_divisible(x, 8)
        seen = features = self.features(self.trunk(x))
        pafs, heatmaps = [], []
        for stage in self.paf.values():
            pafs.append(stage(seen))
            seen = torch.cat([features, pafs[-1]], dim=1)
        for stage in self.heatmap.values():
            heatmaps.append(stage(seen))
            seen = torch.cat([features, heatmaps[-1], pafs[-1]], dim=1)
        early = [{"paf": x} for x in pafs[:-1]] + [{"heatmap": x} for x in heatmaps[:-1]]
        return [*early, {"heatmap": heatmaps[-1], "paf": pafs[-1]}]


class Dense(nn.ModuleList):
    """Three 3x3 convolutions in a row; the results of all three come out."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__(
            chain(before, ("conv", width, 3), act=nn.PReLU) for before in (inputs, width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        """B inputs H W -> B 3 width H W."""
        found = []
        for conv in self:
            x = conv(x)
            found.append(x)
        return torch.cat(found, dim=1)


def _dense_stage(inputs: int, width: int, hidden: int, outputs: int) -> nn.Sequential:
    head = chain(3 * width, ("Mconv6", hidden, 1), ("Mconv7", outputs, 1), act=nn.PReLU, last=False)
    blocks = {f"Mconv{n}": Dense(inputs if n == 1 else 3 * width, width) for n in range(1, 6)}
    return nn.Sequential(OrderedDict(blocks, head=head))


def openpose(channels: int = 19, fields: int = 38, *, stages: int = 6) -> OpenPose:
    """The network of CVPR 2017: 19 and 38 for COCO's 18 keypoints, 16 and 28 for MPII's 15."""
    return OpenPose(channels, fields, stages)


def openpose_body25(channels: int = 26, fields: int = 52) -> OpenPosePAMI:
    """The network of PAMI 2019 for 25 keypoints, six of them on the feet."""
    return OpenPosePAMI(channels, fields)
