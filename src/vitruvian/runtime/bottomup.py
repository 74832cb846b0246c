"""Pictures to poses without boxes: whole pictures through the network, people out of its codec.

Pictures whose views have the same size share a network call. What a picture gives does not depend
on the others, and the network's cost not on the number of people.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import cv2
import numpy as np

from vitruvian.core.poses import Poses
from vitruvian.core.protocols import MultiScale, SceneCodec
from vitruvian.core.skeleton import Skeleton
from vitruvian.core.types import Fields, Image, Images, Keypoints
from vitruvian.core.view import View, fitted
from vitruvian.image.warp import warp_batch
from vitruvian.kernels.pose_nms import oks_nms
from vitruvian.runtime.model import Model
from vitruvian.runtime.stopwatch import Stopwatch


@dataclass(frozen=True, slots=True, kw_only=True)
class BottomUp:
    """Finds everybody in whole pictures.

    Attributes:
        model: A model whose task is ``bottomup``.
        flip: Look at the mirrored views, too; None does what the model's metadata say.
        conf: People that score lower are left out.
        kpt_thr: Keypoints that score lower were not found: NaN.
        max_people: Most people of a picture, the best; 0 keeps all.
        batch: Most views of one network call (a flipped view counts as none).
        watch: Times the stages ``warp``, ``pose`` and ``decode``.
    """

    model: Model
    flip: bool | None = None
    conf: float = 0.0
    kpt_thr: float = 0.0
    max_people: int = 0
    batch: int = 4
    watch: Stopwatch = field(default_factory=Stopwatch)

    @property
    def skeleton(self) -> Skeleton:
        """Names and order of the keypoints."""
        return cast(Skeleton, self.model.metadata.skeleton)

    def __call__(self, images: Images) -> list[Poses]:
        """The people of each picture, best first; boxes are around their keypoints."""
        sizes = [self._view_size(image) for image in images]
        found: dict[int, Poses] = {}
        for size in dict.fromkeys(sizes):
            rows = [i for i, other in enumerate(sizes) if other == size]
            for start in range(0, len(rows), self.batch):
                some = rows[start : start + self.batch]
                found |= zip(some, self._find([images[i] for i in some], size), strict=True)
        return [found[i] for i in range(len(images))]

    def _view_size(self, image: Image) -> tuple[int, int]:
        rule = self.model.metadata
        return fitted(
            image.shape[:2], rule.size, rule.fit, divisor=rule.divisor, remainder=rule.remainder
        )

    def _find(self, images: Images, size: tuple[int, int]) -> list[Poses]:
        """The people of pictures whose views have the same size."""
        views = [View.letterbox(image.shape[:2], size) for image in images]
        scales = {
            scale: self._fields(images, [view.resized(self._scaled(size, scale)) for view in views])
            for scale in self.model.metadata.test.scales
        }
        with self.watch("decode"):
            codec = cast(SceneCodec, self.model.metadata.codec)
            people = codec.decode(merged(codec, scales), size)
            return [self._poses(*row) for row in zip(images, views, people, strict=True)]

    def _scaled(self, size: tuple[int, int], scale: float) -> tuple[int, int]:
        """(H, W) of the view at another scale: what the network takes and comes nearest."""
        step, rest = self.model.metadata.divisor, self.model.metadata.remainder
        height, width = (
            side if scale == 1 else max(round((side * scale - rest) / step), 1) * step + rest
            for side in size
        )
        return height, width

    def _fields(self, images: Images, views: Sequence[View]) -> Fields:
        """Outputs for the views, with what the mirrored views add."""
        with self.watch("warp"):
            batch = np.empty((len(views), *views[0].size, 3), np.uint8)
            for i, (image, view) in enumerate(zip(images, views, strict=True)):
                warp_batch(image, [view], out=batch[i : i + 1])
        with self.watch("pose"):
            if not (self.model.metadata.test.flip if self.flip is None else self.flip):
                return self.model.backend(batch)
            both = self.model.backend(np.concatenate([batch, batch[:, :, ::-1]]))
        with self.watch("decode"):
            codec, count = cast(SceneCodec, self.model.metadata.codec), len(batch)
            plain = {name: value[:count] for name, value in both.items()}
            back = codec.flip({name: value[count:] for name, value in both.items()})
            shared = {name: (plain[name] + back[name]) / 2 for name in plain.keys() & back.keys()}
            return plain | back | shared

    def _poses(self, image: Image, view: View, people: Keypoints) -> Poses:
        """Those who are good enough, in pixels of the picture."""
        size = (image.shape[0], image.shape[1])
        seen = np.isfinite(people.xy).all(2).any(1) & (people.score >= self.conf)
        chances = self.model.chances(people.scores)
        xy, scores, score = (v[seen] for v in (people.xy, chances, people.score))
        if not len(xy):
            return Poses.empty(self.skeleton, size)
        xy = view.to_image(xy)
        boxes = boxes_around(xy, size)
        order = self._kept(xy, score, boxes)[: self.max_people or None]
        placed = xy[order]
        placed[scores[order] < self.kpt_thr] = np.nan
        return Poses(
            xy=placed,
            scores=scores[order],
            boxes=boxes[order],
            score=score[order],
            skeleton=self.skeleton,
            size=size,
        )

    def _kept(self, xy: np.ndarray, score: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """Rows best first, without duplicates if the model was tested so."""
        threshold = self.model.metadata.test.oks_nms
        if threshold < 1 and self.skeleton.sigmas and len(xy) > 1:
            area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
            return oks_nms(xy, score, area, self.skeleton.oks_sigmas, threshold)
        return np.argsort(-score, kind="stable")


def merged(codec: SceneCodec, scales: Mapping[float, Fields]) -> Fields:
    """Outputs of several scales as one: as the codec says, else the mean at the grid of scale 1."""
    if len(scales) == 1:
        return next(iter(scales.values()))
    if isinstance(codec, MultiScale):
        return codec.merge(scales)
    return {
        name: np.mean([_resized(fields[name], value) for fields in scales.values()], axis=0)
        for name, value in scales[1.0].items()
    }


def _resized(maps: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Maps B C h w on the grid of others, bilinear."""
    if maps.shape == like.shape:
        return maps
    size = (like.shape[3], like.shape[2])
    out = np.empty_like(like)
    for source, target in zip(
        maps.reshape(-1, *maps.shape[2:]), out.reshape(-1, *out.shape[2:]), strict=True
    ):
        cv2.resize(source, size, dst=target, interpolation=cv2.INTER_LINEAR)
    return out


def boxes_around(xy: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """N 4 float32 xyxy around the keypoints N K 2 of people with at least one.

    A tenth of the longer side and one pixel are added all around, and the picture's border cuts
    them off: a person is wider than the joints.

    Args:
        xy: Image pixels; NaN where absent.
        size: (H, W) of the picture.
    """
    low, high = np.nanmin(xy, axis=1), np.nanmax(xy, axis=1)
    grow = 0.1 * (high - low).max(axis=1, keepdims=True) + 1
    limit = np.array([size[1], size[0]]) - 0.5
    low, high = np.clip(low - grow, -0.5, limit - 1), np.clip(high + grow, 0.5, limit)
    return np.concatenate([low, high], axis=1).astype(np.float32)
