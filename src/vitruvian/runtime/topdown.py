"""Pictures and boxes to poses: one view per box, all views of all pictures in batched calls."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np

from vitruvian.core.poses import Poses
from vitruvian.core.protocols import PersonCodec
from vitruvian.core.skeleton import Skeleton
from vitruvian.core.types import Boxes, Fields, Image, Images, Keypoints
from vitruvian.core.view import View
from vitruvian.image.warp import warp_batch
from vitruvian.kernels.parametric_nms import PoseNms, parametric_nms
from vitruvian.kernels.pose_nms import oks_nms
from vitruvian.runtime.model import Model
from vitruvian.runtime.stopwatch import Stopwatch


@dataclass(frozen=True, slots=True, kw_only=True)
class TopDown:
    """Finds the keypoints of the person in each box.

    Attributes:
        model: A model whose task is ``topdown``.
        flip: Average with the mirrored views; None does what the model's metadata say.
        kpt_thr: Keypoints that score lower were not found: NaN.
        batch: Most views of one network call (a flipped view counts as none).
        watch: Times the stages ``warp``, ``pose`` and ``decode``.
    """

    model: Model
    flip: bool | None = None
    kpt_thr: float = 0.0
    batch: int = 32
    watch: Stopwatch = field(default_factory=Stopwatch)

    @property
    def skeleton(self) -> Skeleton:
        """Names and order of the keypoints."""
        return cast(Skeleton, self.model.metadata.skeleton)

    def __call__(
        self, images: Images, boxes: Sequence[Boxes], *, suppress: bool = True
    ) -> list[Poses]:
        """The people of each picture.

        Args:
            images: RGB pictures.
            boxes: Of each picture, in its pixels.
            suppress: Sort people by score and drop duplicates (by OKS, which needs the skeleton's
                sigmas, or by the model's own rule); without it there is one person per box, in the
                order of the boxes.
        """
        metadata = self.model.metadata
        views = [
            [
                View.crop(box, metadata.size, padding=metadata.padding, align=metadata.align)
                for box in found.xyxy
            ]
            for found in boxes
        ]
        keypoints = self._estimate(images, views)
        with self.watch("decode"):
            poses, start = [], 0
            for image, found, seen in zip(images, boxes, views, strict=True):
                rows = slice(start, start + len(seen))
                people = self._poses(image, found, seen, keypoints.xy[rows], keypoints.scores[rows])
                poses.append(self._suppressed(people, seen) if suppress else people)
                start += len(seen)
            return poses

    def _estimate(self, images: Images, views: Sequence[Sequence[View]]) -> Keypoints:
        """Keypoints of every view of every picture, in order, in view pixels."""
        jobs = [(i, view) for i, seen in enumerate(views) for view in seen]
        size, count = self.model.metadata.size, len(self.skeleton)
        xy = np.empty((len(jobs), count, 2), np.float32)
        scores, score = np.empty((len(jobs), count), np.float32), np.empty(len(jobs), np.float32)
        for start in range(0, len(jobs), self.batch):
            rows = slice(start, start + self.batch)
            with self.watch("warp"):
                batch = np.empty((len(jobs[rows]), *size, 3), np.uint8)
                for target, (i, view) in enumerate(jobs[rows]):
                    warp_batch(images[i], [view], out=batch[target : target + 1])
            with self.watch("pose"):
                fields = self._fields(batch)
            with self.watch("decode"):
                found = cast(PersonCodec, self.model.metadata.codec).decode(fields, size)
                xy[rows], score[rows] = found.xy, found.score
                scores[rows] = self.model.chances(found.scores)
        return Keypoints(xy=xy, scores=scores, score=score)

    def _fields(self, batch: np.ndarray) -> Fields:
        test, count = self.model.metadata.test, len(batch)
        if not (test.flip if self.flip is None else self.flip):
            return self.model.backend(batch)
        both = self.model.backend(np.concatenate([batch, batch[:, :, ::-1]]))
        codec = cast(PersonCodec, self.model.metadata.codec)
        mirrored = {name: value[count:] for name, value in both.items()}
        shift = {"shift": True} if test.shift_flipped else {}
        back = codec.flip(mirrored, **shift)
        return {name: (both[name][:count] + value) / 2 for name, value in back.items()}

    def _poses(
        self, image: Image, boxes: Boxes, views: Sequence[View], xy: np.ndarray, scores: np.ndarray
    ) -> Poses:
        if not views:
            return Poses.empty(self.skeleton, image.shape[:2])
        placed = np.stack([view.to_image(points) for view, points in zip(views, xy, strict=True)])
        lost = scores < self.kpt_thr
        placed[lost] = np.nan
        return Poses(
            xy=placed,
            scores=scores,
            boxes=boxes.xyxy,
            score=self._rescored(boxes.scores, scores),
            skeleton=self.skeleton,
            size=(image.shape[0], image.shape[1]),
        )

    def _rescored(self, box_scores: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Box score x mean of the keypoint scores above a floor (Xiao et al. 2018, section 4)."""
        test = self.model.metadata.test
        if not test.rescore:
            return box_scores
        counted = scores > test.keypoint_floor
        total = np.where(counted, scores, 0).sum(1)
        mean = total / np.maximum(counted.sum(1), 1)
        score: np.ndarray = box_scores * (mean + test.score_offset)
        return score.astype(np.float32)

    def _suppressed(self, people: Poses, views: Sequence[View]) -> Poses:
        test = self.model.metadata.test
        if test.pose_nms is not None:
            return _merged(people, test.pose_nms)
        order = np.argsort(-people.score, kind="stable")
        threshold = test.oks_nms
        if threshold < 1 and self.skeleton.sigmas and len(people) > 1:
            area = np.array([view.size[0] * view.size[1] / view.scale**2 for view in views])
            order = oks_nms(people.xy, people.score, area, self.skeleton.oks_sigmas, threshold)
        return people[order]


def _merged(people: Poses, rule: PoseNms) -> Poses:
    """People whose duplicates have lent them their keypoints, best first."""
    groups, xy, scores = parametric_nms(people.xy, people.scores, people.boxes, rule)
    best = people[[int(group[0]) for group in groups]]
    order = np.argsort(-best.score, kind="stable")
    return replace(best, xy=xy, scores=scores)[order]
