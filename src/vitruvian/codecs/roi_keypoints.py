"""Keypoints as one map each in every person's box (He et al. 2017, Mask R-CNN, Sec. 5).

A map is a classification of the box's cells, and is enlarged to the box before its maximum is
sought.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from vitruvian.codecs.points import padded_boxes
from vitruvian.codecs.proposals import STRIDE
from vitruvian.core.errors import ConfigError
from vitruvian.core.fields import Field
from vitruvian.core.skeleton import Skeleton
from vitruvian.core.types import Fields, Keypoints, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class RoiKeypoints:
    """Everybody of a view as a box and maps inside it.

    Attributes:
        skeleton: Names the keypoints K.
        people: Number of boxes D that the network answers.
        side: Cells of a map along a side.
        threshold: Boxes that score less are nobody.
        most: Largest number of people of a view that are learnt from.
    """

    skeleton: Skeleton
    people: int = 20
    side: int = 56
    threshold: float = 0.05
    most: int = 100

    @property
    def fields(self) -> tuple[Field, ...]:
        """``person``: xyxy. ``chance``: in [0, 1]. ``keypoint``: logits, D K maps as columns."""
        maps = self.people * len(self.skeleton)
        return (
            Field(name="person", channels=4, stride=0, rows=self.people),
            Field(name="chance", channels=1, stride=0, rows=self.people),
            Field(name="keypoint", channels=maps, stride=0, rows=self.side**2),
        )

    def encode(
        self,
        xy: Float32[np.ndarray, "N K 2"],
        visible: UInt8[np.ndarray, "N K"],
        size: tuple[int, int],
        *,
        boxes: Float32[np.ndarray, "N 4"],
        trust: Float32[np.ndarray, "H W"],
    ) -> dict[str, Target]:
        """See :func:`padded_people`."""
        return padded_people(xy, visible, size, boxes=boxes, trust=trust, most=self.most)

    def decode(self, fields: Fields, size: tuple[int, int]) -> list[Keypoints]:
        """The people of each view, best first; ``xy`` in view pixels.

        A keypoint's score is its share of the map's softmax, as in detectron2: comparable from one
        keypoint to the next, and small, because the map's other cells share the rest.
        """
        k, side = len(self.skeleton), self.side
        maps = fields["keypoint"].reshape(-1, self.people, k, side, side)
        found = []
        for boxes, chance, some in zip(fields["person"], fields["chance"], maps, strict=True):
            good = real_people(boxes[..., 0].T, chance[0, :, 0], self.threshold)
            peaks = [roi_peaks(some[i], boxes[:, i, 0]) for i in good]
            xy = np.array([peak[0] for peak in peaks], np.float32).reshape(-1, k, 2)
            scores = np.array([peak[2] for peak in peaks], np.float32).reshape(-1, k)
            found.append(Keypoints(xy=xy, scores=scores, score=chance[0, good, 0]))
        return found

    def flip(self, fields: Fields) -> dict[str, np.ndarray]:
        """Refused: the boxes of a mirrored view are others, and cannot be averaged.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError("boxes and their keypoints have no flip test; leave test.flip False")


def roi_peaks(maps: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The maximum of each map K S S, enlarged (bicubic) to its box's size rounded up.

    Returns:
        K 2 pixels, the logits there K (torchvision's scores), and the logits' exponentials as a
        share of the S x S cells' (detectron2's scores).
    """
    low, extent = box[:2].astype(np.float64), np.maximum(box[2:] - box[:2], 1).astype(np.float64)
    width, height = np.ceil(extent).astype(int).tolist()
    stack = np.ascontiguousarray(maps.transpose(1, 2, 0), np.float32)
    large = cv2.resize(stack, (width, height), interpolation=cv2.INTER_CUBIC)
    flat = large.reshape(width * height, -1)
    best = flat.argmax(axis=0)
    logit = flat[best, np.arange(flat.shape[1])]
    cell = np.stack([best % width, best // width], axis=1)
    xy = low + (cell + 0.5) * (extent / [width, height])
    cells = np.exp(maps.reshape(len(maps), -1) - logit[:, None]).sum(axis=1)
    return xy.astype(np.float32), logit, np.minimum(1 / cells, 1).astype(np.float32)


def real_people(boxes: np.ndarray, chance: np.ndarray, threshold: float) -> np.ndarray:
    """Positions, best first, of boxes D 4 with an area and a chance D above ``threshold``."""
    real = np.logical_and.reduce(boxes[:, 2:] > boxes[:, :2], axis=1)
    good = np.flatnonzero(real & (chance > threshold))
    return good[np.argsort(-chance[good], kind="stable")]


def padded_people(
    xy: Float32[np.ndarray, "N K 2"],
    visible: UInt8[np.ndarray, "N K"],
    size: tuple[int, int],
    *,
    boxes: Float32[np.ndarray, "N 4"],
    trust: Float32[np.ndarray, "H W"],
    most: int,
) -> dict[str, Target]:
    """``boxes`` 1 M 4 and ``xy`` M K 2 of the same people, and ``trust`` 1 h w, in one shape.

    Boxes are cut at the view of ``size`` (H, W); who is not in it is left out, and of more than
    ``most`` people the smallest.
    """
    inside = boxes.clip(0, np.array([size[1], size[0]] * 2, np.float32))
    seen = np.flatnonzero((inside[:, 2:] - inside[:, :2] >= 1).all(axis=1))
    seen = seen[np.argsort(-(inside[seen, 2:] - inside[seen, :2]).prod(axis=1), kind="stable")]
    seen = seen[:most]
    points = np.zeros((most, *xy.shape[1:]), np.float32)
    known = np.zeros((*points.shape[:2], 1), np.float32)
    labelled = (visible[seen] > 0) & np.isfinite(xy[seen]).all(axis=-1)
    points[: len(seen)] = np.where(labelled[..., None], xy[seen], 0)
    known[: len(seen), :, 0] = labelled
    targets = padded_boxes(inside[seen], _coarse(trust), most)
    return targets | {"xy": Target(value=points, weight=known)}


def _coarse(trust: np.ndarray) -> np.ndarray:
    """Trust H W as the least of each cell, h w."""
    rows, columns = (range(0, side, STRIDE) for side in trust.shape)
    coarse: np.ndarray = np.minimum.reduceat(np.minimum.reduceat(trust, rows, 0), columns, 1)
    return coarse
