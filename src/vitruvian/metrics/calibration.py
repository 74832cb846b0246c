"""Do keypoint scores say how often keypoints are right? Reliability, and a calibration that fits.

Guo et al., "On calibration of modern neural networks", ICML 2017; for pose Gu et al., "On the
calibration of human pose estimation", ICML 2024. The calibration is isotonic regression (Zadrozny
and Elkan 2002), thinned to a few knots.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64

from vitruvian.core.calibration import Calibration
from vitruvian.core.errors import InputError

BINS = 10
KNOTS = 12
"""Most knots of a fitted calibration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """Scores against what came true, in bins of equal width.

    Attributes:
        confidence: Mean score of each bin; NaN where it is empty.
        accuracy: Share of each bin that was right; NaN where it is empty.
        count: Keypoints of each bin.
        ece: Expected calibration error: the mean gap, weighted by the counts.
        worst: The largest gap.
        brier: Mean squared difference of score and outcome.
    """

    confidence: tuple[float, ...]
    accuracy: tuple[float, ...]
    count: tuple[int, ...]
    ece: float
    worst: float
    brier: float


def reliability(
    scores: Float[np.ndarray, " P"], right: Bool[np.ndarray, " P"], *, bins: int = BINS
) -> Reliability:
    """Reliability of ``scores`` in [0, 1]; a score of 1 falls into the last bin.

    Raises:
        InputError: There are none, or one lies outside of [0, 1].
    """
    scores = _checked(scores)
    at = np.minimum((scores * bins).astype(int), bins - 1)
    count = np.bincount(at, minlength=bins)
    filled = np.maximum(count, 1)
    confidence = np.bincount(at, scores, bins) / filled
    accuracy = np.bincount(at, right, bins) / filled
    gap = np.abs(confidence - accuracy)
    return Reliability(
        confidence=tuple(np.where(count > 0, confidence, np.nan).tolist()),
        accuracy=tuple(np.where(count > 0, accuracy, np.nan).tolist()),
        count=tuple(count.tolist()),
        ece=float((gap * count).sum() / count.sum()),
        worst=float(gap.max()),
        brier=float(((scores - right) ** 2).mean()),
    )


def fit(scores: Float[np.ndarray, " P"], right: Bool[np.ndarray, " P"]) -> Calibration:
    """The calibration that best explains which keypoints were right.

    Raises:
        InputError: There are none, or one lies outside of [0, 1].
    """
    scores = _checked(scores)
    order = np.argsort(scores, kind="stable")
    groups = np.array_split(order, min(len(order), 10 * KNOTS))
    x = np.array([scores[group].mean() for group in groups])
    y = isotonic(
        np.array([right[group].mean() for group in groups]),
        np.array([len(group) for group in groups], float),
    )
    kept = np.unique(np.linspace(0, len(x) - 1, KNOTS).round().astype(int))
    x, first = np.unique(x[kept].round(6), return_index=True)
    return Calibration(scores=tuple(x.tolist()), chances=tuple(y[kept][first].round(6).tolist()))


def isotonic(
    values: Float[np.ndarray, " P"], weights: Float[np.ndarray, " P"]
) -> Float64[np.ndarray, " P"]:
    """The values that never fall and are closest by weighted squares: pool adjacent violators."""
    pools: list[tuple[float, float, int]] = []  # mean, weight, length
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        mean, length = value, 1
        while pools and pools[-1][0] > mean:
            other, mass, size = pools.pop()
            mean = (mean * weight + other * mass) / (weight + mass)
            weight, length = weight + mass, length + size
        pools.append((mean, weight, length))
    return np.repeat([mean for mean, _, _ in pools], [length for _, _, length in pools])


def held_out(
    scores: Float[np.ndarray, " P"],
    right: Bool[np.ndarray, " P"],
    groups: Sequence[int],
    *,
    parts: int = 5,
) -> Float64[np.ndarray, " P"]:
    """Chances of every keypoint by a calibration fitted without its group.

    Args:
        scores: P scores in [0, 1].
        right: P outcomes.
        groups: The picture of each, which is never split.
        parts: Number of parts that the groups are dealt to.
    """
    names, at = np.unique(np.asarray(groups), return_inverse=True)
    part = np.random.default_rng(0).permutation(len(names))[at] % parts
    chances = np.empty(len(scores))
    for i in np.unique(part):
        here = part == i
        rest = ~here if (~here).any() else here
        found = fit(scores[rest], right[rest])
        chances[here] = found(scores[here, None].astype(np.float32))[:, 0]
    return chances


def _checked(scores: np.ndarray) -> Float64[np.ndarray, " P"]:
    scores = scores.astype(np.float64)
    if not len(scores) or not ((scores >= 0) & (scores <= 1)).all():
        raise InputError(
            f"{len(scores)} scores from {np.min(scores, initial=np.inf):g} to "
            f"{np.max(scores, initial=-np.inf):g}; calibration needs some, all in [0, 1]"
        )
    return scores
