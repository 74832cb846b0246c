"""Pictures to person boxes: one letterbox view each, one network call for many."""

from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from vitruvian.core.protocols import BoxCodec
from vitruvian.core.types import Boxes, Image, Images
from vitruvian.core.view import View
from vitruvian.image.warp import warp_batch
from vitruvian.kernels.nms import nms, soft_nms
from vitruvian.runtime.model import Model
from vitruvian.runtime.stopwatch import Stopwatch
from vitruvian.systems.pipelines import BoxRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """Finds people.

    Attributes:
        model: A model whose task is ``detector``.
        rule: Which of the boxes stay.
        batch: Most pictures of one network call.
        watch: Times the stages ``warp``, ``detect`` and ``decode``.
    """

    model: Model
    rule: BoxRule = field(default_factory=BoxRule)
    batch: int = 8
    watch: Stopwatch = field(default_factory=Stopwatch)

    def __call__(self, images: Images) -> list[Boxes]:
        """Boxes of each picture, in its pixels and inside it, best first."""
        found: list[Boxes] = []
        for start in range(0, len(images), self.batch):
            found += self._detect(images[start : start + self.batch])
        return found

    def _detect(self, images: Images) -> list[Boxes]:
        size = self.model.metadata.size
        with self.watch("warp"):
            views = [View.letterbox(image.shape[:2], size) for image in images]
            batch = np.empty((len(images), *size, 3), np.uint8)
            for i, (image, view) in enumerate(zip(images, views, strict=True)):
                warp_batch(image, [view], out=batch[i : i + 1])
        with self.watch("detect"):
            outputs = self.model.backend(batch)
        with self.watch("decode"):
            boxes = self._codec().decode(outputs, size)
            return [self._in_image(*row) for row in zip(boxes, views, images, strict=True)]

    def _codec(self) -> BoxCodec:
        """The model's codec, with the rule's thresholds where it suppresses by them itself."""
        codec: Any = self.model.metadata.codec
        overlap = 1.0 if self.rule.soft else self.rule.nms
        changes = {"threshold": self.rule.threshold, "iou": overlap}
        known = {f.name for f in fields(codec)}
        given = {k: v for k, v in changes.items() if v is not None and k in known}
        return replace(codec, **given)  # type: ignore[no-any-return]

    def _in_image(self, boxes: Boxes, view: View, image: Image) -> Boxes:
        height, width = image.shape[:2]
        corners = view.to_image(boxes.xyxy.reshape(-1, 2, 2))
        corners = corners.clip(-0.5, np.array([width, height]) - 0.5)
        sides = corners[:, 1] - corners[:, 0]
        kept = np.flatnonzero(
            (sides > 0).all(-1) & (sides.min(-1, initial=np.inf) >= self.rule.least)
        )
        xyxy, scores = corners.reshape(-1, 4)[kept].astype(np.float32), boxes.scores[kept]
        return self._best(Boxes(xyxy=xyxy, scores=scores))

    def _best(self, boxes: Boxes) -> Boxes:
        """Duplicates removed, best first, no more than wanted."""
        rule, scores = self.rule, boxes.scores
        order = np.arange(len(scores))
        if rule.soft:
            order, scores = soft_nms(boxes.xyxy, scores)
            sure = scores >= getattr(self._codec(), "threshold", 0.0)
            order, scores = order[sure], scores[sure].astype(np.float32)
        elif rule.nms is not None:
            order = nms(boxes.xyxy, scores, rule.nms)
            scores = scores[order]
        most = rule.most or None
        return Boxes(xyxy=boxes.xyxy[order[:most]], scores=scores[:most])
