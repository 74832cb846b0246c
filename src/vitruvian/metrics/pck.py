"""PCK: the share of keypoints within a fraction of a reference length of the truth.

Yang & Ramanan 2013; Sapp & Taskar 2013 for the torso. Papers differ in the length, in ``<=`` or
``<`` and in the average, so the caller names all three.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64

from vitruvian.core.errors import InputError
from vitruvian.core.skeleton import Skeleton


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """What was right among what counts; a column per keypoint or limb.

    Attributes:
        correct: P K bool; never where ``counted`` is not.
        counted: P K bool; the truth is labelled and has a reference length.
    """

    correct: Bool[np.ndarray, "P K"]
    counted: Bool[np.ndarray, "P K"]

    @property
    def joints(self) -> Float64[np.ndarray, " K"]:
        """K shares in [0, 1]; NaN where nothing counts."""
        total = self.counted.sum(0)
        share = np.full(len(total), np.nan)
        np.divide(self.correct.sum(0), total, out=share, where=total > 0)
        return share

    @property
    def pooled(self) -> float:
        """Share over all keypoints of all people; NaN where nothing counts."""
        total = int(self.counted.sum())
        return float(self.correct.sum() / total) if total else float("nan")

    @property
    def mean(self) -> float:
        """Mean of :attr:`joints`, those without a label left out."""
        joints = self.joints[self.counted.any(0)]
        return float(joints.mean()) if len(joints) else float("nan")

    def only(self, columns: list[int]) -> "Hits":
        """The chosen keypoints."""
        return Hits(correct=self.correct[:, columns], counted=self.counted[:, columns])


def pck(
    xy: Float[np.ndarray, "P K 2"],
    truth: Float[np.ndarray, "P K 2"],
    reference: Float[np.ndarray, " P"],
    *,
    alpha: float = 0.2,
    inclusive: bool = True,
) -> Hits:
    """Keypoints within ``alpha`` times each person's reference length of the truth.

    Args:
        xy: Predictions, image pixels; NaN is a miss.
        truth: Labels, image pixels; NaN is not counted.
        reference: Length in pixels; a person without one (NaN or 0) is not counted.
        alpha: Fraction of the length.
        inclusive: ``<=`` (MPII, LSP and J-HMDB tools) or ``<`` (mmpose, pytorch-pose).
    """
    distance = normalised_distance(xy, truth, reference)
    close = distance <= alpha if inclusive else distance < alpha
    return Hits(correct=close, counted=~np.isnan(distance))


def normalised_distance(
    xy: Float[np.ndarray, "P K 2"],
    truth: Float[np.ndarray, "P K 2"],
    reference: Float[np.ndarray, " P"],
) -> Float64[np.ndarray, "P K"]:
    """Distance over reference length; NaN where it does not count, infinite where none was found.

    Raises:
        InputError: The shapes do not fit each other.
    """
    if xy.shape != truth.shape or reference.shape != truth.shape[:1]:
        raise InputError(
            f"predictions {xy.shape}, truth {truth.shape} and reference {reference.shape} do not "
            "fit; give P K 2, P K 2 and P"
        )
    length = np.where(reference > 0, reference, np.nan).astype(np.float64)[:, None]
    distance = np.linalg.norm(xy.astype(np.float64) - truth, axis=2)
    missed = np.isnan(xy).any(2) & ~np.isnan(truth).any(2) & ~np.isnan(length)
    return np.where(missed, np.inf, distance / length)


def torso_length(
    truth: Float[np.ndarray, "P K 2"],
    skeleton: Skeleton,
    ends: tuple[str, str] = ("left_shoulder", "right_hip"),
) -> Float64[np.ndarray, " P"]:
    """Left shoulder to right hip, the torso of LSP, FLIC and PDJ; NaN where one is not labelled."""
    first, last = (truth[:, skeleton.index(name)].astype(np.float64) for name in ends)
    length: np.ndarray = np.linalg.norm(first - last, axis=1)
    return length


def box_length(boxes: Float[np.ndarray, "P 4"]) -> Float64[np.ndarray, " P"]:
    """Longer side of each xyxy box, the reference of PARSE, J-HMDB and Penn Action."""
    length: np.ndarray = (boxes[:, 2:] - boxes[:, :2]).max(1).astype(np.float64)
    return length


def auc(distance: Float[np.ndarray, "P K"], *, limit: float = 0.5, step: float = 0.01) -> float:
    """Area under the pooled PCK curve over 0, step, … limit, scaled to [0, 1] (MPII toolkit)."""
    alphas = np.arange(round(limit / step) + 1) * step
    return float(np.trapezoid(curve(distance, alphas), alphas) / limit)


def curve(
    distance: Float[np.ndarray, "*rest"], alphas: Float[np.ndarray, " A"]
) -> Float64[np.ndarray, " A"]:
    """Pooled PCK at each threshold, inclusive, of :func:`normalised_distance`."""
    counted = np.sort(distance[~np.isnan(distance)])
    # A decimal threshold such as 0.3 and an equal distance may differ in the last bit.
    within = np.searchsorted(counted, alphas + 1e-12, side="right").astype(np.float64)
    return within / len(counted) if len(counted) else np.full(len(alphas), np.nan)
