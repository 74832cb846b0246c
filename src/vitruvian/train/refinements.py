"""What a refiner learns from: a view of a person, and a pose with drawn errors (PoseFix)."""

from collections.abc import Sequence

import numpy as np

from vitruvian.datasets import Dataset
from vitruvian.image.pose_errors import spoiled
from vitruvian.kernels.nms import iou
from vitruvian.systems.spec import System
from vitruvian.train.feed import Item, People, Seen

NEAR = 0.1
"""Least intersection over union of the boxes of people whose keypoints may be confused."""


class Refinements:
    """One row per labelled person; items are views, targets and the poses to be refined."""

    def __init__(self, datasets: Sequence[Dataset], system: System) -> None:
        self._people, self._system = People(datasets, system), system
        self.groups = self._people.groups

    def item(self, row: int, rng: np.random.Generator) -> Item:
        """View of one person, targets, and the ``pose`` K 2 that the network is given."""
        seen = self._people.seen(row, rng)
        box = seen.sample.boxes[seen.person]
        pose = spoiled(
            _inside(seen.xy, seen),
            _inside(_neighbours(seen), seen),
            float((box[2:] - box[:2]).prod()) * seen.view.scale**2,
            self._system.skeleton,
            rng,
        )
        targets = self._system.codec.encode(seen.xy, seen.visible, seen.view.size)
        return seen.image, targets, {"pose": pose.astype(np.float32)}


def _neighbours(seen: Seen) -> np.ndarray:
    """M K 2 view pixels: labels of those whose boxes overlap the person's; NaN where unlabelled."""
    sample, person = seen.sample, seen.person
    near = (iou(sample.boxes[[person]], sample.boxes)[0] >= NEAR) & ~sample.crowd
    near[person] = False
    xy = seen.view.to_view(np.where(sample.visible[near, :, None] > 0, sample.xy[near], np.nan))
    return xy[:, sample.skeleton.flip_index] if seen.view.flipped else xy


def _inside(xy: np.ndarray, seen: Seen) -> np.ndarray:
    """The same, NaN for what the view does not show."""
    height, width = seen.view.size
    shown = ((xy >= 0) & (xy < (width, height))).all(axis=-1, keepdims=True)
    return np.where(shown, xy, np.nan)
