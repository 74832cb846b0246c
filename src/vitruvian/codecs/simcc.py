"""Two classifications per keypoint, one over columns and one over rows of sub-pixel bins.

Li, Yang, Liu, Zhang, Wang, Yang, Yang and Zhou, "SimCC: a simple coordinate classification
perspective for human pose estimation", ECCV 2022. The outputs are one row, ``simcc_x``, and one
column, ``simcc_y``, per keypoint; bin b is the coordinate b / ``split``.

Targets: a ``gaussian``, around the nearest bin or (``exact``) around the coordinate itself, with
area 1 (``density``) or peak 1; or ``smooth``, one bin with chance 1 - epsilon and the rest with
what is left.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32, UInt8

from vitruvian.core.errors import ConfigError
from vitruvian.core.fields import Field
from vitruvian.core.skeleton import Skeleton
from vitruvian.core.types import Fields, Keypoints, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Simcc:
    """Coordinate classification of one person.

    Attributes:
        skeleton: Keypoints, one channel each.
        split: Bins per view pixel.
        target: See the module.
        sigma: Standard deviation of the Gaussian along x and y, in bins.
        exact: The Gaussian stands at the coordinate, not at its bin, and counts while it is within
            3 sigma *pixels* of the view (the authors), not bins (MMPose).
        density: The Gaussian has area 1, not peak 1.
        epsilon: Chance that ``smooth`` spreads over the wrong bins.
        softmax: Read chances, not the network's raw values; raw values above 1 score 1.
        score: Of the two values of a keypoint, the lower (``min``) or their mean.
    """

    skeleton: Skeleton
    split: float = 2.0
    target: Literal["gaussian", "smooth"] = "gaussian"
    sigma: tuple[float, float] = (6.0, 6.0)
    exact: bool = False
    density: bool = True
    epsilon: float = 0.1
    softmax: bool = False
    score: Literal["min", "mean"] = "min"

    def __post_init__(self) -> None:
        if self.split <= 0 or min(self.sigma) <= 0 or not 0 <= self.epsilon < 1:
            raise ConfigError(
                f"split {self.split}, sigma {self.sigma}, epsilon {self.epsilon}; give a split and "
                "sigmas above 0, an epsilon in [0, 1)"
            )

    @property
    def fields(self) -> tuple[Field, ...]:
        """A row and a column of bins per keypoint."""
        count = len(self.skeleton)
        return (
            Field(name="simcc_x", channels=count, stride=1, axis="x", bins=self.split),
            Field(name="simcc_y", channels=count, stride=1, axis="y", bins=self.split),
        )

    def encode(
        self,
        xy: Float32[np.ndarray, "K 2"],
        visible: UInt8[np.ndarray, " K"],
        size: tuple[int, int],
    ) -> dict[str, Target]:
        """Targets K 1 w and K h 1 over the bins; weight 0 for what is not labelled or out of view.

        Args:
            xy: K 2 view pixels; NaN where not labelled.
            visible: K; 0 is not labelled.
            size: (H, W) of the view in pixels.
        """
        (_, w), (h, _) = (field.cells(size) for field in self.fields)
        labelled = (visible > 0) & np.isfinite(xy).all(axis=1)
        place = np.where(labelled[:, None], xy, 0).astype(np.float64) * self.split
        if not self.exact:
            place = np.around(place)
        weight = labelled & self._within(place, (w, h))
        rows = [
            (self._row(place[:, i], cells, self.sigma[i]) * weight[:, None]).astype(np.float32)
            for i, cells in enumerate((w, h))
        ]
        weights = weight.astype(np.float32)[:, None, None]
        return {
            "simcc_x": Target(value=rows[0][:, None, :], weight=weights),
            "simcc_y": Target(value=rows[1][:, :, None], weight=weights),
        }

    def decode(self, fields: Fields, size: tuple[int, int]) -> Keypoints:
        """One person per view (N = B); a keypoint that scores no more than 0 is not found: NaN.

        Args:
            fields: B K 1 w and B K h 1.
            size: (H, W) of the view in pixels.
        """
        rows = [fields["simcc_x"][:, :, 0, :], fields["simcc_y"][:, :, :, 0]]
        if self.softmax:
            rows = [_softmax(row) for row in rows]
        best = np.stack([row.argmax(axis=2) for row in rows], axis=2)
        values = np.stack([row.max(axis=2) for row in rows], axis=2)
        score = values.min(axis=2) if self.score == "min" else values.mean(axis=2)
        found = score > 0
        xy = np.where(found[:, :, None], best / self.split, np.nan).astype(np.float32)
        scores = np.clip(score, 0, 1).astype(np.float32)
        return Keypoints(xy=xy, scores=scores, score=scores.mean(axis=1))

    def flip(self, fields: Fields, *, shift: bool = False) -> dict[str, np.ndarray]:
        """Outputs for mirrored views in the frame of the originals.

        Args:
            fields: B K 1 w and B K h 1.
            shift: Move the row one bin to the left (the authors' SHIFT_HEATMAP).
        """
        row = fields["simcc_x"][:, self.skeleton.flip_index, :, ::-1]
        if shift:
            row = np.concatenate([row[..., 1:], row[..., -1:]], axis=-1)
        return {"simcc_x": row, "simcc_y": fields["simcc_y"][:, self.skeleton.flip_index]}

    def _within(self, place: np.ndarray, bins: tuple[int, int]) -> np.ndarray:
        """Whether the target of each keypoint meets the view."""
        if self.target == "smooth":
            return np.asarray(((place >= 0) & (place < bins)).all(axis=1))
        reach = 3 * np.array(self.sigma) * (self.split if self.exact else 1)
        return np.asarray(((place - reach < bins) & (place + reach >= -1)).all(axis=1))

    def _row(self, place: np.ndarray, bins: int, sigma: float) -> np.ndarray:
        """K ``bins``: the target along one side."""
        steps = np.arange(bins)
        if self.target == "smooth":
            wrong = self.epsilon / (bins - 1)
            return np.where(steps == place[:, None], 1 - self.epsilon, wrong)
        row: np.ndarray = np.exp(-((steps - place[:, None]) ** 2) / (2 * sigma**2))
        return row / (sigma * np.sqrt(2 * np.pi)) if self.density else row


def _softmax(row: np.ndarray) -> np.ndarray:
    power = np.exp(row - row.max(axis=-1, keepdims=True))
    return np.asarray(power / power.sum(axis=-1, keepdims=True))
