"""People as classes and corrections of fixed boxes in every cell of several grids (SSD).

Liu et al. 2016, "SSD: single shot multibox detector", Sec. 2.2. The boxes of a level are a square
of its size, a square between it and the next level's, and flat and upright ones of the same area.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from vitruvian.codecs.proposals import corrected
from vitruvian.core.fields import Field
from vitruvian.core.types import Boxes, Fields, Target
from vitruvian.kernels.nms import iou, nms

WEIGHTS = (10.0, 10.0, 5.0, 5.0)
"""Factors on the corrections of x, y, width and height: 1 / 0.1 and 1 / 0.2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchors:
    """Boxes of people from fixed boxes; the defaults are those of SSD512 for COCO.

    Attributes:
        strides: View pixels per cell of each grid.
        sizes: Pixels, of each level and of one more.
        ratios: Width / height of each level's other boxes; their inverses too.
        classes: Number of classes of the network; nobody is 0, people are 1.
        threshold: Boxes that score less are nobody.
        overlap: Boxes that overlap somebody by at least so much answer for them.
        iou: Boxes that overlap a better one by more are duplicates.
        before: Most boxes that are considered.
        most: Largest number of boxes of a view.
    """

    strides: tuple[int, ...] = (8, 16, 32, 64, 128, 256, 512)
    sizes: tuple[float, ...] = (20.48, 51.2, 133.12, 215.04, 296.96, 378.88, 460.8, 542.72)
    ratios: tuple[tuple[float, ...], ...] = ((2.0,), *((2.0, 3.0),) * 4, (2.0,), (2.0,))
    classes: int = 2
    threshold: float = 0.01
    overlap: float = 0.5
    iou: float = 0.45
    before: int = 400
    most: int = 200

    @property
    def stride(self) -> int:
        """View pixels per cell of ``trust``."""
        return self.strides[0]

    @property
    def fields(self) -> tuple[Field, ...]:
        """``scoreS``: logits, classes of a box together. ``boxS``: corrections of each box."""
        counts = [2 + 2 * len(row) for row in self.ratios]
        levels = list(zip(self.strides, counts, strict=True))
        scores = (Field(name=f"score{s}", channels=n * self.classes, stride=s) for s, n in levels)
        return (*scores, *(Field(name=f"box{s}", channels=4 * n, stride=s) for s, n in levels))

    def encode(
        self,
        boxes: Float32[np.ndarray, "N 4"],
        trust: Float32[np.ndarray, "h w"],
        size: tuple[int, int],
    ) -> dict[str, Target]:
        """``scoreS``: A h w, 1 for people, weighed by trust; ``boxS``: 4A h w right corrections.

        Everybody gets the box that they overlap most, and all that they overlap enough.
        """
        targets = {}
        levels = [self._level(at, size) for at in range(len(self.strides))]
        person = self._match(np.concatenate([level.reshape(-1, 4) for level in levels]), boxes)
        for stride, level in zip(self.strides, levels, strict=True):
            h, w, count = level.shape[:3]
            of, person = person[: h * w * count], person[h * w * count :]
            taken = of.reshape(h, w, count) >= 0
            right = np.zeros((h * w * count, 4), np.float32)
            right[of >= 0] = _corrections(boxes[of[of >= 0]], level.reshape(-1, 4)[of >= 0])
            cells = (np.arange(n) * stride // self.stride for n in (h, w))
            sure = np.where(taken, 1, trust[np.ix_(*cells)][..., None])
            targets[f"score{stride}"] = Target(
                value=_maps(taken[..., None].astype(np.float32)),
                weight=_maps(sure[..., None].astype(np.float32)),
            )
            targets[f"box{stride}"] = Target(
                value=_maps(right.reshape(h, w, count, 4)),
                weight=_maps(np.repeat(taken[..., None], 4, axis=3).astype(np.float32)),
            )
        return targets

    def _match(self, anchors: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """Who each of P boxes answers for, -1 for nobody."""
        if not len(boxes):
            return np.full(len(anchors), -1)
        overlap = iou(boxes, anchors)
        person = np.where(overlap.max(axis=0) >= self.overlap, overlap.argmax(axis=0), -1)
        for _ in boxes:  # the best pair first, each box and each person once
            who, which = np.unravel_index(overlap.argmax(), overlap.shape)
            if overlap[who, which] <= 0:
                break
            person[which] = who
            overlap[who], overlap[:, which] = -1, -1
        return person

    def _level(self, at: int, size: tuple[int, int]) -> np.ndarray:
        """H w A 4 xyxy in view pixels, not cut at the view."""
        stride, small, next_ = self.strides[at], self.sizes[at], self.sizes[at + 1]
        h, w = -(-size[0] // stride), -(-size[1] // stride)
        sides = [(small, small), ((small * next_) ** 0.5,) * 2]
        for ratio in self.ratios[at]:
            long, short = small * ratio**0.5, small / ratio**0.5
            sides += [(long, short), (short, long)]
        half = np.array(sides, np.float32) / 2
        y, x = np.mgrid[:h, :w]
        middle = (np.stack([x, y], axis=-1)[:, :, None] + 0.5) * stride - 0.5
        boxes: np.ndarray = np.concatenate([middle - half, middle + half], axis=-1)
        return boxes.astype(np.float32)

    def decode(self, fields: Fields, size: tuple[int, int]) -> list[Boxes]:
        """Boxes of each view in view pixels and inside it, best first, without duplicates."""
        anchors = [self._level(at, size) for at in range(len(self.strides))]
        found = []
        for row in range(len(fields[f"score{self.stride}"])):
            parts = []
            for stride, level in zip(self.strides, anchors, strict=True):
                logits = _rows(fields[f"score{stride}"][row], self.classes)
                parts.append((logits, _rows(fields[f"box{stride}"][row], 4), level.reshape(-1, 4)))
            logits, deltas, boxes = map(np.concatenate, zip(*parts, strict=True))
            found.append(self._people(logits, deltas, boxes, size))
        return found

    def _people(
        self, logits: np.ndarray, deltas: np.ndarray, boxes: np.ndarray, size: tuple[int, int]
    ) -> Boxes:
        chance = np.exp(logits - logits.max(axis=1, keepdims=True))
        scores = chance[:, 1] / chance.sum(axis=1)
        good = np.flatnonzero(scores > self.threshold)
        good = good[np.argsort(-scores[good], kind="stable")[: self.before]]
        xyxy = corrected(boxes[good], deltas[good], WEIGHTS)
        xyxy = xyxy.clip(-0.5, np.array([size[1], size[0]] * 2, np.float32) - 0.5)
        real = (xyxy[:, 2:] > xyxy[:, :2]).all(axis=1)
        xyxy, scores = xyxy[real].astype(np.float32), scores[good][real].astype(np.float32)
        keep = nms(xyxy, scores, self.iou)[: self.most]
        return Boxes(xyxy=xyxy[keep], scores=scores[keep])


def _corrections(boxes: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """What to answer for boxes P 4; inverse of :func:`~vitruvian.codecs.proposals.corrected`."""
    size, ours = anchors[:, 2:] - anchors[:, :2], boxes[:, 2:] - boxes[:, :2]
    shift = ((boxes[:, :2] + boxes[:, 2:]) - (anchors[:, :2] + anchors[:, 2:])) / 2 / size
    right: np.ndarray = np.concatenate([shift, np.log(ours / size)], axis=1) * WEIGHTS
    return right


def _maps(x: np.ndarray) -> np.ndarray:
    """H w A C as maps AC h w."""
    maps: np.ndarray = np.ascontiguousarray(x.reshape(*x.shape[:2], -1).transpose(2, 0, 1))
    return maps


def _rows(maps: np.ndarray, channels: int) -> np.ndarray:
    """Maps AC h w as rows hwA C."""
    rows: np.ndarray = maps.transpose(1, 2, 0).reshape(-1, channels)
    return rows
