"""Sample: one picture with everything that is known about its people."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from vitruvian.core.skeleton import Skeleton


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Labels of one picture (pixels are read when needed, never held here).

    Attributes:
        path: The picture's file.
        size: (H, W) in pixels.
        skeleton: Names and order of the K keypoints.
        xy: N K 2 float32, image pixels; NaN where not labelled.
        visible: N K uint8; 0 not labelled, 1 labelled but hidden, 2 visible (COCO).
        boxes: N 4 float32 xyxy, image pixels.
        area: N float32, person area in square pixels (the OKS scale).
        crowd: N bool; the row is a region of unseparated people: ignore, never train on.
        fully_annotated: False when other, unlabelled people may be in the picture.
        image_id: Identifier in its data set.
        ids: N int64, annotation identifiers.
        source: Name of the data set the picture came from.
    """

    path: str
    size: tuple[int, int]
    skeleton: Skeleton
    xy: Float32[np.ndarray, "N K 2"]
    visible: UInt8[np.ndarray, "N K"]
    boxes: Float32[np.ndarray, "N 4"]
    area: Float32[np.ndarray, " N"]
    crowd: Bool[np.ndarray, " N"]
    fully_annotated: bool = True
    image_id: int = 0
    ids: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    source: str = ""

    def __len__(self) -> int:
        return len(self.boxes)
