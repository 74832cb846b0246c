"""Pictures to person boxes: one letterbox view each, one network call for many."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from vitruvian.core.protocols import BoxCodec
from vitruvian.core.types import Boxes, Image, Images
from vitruvian.core.view import View
from vitruvian.image.warp import warp_batch
from vitruvian.runtime.model import Model
from vitruvian.runtime.stopwatch import Stopwatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """Finds people.

    Attributes:
        model: A model whose task is ``detector``.
        conf: Boxes that score lower are nobody; None is the ``threshold`` of the model's codec.
        max_people: Most boxes of one picture; the best stay. 0 keeps all.
        batch: Most pictures of one network call.
        watch: Times the stages ``warp``, ``detect`` and ``decode``.
    """

    model: Model
    conf: float | None = None
    max_people: int = 0
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
            fields = self.model.backend(batch)
        with self.watch("decode"):
            boxes = self._codec().decode(fields, size)
            return [self._in_image(*row) for row in zip(boxes, views, images, strict=True)]

    def _codec(self) -> BoxCodec:
        codec: Any = self.model.metadata.codec
        return codec if self.conf is None else replace(codec, threshold=self.conf)  # type: ignore[no-any-return]

    def _in_image(self, boxes: Boxes, view: View, image: Image) -> Boxes:
        height, width = image.shape[:2]
        corners = view.to_image(boxes.xyxy.reshape(-1, 2, 2))
        corners = corners.clip(-0.5, np.array([width, height]) - 0.5)
        whole = (corners[:, 1] > corners[:, 0]).all(-1)
        kept = np.flatnonzero(whole)[: self.max_people or None]
        return Boxes(
            xyxy=corners.reshape(-1, 4)[kept].astype(np.float32), scores=boxes.scores[kept]
        )
