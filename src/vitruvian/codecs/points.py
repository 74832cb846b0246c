"""People as a score per point of several grids and the distances to the sides of a box.

Tian et al. 2019 (FCOS), as RTMDet has it (Lyu et al. 2022). Which points answer for whom depends on
what the network answers, so targets are the boxes themselves: ``train/assign.py``.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from vitruvian.core.fields import Field
from vitruvian.core.types import Boxes, Fields, Target
from vitruvian.kernels.nms import nms


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """Boxes of people from grids of several strides.

    Attributes:
        strides: View pixels per cell of each grid; the finest first.
        offset: Where in its cell a point lies, as a fraction of the cell; 0 is the first corner.
        classes: Number of classes of the network; people are the first.
        threshold: Points that score less answer for nobody.
        iou: Boxes that overlap a better one by more are duplicates.
        per_level: Most points of a grid that are considered.
        most: Largest number of boxes of a view, found or learnt from.
    """

    strides: tuple[int, ...] = (8, 16, 32)
    offset: float = 0.0
    classes: int = 1
    threshold: float = 0.05
    iou: float = 0.6
    per_level: int = 1000
    most: int = 100

    @property
    def stride(self) -> int:
        """View pixels per cell of ``trust``."""
        return self.strides[0]

    @property
    def fields(self) -> tuple[Field, ...]:
        """``scoreS``: logits. ``boxS``: pixels to left, top, right and bottom; S the stride."""
        scores = (Field(name=f"score{s}", channels=self.classes, stride=s) for s in self.strides)
        return (*scores, *(Field(name=f"box{s}", channels=4, stride=s) for s in self.strides))

    def encode(
        self,
        boxes: Float32[np.ndarray, "N 4"],
        trust: Float32[np.ndarray, "h w"],
        size: tuple[int, int],
    ) -> dict[str, Target]:
        """``boxes`` 1 M 4 in view pixels with weight 0 where there is none, and ``trust`` 1 h w.

        Args:
            boxes: xyxy, view pixels; of more than ``most`` the largest are learnt.
            trust: How far "nobody" is to be believed; 0 in ignored regions.
            size: (H, W) of the view in pixels.
        """
        return padded_boxes(boxes, trust, self.most)

    def decode(self, fields: Fields, size: tuple[int, int]) -> list[Boxes]:
        """Boxes of each view in view pixels and inside it, best first, without duplicates."""
        return [
            self._decode_one({name: maps[row] for name, maps in fields.items()}, size)
            for row in range(len(fields[f"score{self.stride}"]))
        ]

    def _decode_one(self, maps: dict[str, np.ndarray], size: tuple[int, int]) -> Boxes:
        found, chances = [], []
        for stride in self.strides:
            logit, sides = maps[f"score{stride}"][0].ravel(), maps[f"box{stride}"].reshape(4, -1)
            xyxy = boxes_around(
                grid_points(maps[f"score{stride}"].shape[1:], stride, self.offset), sides.T
            )
            xyxy = xyxy.clip(-0.5, np.array([size[1], size[0]] * 2, np.float32) - 0.5)
            with np.errstate(over="ignore"):
                chance = 1 / (1 + np.exp(-logit))
            good = (chance > self.threshold) & (xyxy[:, 2:] > xyxy[:, :2]).all(axis=1)
            best = np.flatnonzero(good)
            best = best[np.argsort(-chance[best], kind="stable")[: self.per_level]]
            found.append(xyxy[best])
            chances.append(chance[best])
        xyxy, scores = np.concatenate(found), np.concatenate(chances).astype(np.float32)
        keep = nms(xyxy, scores, self.iou)[: self.most]
        return Boxes(xyxy=xyxy[keep], scores=scores[keep])


def padded_boxes(boxes: np.ndarray, trust: np.ndarray, most: int) -> dict[str, Target]:
    """The ``most`` largest boxes N 4 as an array of one shape for every view, and trust h w."""
    largest = np.argsort(-(boxes[:, 2:] - boxes[:, :2]).prod(axis=1), kind="stable")[:most]
    value, weight = np.zeros((1, most, 4), np.float32), np.zeros((1, most, 1), np.float32)
    value[0, : len(largest)], weight[0, : len(largest)] = boxes[largest], 1
    one = np.ones((1, 1, 1), np.float32)
    return {
        "boxes": Target(value=value, weight=weight),
        "trust": Target(value=trust[None].astype(np.float32), weight=one),
    }


def grid_points(cells: tuple[int, ...], stride: int, offset: float) -> np.ndarray:
    """Points of (h, w) cells, row by row: hw 2 float32, (x, y) in view pixels."""
    h, w = cells
    y, x = np.mgrid[:h, :w]
    points = (np.stack([x, y], axis=-1).reshape(-1, 2) + offset) * stride
    return points.astype(np.float32)


def boxes_around(points: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """Boxes N 4 (xyxy) from points N 2 and distances N 4 to left, top, right and bottom."""
    xyxy: np.ndarray = np.concatenate([points - sides[:, :2], points + sides[:, 2:]], axis=1)
    return xyxy
