"""People whose keypoints the network locates itself (RTMO).

Which cells answer for whom depends on what the network answers, so targets are the people
themselves: ``train/joint_losses.py``.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

from vitruvian.codecs.roi_keypoints import padded_people, real_people
from vitruvian.core.errors import ConfigError
from vitruvian.core.fields import Field
from vitruvian.core.skeleton import Skeleton
from vitruvian.core.types import Fields, Keypoints, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """Everybody of a view as a box with a score, and keypoints with visibilities.

    Attributes:
        skeleton: Names the keypoints K.
        people: Number of people D that the network answers.
        threshold: Who scores less is nobody.
        most: Largest number of people of a view that are learnt from.
    """

    skeleton: Skeleton
    people: int = 50
    threshold: float = 0.1
    most: int = 100

    @property
    def fields(self) -> tuple[Field, ...]:
        """``person``: xyxy. ``chance``: in [0, 1]. ``keypoint``: x, y and visibility of each."""
        return (
            Field(name="person", channels=4, stride=0, rows=self.people),
            Field(name="chance", channels=1, stride=0, rows=self.people),
            Field(name="keypoint", channels=3 * len(self.skeleton), stride=0, rows=self.people),
        )

    def encode(
        self,
        xy: Float32[np.ndarray, "N K 2"],
        visible: UInt8[np.ndarray, "N K"],
        size: tuple[int, int],
        *,
        boxes: Float32[np.ndarray, "N 4"],
        trust: Float32[np.ndarray, "H W"],
    ) -> dict[str, Target]:
        """See :func:`~vitruvian.codecs.roi_keypoints.padded_people`."""
        return padded_people(xy, visible, size, boxes=boxes, trust=trust, most=self.most)

    def decode(self, fields: Fields, size: tuple[int, int]) -> list[Keypoints]:
        """The people of each view, best first; ``xy`` in view pixels."""
        found = []
        rows = (fields[name][..., 0] for name in ("person", "chance", "keypoint"))
        for boxes, chance, keypoints in zip(*rows, strict=True):
            points = keypoints.T.reshape(-1, len(self.skeleton), 3)
            good = real_people(boxes.T, chance[0], self.threshold)
            good = good[np.isfinite(points[good]).all(axis=(1, 2))]
            xy, seen = points[good, :, :2].copy(), points[good, :, 2].copy()
            found.append(Keypoints(xy=xy, scores=seen, score=chance[0, good]))
        return found

    def flip(self, fields: Fields) -> dict[str, np.ndarray]:
        """Refused: the people of a mirrored view are others, and cannot be averaged.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError("people that are located one by one have no flip test; leave it False")
