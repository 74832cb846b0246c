"""Poses to better poses: one view per person, and the pose that somebody found in it (PoseFix)."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np

from vitruvian.core.errors import ConfigError
from vitruvian.core.poses import Poses
from vitruvian.core.protocols import PersonCodec
from vitruvian.core.skeleton import Skeleton
from vitruvian.core.types import Image, Images
from vitruvian.core.view import View
from vitruvian.image.warp import warp
from vitruvian.kernels.pose_nms import oks_nms
from vitruvian.runtime.model import Model
from vitruvian.runtime.stopwatch import Stopwatch

GROWTH, LEAST = 1.2, 20.0
"""A person's box is so many times the extent of the pose, and has at least so many pixels a side
(the authors' test procedure)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refiner:
    """Finds the keypoints of people anew, given a pose of each.

    Keypoints that only the first system has stay as they are, as do people without any keypoint.

    Attributes:
        model: A model whose task is ``refine``.
        flip: Average with the mirrored views; None does what the model's metadata say.
        batch: Most people of one network call (a flipped view counts as none).
        watch: Times the stage ``refine``.
    """

    model: Model
    flip: bool | None = None
    batch: int = 32
    watch: Stopwatch = field(default_factory=Stopwatch)

    @property
    def skeleton(self) -> Skeleton:
        """Names and order of the keypoints."""
        return cast(Skeleton, self.model.metadata.skeleton)

    def __call__(
        self, images: Images, poses: Sequence[Poses], *, suppress: bool = True
    ) -> list[Poses]:
        """The same people with other keypoints.

        A keypoint that had not been found gets the person's score, the others keep theirs.

        Args:
            images: RGB pictures.
            poses: The people of each.
            suppress: Drop people who became duplicates of better ones; without it the order and
                the number of people stay.

        Raises:
            ConfigError: The poses have none of the refiner's keypoints.
        """
        with self.watch("refine"):
            return [
                self._refined(image, people, suppress)
                for image, people in zip(images, poses, strict=True)
            ]

    def _refined(self, image: Image, people: Poses, suppress: bool) -> Poses:
        ours, theirs = shared(self.skeleton, people.skeleton)
        rows = np.flatnonzero(np.isfinite(people.xy[:, theirs]).all(axis=2).any(axis=1))
        views = [self._view(people.xy[row, theirs]) for row in rows]
        xy, scores = people.xy.copy(), people.scores.copy()
        for start in range(0, len(rows), self.batch):
            chosen, seen = rows[start : start + self.batch], views[start : start + self.batch]
            pose = np.full((len(chosen), len(self.skeleton), 2), np.nan, np.float32)
            for target, row, view in zip(pose, chosen, seen, strict=True):
                target[ours] = view.to_view(people.xy[row, theirs])
            batch = np.stack([warp(image, view) for view in seen])
            for row, view, found in zip(chosen, seen, self._estimate(batch, pose), strict=True):
                lost = np.isnan(xy[row, theirs, 0])
                scores[row, theirs[lost]] = np.clip(people.score[row], 0, 1)
                xy[row, theirs] = view.to_image(found[ours])
        refined = replace(people, xy=xy, scores=scores)
        everyone = len(rows) == len(people)
        return self._suppressed(refined, views) if suppress and everyone else refined

    def _view(self, xy: np.ndarray) -> View:
        metadata = self.model.metadata
        low, high = np.nanmin(xy, axis=0), np.nanmax(xy, axis=0)
        half = np.maximum((high - low) * GROWTH, LEAST) / 2
        middle = (low + high) / 2
        box = np.concatenate([middle - half, middle + half])
        return View.crop(box, metadata.size, padding=metadata.padding, align=metadata.align)

    def _estimate(self, batch: np.ndarray, pose: np.ndarray) -> np.ndarray:
        """B K 2 view pixels; of the mirrored views the coordinates are averaged, not the maps."""
        metadata, codec = self.model.metadata, cast(PersonCodec, self.model.metadata.codec)
        if not (metadata.test.flip if self.flip is None else self.flip):
            fields = self.model.backend(batch, pose=pose)
            return codec.decode(fields, metadata.size).xy
        both = self.model.backend(
            np.concatenate([batch, batch[:, :, ::-1]]),
            pose=np.concatenate([pose, self._mirrored(pose)]),
        )
        plain, mirrored = np.split(codec.decode(both, metadata.size).xy, 2)
        mean: np.ndarray = (plain + self._mirrored(mirrored)) / 2
        return mean

    def _mirrored(self, xy: np.ndarray) -> np.ndarray:
        turned: np.ndarray = xy[:, self.skeleton.flip_index]
        turned[..., 0] = self.model.metadata.size[1] - 1 - turned[..., 0]
        return turned

    def _suppressed(self, people: Poses, views: Sequence[View]) -> Poses:
        threshold = self.model.metadata.test.oks_nms
        if threshold >= 1 or not people.skeleton.sigmas or len(people) < 2:
            return people
        area = np.array([view.size[0] * view.size[1] / view.scale**2 for view in views])
        sigmas = people.skeleton.oks_sigmas
        return people[oks_nms(people.xy, people.score, area, sigmas, threshold)]


def shared(ours: Skeleton, theirs: Skeleton) -> tuple[np.ndarray, np.ndarray]:
    """Positions in either skeleton of the keypoints that both name.

    Raises:
        ConfigError: They have no name in common.
    """
    names = [name for name in ours.keypoints if name in theirs.keypoints]
    if not names:
        raise ConfigError(
            f"a refiner of {ours.name!r} knows none of the keypoints of {theirs.name!r}; take one "
            "that was trained for them"
        )
    return (
        np.array([ours.index(name) for name in names]),
        np.array([theirs.index(name) for name in names]),
    )
