"""Shape letters and array conventions, stated once.

B batch · N people · K keypoints · E limbs · C channels · H W pixels · h w cells.
Pixel centres are integers; points are (x, y); sizes are (height, width); boxes are xyxy;
images are RGB uint8 H W 3 in [0, 255]. An absent keypoint is NaN in memory, never (0, 0).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

Image = UInt8[np.ndarray, "H W 3"]
"""RGB picture, H W 3, uint8 in [0, 255]."""

Images = Sequence[UInt8[np.ndarray, "_ _ 3"]]
"""RGB pictures, each of its own size."""

FieldMap = Float32[np.ndarray, "B C h w"]
"""One network output for a batch of views, in cells."""

Fields = Mapping[str, np.ndarray]
"""Network outputs by field name; each B C h w (float32)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keypoints:
    """People as a codec decodes them, in the frame of the view.

    Attributes:
        xy: N K 2 float32, view pixels; NaN where a keypoint was not found.
        scores: N K float32, confidence of each keypoint in [0, 1].
        score: N float32, confidence of each person.
    """

    xy: Float32[np.ndarray, "N K 2"]
    scores: Float32[np.ndarray, "N K"]
    score: Float32[np.ndarray, " N"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Boxes:
    """Person boxes, in the frame named by whoever made them.

    Attributes:
        xyxy: N 4 float32, pixels.
        scores: N float32 in [0, 1].
    """

    xyxy: Float32[np.ndarray, "N 4"]
    scores: Float32[np.ndarray, " N"]

    def __len__(self) -> int:
        return len(self.xyxy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a loss compares one field with.

    Attributes:
        value: C h w float32.
        weight: broadcasts to ``value`` (for example C 1 1); 0 where nothing is known.
    """

    value: Float32[np.ndarray, "C h w"]
    weight: Float32[np.ndarray, "Cw hw ww"]
