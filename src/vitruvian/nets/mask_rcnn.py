"""Mask R-CNN for keypoints: a map of each keypoint in each box that Faster R-CNN found.

He, Gkioxari, Dollar and Girshick, "Mask R-CNN", ICCV 2017, Sec. 5, as torchvision and detectron2
have it. ``codecs/roi_keypoints.py`` reads the outputs.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitruvian.nets.blocks import Style
from vitruvian.nets.boxes import area, clip, decode, unsuppressed
from vitruvian.nets.convert import Layout
from vitruvian.nets.faster_rcnn import LAYOUTS as BOXES
from vitruvian.nets.faster_rcnn import WEIGHTS, FasterRCNN
from vitruvian.nets.faster_rcnn import detectron2 as boxes_of_detectron2
from vitruvian.nets.resnet import IMAGENET as IMAGENET
from vitruvian.nets.resnet import ResNet

HEAD: dict[str, Layout] = {
    "torchvision": (
        (r"keypoint_head\.", "convs."),
        (r"keypoint_predictor\.kps_score_lowres\.", "up."),
    )
}
"""How public checkpoints name the parameters of :class:`KeypointHead`."""


def detectron2(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A checkpoint of detectron2's Keypoint R-CNN by our names."""
    head, rest = "roi_heads.keypoint_head.", {}
    found = {}
    for key, value in state.items():
        place = key.removeprefix(head)
        if place == key:
            rest[key] = value
        elif place.startswith("conv_fcn"):
            number, _, name = place.removeprefix("conv_fcn").partition(".")
            found[f"keypoints.convs.{2 * int(number) - 2}.{name}"] = value
        else:
            found[place.replace("score_lowres.", "keypoints.up.")] = value
    return found | {f"boxes.{name}": value for name, value in boxes_of_detectron2(rest).items()}


LAYOUTS: dict[str, Layout] = {
    "detectron2": detectron2,
    "torchvision": (
        (r"roi_heads\.keypoint_head\.", "keypoints.convs."),
        (r"roi_heads\.keypoint_predictor\.kps_score_lowres\.", "keypoints.up."),
        *((pattern, f"boxes.{name}") for pattern, name in BOXES["torchvision"]),
    ),
}
"""How public checkpoints name the parameters of :class:`MaskRCNN`."""


class KeypointHead(nn.Module):
    """Convolutions over a box's features, and maps four times as fine.

    Args:
        inputs: Channels that come in.
        channels: Number of keypoints K.
        width: Channels of the convolutions.
        depth: Number of convolutions.
    """

    def __init__(self, inputs: int, channels: int, width: int = 512, depth: int = 8) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for index in range(depth):
            conv = nn.Conv2d(inputs if index == 0 else width, width, 3, padding=1)
            nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(conv.bias)
            layers += [conv, nn.ReLU(inplace=True)]
        self.convs = nn.Sequential(*layers)
        self.up = nn.ConvTranspose2d(width, channels, 4, 2, 1)
        nn.init.kaiming_normal_(self.up.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(self.up.bias)

    def forward(self, x: Tensor) -> Tensor:
        """M C h w -> logits M K 4h 4w."""
        x = self.up(self.convs(x))
        return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


class MaskRCNN(nn.Module):
    """Boxes of people without duplicates, and logits of where in a box each keypoint is.

    Args:
        boxes: Finds the people; class 1 is theirs.
        head: Reads 14 x 14 features of a box.
        people: Number of boxes D whose keypoints are looked for.
    """

    looks_at = ("boxes",)
    """Targets that :meth:`forward` is given while training."""

    def __init__(self, boxes: FasterRCNN, head: KeypointHead, *, people: int = 20) -> None:
        super().__init__()
        self.boxes, self.keypoints, self.people = boxes, head, people

    @property
    def trunk(self) -> ResNet:
        """What starts from other weights."""
        return self.boxes.trunk

    def forward(self, x: Tensor, boxes: Tensor | None = None) -> list[dict[str, Tensor]]:
        """B 3 H W normalised -> one stage, for the D best people of each view.

        ``person``: B 4 D 1 xyxy, without area where there are fewer. ``chance``: B 1 D 1 in [0, 1].
        ``keypoint``: B DK S^2 1, logits of the S x S cells of each box, row by row.
        Training, the outputs of :class:`~vitruvian.nets.faster_rcnn.FasterRCNN`, and ``keypoint``
        of the first D boxes that it looks at, which are people's as far as there are some.
        """
        stage, levels, rois = self.boxes.look(x, boxes)
        if self.training:
            return [stage | {"keypoint": self._maps(levels, rois[:, : self.people])}]
        found, chance = self._people(stage, rois, x.shape[-2:])
        return [
            {
                "person": found.transpose(1, 2)[..., None],
                "chance": chance[:, None, :, None],
                "keypoint": self._maps(levels, found),
            }
        ]

    def _people(
        self, stage: dict[str, Tensor], rois: Tensor, size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """The D best boxes of people B D 4, and their chances B D."""
        chance = stage["score"][..., 0].float().softmax(dim=1)[:, 1]
        deltas = stage["box"][:, 4:8, :, 0].transpose(1, 2).float()
        found = clip(decode(deltas, rois, WEIGHTS), size)
        chance, index = (chance * (area(rois) > 0) * (area(found) > 0)).sort(1, descending=True)
        found = found.gather(1, index[..., None].expand(-1, -1, 4))
        chance, index = (chance * unsuppressed(found, 0.5)).topk(self.people, dim=1)
        found = found.gather(1, index[..., None].expand(-1, -1, 4))
        return found * (chance > 0)[..., None], chance

    def _maps(self, levels: list[Tensor], rois: Tensor) -> Tensor:
        maps = self.keypoints(self.boxes.read(levels, rois, 14).flatten(0, 1))
        return maps.unflatten(0, rois.shape[:2]).flatten(1, 2).flatten(2)[..., None]


def keypoint_cells(xy: Tensor, boxes: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Which of side x side cells of its box a keypoint lies in, as detectron2 counts them.

    Args:
        xy: P K 2 view pixels.
        boxes: P 4.
        side: See above.

    Returns:
        Indices P K, row by row, and whether the keypoint is in the box; the index of others is 0.
    """
    low, high = boxes[:, None, :2], boxes[:, None, 2:]
    cell = ((xy - low) * (side / (high - low))).floor()
    cell = torch.where(xy == high, side - 1, cell)
    inside = ((cell >= 0) & (cell < side)).all(dim=-1)
    index = (cell[..., 1] * side + cell[..., 0]).where(inside, 0)
    return index.long(), inside


def mask_rcnn(
    depth: int = 50,
    channels: int = 17,
    people: int = 20,
    style: Style = "pytorch",
    aligned: bool = False,
) -> MaskRCNN:
    """On the pyramid of a ResNet, as torchvision has it; detectron2: ``caffe`` and ``aligned``."""
    boxes = FasterRCNN(ResNet(depth, style=style), classes=2, aligned=aligned)
    return MaskRCNN(boxes, KeypointHead(256, channels), people=people)
