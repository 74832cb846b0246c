"""People as classes and corrections of boxes that the network proposes itself (Faster R-CNN).

The network matches and samples its proposals on the device (``nets/boxes.py``); reading them is
written there and here, which the tests hold together.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from vitruvian.codecs.points import padded_boxes
from vitruvian.core.fields import Field
from vitruvian.core.types import Boxes, Fields, Target
from vitruvian.kernels.nms import nms

STRIDE = 8
"""View pixels per cell of ``trust``."""
LARGEST = math.log(1000 / 16)
"""A box is never corrected to be larger by more (logarithm of the factor)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposals:
    """Boxes of people from R proposals of a view.

    Attributes:
        rows: Number R of proposals.
        classes: Number of classes of the network; nobody is 0, people are 1.
        weights: Factors on the corrections of x, y, width and height.
        threshold: Proposals that score less are nobody.
        iou: Boxes that overlap a better one by more are duplicates.
        most: Largest number of boxes of a view, found or learnt from.
    """

    rows: int = 1000
    classes: int = 2
    weights: tuple[float, float, float, float] = (10.0, 10.0, 5.0, 5.0)
    threshold: float = 0.05
    iou: float = 0.5
    most: int = 100

    @property
    def stride(self) -> int:
        """View pixels per cell of ``trust``."""
        return STRIDE

    @property
    def fields(self) -> tuple[Field, ...]:
        """``roi``: xyxy. ``score``: logits. ``box``: corrections for each class."""
        return (
            Field(name="roi", channels=4, stride=0, rows=self.rows),
            Field(name="score", channels=self.classes, stride=0, rows=self.rows),
            Field(name="box", channels=4 * self.classes, stride=0, rows=self.rows),
        )

    def encode(
        self,
        boxes: Float32[np.ndarray, "N 4"],
        trust: Float32[np.ndarray, "h w"],
        size: tuple[int, int],
    ) -> dict[str, Target]:
        """``boxes`` 1 M 4 in view pixels with weight 0 where there is none, and ``trust`` 1 h w."""
        return padded_boxes(boxes, trust, self.most)

    def decode(self, fields: Fields, size: tuple[int, int]) -> list[Boxes]:
        """Boxes of each view in view pixels and inside it, best first, without duplicates."""
        roi, score, box = (fields[name][..., 0] for name in ("roi", "score", "box"))
        return [self._decode_one(*row, size) for row in zip(roi, score, box, strict=True)]

    def _decode_one(
        self, roi: np.ndarray, logits: np.ndarray, deltas: np.ndarray, size: tuple[int, int]
    ) -> Boxes:
        chance = np.exp(logits - logits.max(axis=0))
        scores = chance[1] / chance.sum(axis=0)
        xyxy = corrected(roi.T, deltas[4:8].T, self.weights)
        xyxy = xyxy.clip(0, np.array([size[1], size[0]] * 2, np.float32))
        real = (roi[2:] > roi[:2]).all(axis=0) & (xyxy[:, 2:] > xyxy[:, :2]).all(axis=1)
        good = np.flatnonzero(real & (scores > self.threshold))
        keep = good[nms(xyxy[good], scores[good], self.iou)[: self.most]]
        return Boxes(xyxy=xyxy[keep].astype(np.float32), scores=scores[keep].astype(np.float32))


def corrected(
    boxes: np.ndarray, deltas: np.ndarray, weights: tuple[float, float, float, float]
) -> np.ndarray:
    """Boxes N 4 moved and resized by answers N 4 (Ren et al. 2015, Eq. 2)."""
    deltas = deltas / np.array(weights, deltas.dtype)
    size = boxes[:, 2:] - boxes[:, :2]
    middle = boxes[:, :2] + size / 2 + deltas[:, :2] * size
    half = np.exp(np.minimum(deltas[:, 2:], LARGEST)) * size / 2
    found: np.ndarray = np.concatenate([middle - half, middle + half], axis=1)
    return found
