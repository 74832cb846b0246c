"""Whole pictures with everybody in them, for networks that find people bottom-up."""

from collections.abc import Sequence

import cv2
import numpy as np

from vitruvian.core.convert import convert
from vitruvian.core.errors import InputError
from vitruvian.core.protocols import SceneCodec
from vitruvian.core.sample import Sample
from vitruvian.core.types import Image, Target
from vitruvian.core.view import View
from vitruvian.datasets import Dataset
from vitruvian.image.augment import distort, random_scene
from vitruvian.image.warp import warp
from vitruvian.systems.spec import System
from vitruvian.train.feed import Pictures, check_skeleton

AROUND = 0.25
"""How far a labelled person's box is trusted beyond its sides, as a share of them, in a picture
that is not fully annotated."""


class Everybody:
    """One row per picture; items are random views of it and all of its people.

    A picture is drawn if somebody in it has a labelled keypoint. Of data without any person, all
    pictures are: they teach what nobody looks like.
    """

    def __init__(self, datasets: Sequence[Dataset], system: System) -> None:
        if not isinstance(system.codec, SceneCodec):
            raise InputError(f"{system.name}: {system.codec!r} does not encode whole pictures")
        self._system, self._codec, self._pictures = system, system.codec, Pictures()
        self._samples: list[Sample] = []
        for dataset in datasets:
            bones = check_skeleton(dataset.skeleton, system)
            alike = dataset.skeleton == bones  # names, and which of them a mirror exchanges
            samples = [sample if alike else convert(sample, bones) for sample in dataset]
            empty = not any(len(sample) for sample in samples)
            self._samples += samples if empty else [s for s in samples if _labelled(s).any()]
        if not any(len(sample) for sample in self._samples):
            raise InputError("the training data hold no person with labelled keypoints")
        self.groups = [sample.source for sample in self._samples]

    def item(self, row: int, rng: np.random.Generator) -> tuple[Image, dict[str, Target]]:
        """A view of one picture and the targets of everybody in it."""
        sample, rule, augment = self._samples[row], self._system.input, self._system.recipe.augment
        view = random_scene(sample.size, rule.size, augment, rng, fit=rule.fit)
        image = distort(warp(self._pictures(sample.path), view), augment, rng)
        known = _labelled(sample)
        xy, visible = view.to_view(sample.xy[known]), sample.visible[known]
        if view.flipped:
            order = sample.skeleton.flip_index
            xy, visible = xy[:, order], visible[:, order]
        corners = _corners(view, sample.boxes)
        boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)[known]
        targets = self._codec.encode(
            xy, visible, rule.size, boxes=boxes.astype(np.float32), trust=trusted(sample, view)
        )
        return image, targets


def trusted(sample: Sample, view: View) -> np.ndarray:
    """H W float32: 1 where everybody in the view is labelled.

    That is inside the picture, or only around labelled people if it is not fully annotated, and
    outside the boxes of crowds and of people without a labelled keypoint.
    """
    known = _labelled(sample)
    trust = np.zeros(view.size, np.float32)
    if sample.fully_annotated:
        height, width = sample.size
        whole = np.array([[-0.5, -0.5, width - 0.5, height - 0.5]], np.float32)
        _fill(trust, _corners(view, whole), 1.0)
    else:
        grow = AROUND * np.tile(sample.boxes[:, 2:] - sample.boxes[:, :2], 2) * [-1, -1, 1, 1]
        _fill(trust, _corners(view, (sample.boxes + grow)[known]), 1.0)
    _fill(trust, _corners(view, sample.boxes[~known]), 0.0)
    return trust


def _labelled(sample: Sample) -> np.ndarray:
    """N bool: people with a labelled keypoint."""
    labelled: np.ndarray = (sample.visible > 0).any(axis=1) & ~sample.crowd
    return labelled


def _corners(view: View, boxes: np.ndarray) -> np.ndarray:
    """N 4 2 view pixels, in the order in which they go around."""
    return view.to_view(boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2))


def _fill(trust: np.ndarray, corners: np.ndarray, value: float) -> None:
    """Paint convex quadrangles N 4 2, view pixels."""
    limit = 8.0 * max(trust.shape)
    points = np.round(np.clip(corners, -limit, limit) * 16).astype(np.int32)
    for quadrangle in points:
        cv2.fillConvexPoly(trust, quadrangle, value, shift=4)
