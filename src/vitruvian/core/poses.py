"""Poses: the people found in one picture."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32, Int64

from vitruvian.core.skeleton import Skeleton


@dataclass(frozen=True, slots=True, kw_only=True)
class Poses:
    """People of one picture, best first.

    Attributes:
        xy: N K 2 float32, image pixels; NaN where a keypoint was not found.
        scores: N K float32, confidence of each keypoint in [0, 1].
        boxes: N 4 float32, xyxy image pixels.
        score: N float32, confidence of each person in [0, 1].
        skeleton: Names and order of the K keypoints.
        size: (H, W) of the picture in pixels.
        ids: N int64 track identities, or None when people are not tracked.
    """

    xy: Float32[np.ndarray, "N K 2"]
    scores: Float32[np.ndarray, "N K"]
    boxes: Float32[np.ndarray, "N 4"]
    score: Float32[np.ndarray, " N"]
    skeleton: Skeleton
    size: tuple[int, int]
    ids: Int64[np.ndarray, " N"] | None = None

    @staticmethod
    def empty(skeleton: Skeleton, size: tuple[int, int]) -> "Poses":
        """Nobody."""
        count = len(skeleton.keypoints)
        return Poses(
            xy=np.zeros((0, count, 2), np.float32),
            scores=np.zeros((0, count), np.float32),
            boxes=np.zeros((0, 4), np.float32),
            score=np.zeros(0, np.float32),
            skeleton=skeleton,
            size=size,
        )

    def __len__(self) -> int:
        return len(self.xy)

    def __getitem__(self, index: int | slice | np.ndarray | list[int]) -> "Poses":
        """The chosen people; an integer keeps the person axis."""
        rows = slice(index, index + 1 or None) if isinstance(index, int) else index
        return replace(
            self,
            xy=self.xy[rows],
            scores=self.scores[rows],
            boxes=self.boxes[rows],
            score=self.score[rows],
            ids=None if self.ids is None else self.ids[rows],
        )

    def __iter__(self) -> Iterator["Poses"]:
        return (self[i] for i in range(len(self)))
