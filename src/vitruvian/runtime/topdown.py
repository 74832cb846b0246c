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
from vitruvian.kernels.pose_nms import oks_nms, soft_oks_nms
from vitruvian.runtime.model import Model
from vitruvian.runtime.stopwatch import Stopwatch

BEST = 1.25
"""Weight of a person's best keypoint in AlphaPose's score."""


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
            suppress: Sort people by score, drop who scores too low to be one, and duplicates (by
                OKS, which needs the skeleton's sigmas, or by the model's own rule); without it
                there is one person per box, in the order of the boxes.
        """
        views, *others = [self._views(boxes, scale) for scale in self._scales()]
        found = self._placed(images, views)
        if others:
            found = _averaged([found, *(self._placed(images, more) for more in others)])
        with self.watch("decode"):
            poses, start = [], 0
            for image, some, seen in zip(images, boxes, views, strict=True):
                rows = slice(start, start + len(seen))
                people = self._poses(image, some, found.xy[rows], found.scores[rows])
                poses.append(self._suppressed(people, seen) if suppress else people)
                start += len(seen)
            return poses

    def _scales(self) -> list[float]:
        """Factors on the crops, 1 first."""
        return sorted(self.model.metadata.test.scales, key=lambda scale: scale != 1)

    def _views(self, boxes: Sequence[Boxes], scale: float) -> list[list[View]]:
        rule = self.model.metadata
        padding = rule.padding * scale
        return [
            [View.crop(box, rule.size, padding=padding, align=rule.align) for box in found.xyxy]
            for found in boxes
        ]

    def _placed(self, images: Images, views: Sequence[Sequence[View]]) -> Keypoints:
        """Keypoints of every view of every picture, in order, in pixels of its picture."""
        found = self._estimate(images, views)
        with self.watch("decode"):
            seen = [view for some in views for view in some]
            rows = zip(seen, found.xy, strict=True)
            xy = [view.to_image(points) for view, points in rows]
        return replace(found, xy=np.array(xy, np.float32).reshape(found.xy.shape))

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

    def _poses(self, image: Image, boxes: Boxes, xy: np.ndarray, scores: np.ndarray) -> Poses:
        if not len(boxes):
            return Poses.empty(self.skeleton, image.shape[:2])
        return Poses(
            xy=np.where(scores[..., None] < self.kpt_thr, np.float32(np.nan), xy),
            scores=scores,
            boxes=boxes.xyxy,
            score=self._rescored(boxes.scores, scores),
            skeleton=self.skeleton,
            size=(image.shape[0], image.shape[1]),
        )

    def _rescored(self, box_scores: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """N: what people score; see ``Test.rescoring``."""
        test = self.model.metadata.test
        if not test.rescore:
            return box_scores
        counted = scores > test.keypoint_floor
        total = np.where(counted, scores, 0).sum(1)
        mean = total / np.maximum(counted.sum(1), 1) + test.score_offset
        match test.rescoring:
            case "pose":
                score = mean
            case "sum":
                score = box_scores + mean + BEST * scores.max(axis=1, initial=0)
            case "product":
                score = box_scores * mean
        return np.asarray(score, np.float32)

    def _suppressed(self, people: Poses, views: Sequence[View]) -> Poses:
        test = self.model.metadata.test
        somebody = np.flatnonzero(people.score >= test.min_score).tolist()
        people, views = people[somebody], [views[i] for i in somebody]
        if test.pose_nms is not None:
            return _merged(people, test.pose_nms)
        order = np.argsort(-people.score, kind="stable")
        if not self.skeleton.sigmas or len(people) < 2:
            return people[order]
        sigmas = self.skeleton.oks_sigmas
        area = np.array([view.size[0] * view.size[1] / view.scale**2 for view in views])
        if test.soft_oks:
            order, score = soft_oks_nms(
                people.xy, people.score, area, sigmas, threshold=test.soft_oks
            )
            return replace(people[order], score=score.astype(np.float32))
        if test.oks_nms < 1:
            order = oks_nms(people.xy, people.score, area, sigmas, test.oks_nms)
        return people[order]


def _averaged(several: Sequence[Keypoints]) -> Keypoints:
    """Mean of the same keypoints in several crops, positions weighted by their scores."""
    xy = np.stack([found.xy for found in several])
    scores = np.stack([found.scores for found in several])
    weight = np.where(np.isfinite(xy).all(axis=-1), scores, 0)[..., None]
    total = weight.sum(axis=0)
    mean = np.nan_to_num(xy * weight).sum(axis=0) / np.where(total > 0, total, np.nan)
    score = np.mean([found.score for found in several], axis=0)
    return Keypoints(xy=mean.astype(np.float32), scores=scores.mean(axis=0), score=score)


def _merged(people: Poses, rule: PoseNms) -> Poses:
    """People whose duplicates have lent them their keypoints, best first."""
    groups, xy, scores = parametric_nms(people.xy, people.scores, people.boxes, rule)
    best = people[[int(group[0]) for group in groups]]
    order = np.argsort(-best.score, kind="stable")
    return replace(best, xy=xy, scores=scores)[order]
