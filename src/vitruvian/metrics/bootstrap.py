"""Intervals by resampling people: the percentile bootstrap (Efron & Tibshirani 1993)."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Real

from vitruvian.core.errors import InputError

RESAMPLES = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A number and where it would lie had other people been drawn.

    Attributes:
        value: Of the people at hand.
        low: Lower end, NaN where nobody counts.
        high: Upper end.
        people: Number of people that count.
    """

    value: float
    low: float
    high: float
    people: int


def interval(
    correct: Real[np.ndarray, " P"],
    counted: Real[np.ndarray, " P"],
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
) -> Interval:
    """Interval of sum(correct) / sum(counted), people resampled with replacement.

    Args:
        correct: What each person adds to the numerator, for example right keypoints.
        counted: What each adds to the denominator; 0 leaves the person out.
        rng: Source of the resamples.
        level: Coverage.
        resamples: Number of resamples.
    """
    used = counted > 0
    correct, counted = correct[used].astype(np.float64), counted[used].astype(np.float64)
    if not len(counted):
        return Interval(value=float("nan"), low=float("nan"), high=float("nan"), people=0)
    drawn = _ratios(np.stack([correct, counted], 1), rng, resamples)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    value = float(correct.sum() / counted.sum())
    return Interval(value=value, low=float(low), high=float(high), people=len(counted))


def paired_interval(
    first: Real[np.ndarray, "P 2"],
    second: Real[np.ndarray, "P 2"],
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
) -> Interval:
    """Interval of the second ratio minus the first, the same people drawn for both.

    Args:
        first: (correct, counted) of each person under A.
        second: The same people's under B.
        rng: Source of the resamples.
        level: Coverage.
        resamples: Number of resamples.

    Raises:
        InputError: The two do not hold the same number of people.
    """
    if first.shape != second.shape:
        raise InputError(f"{len(first)} people against {len(second)}; compare the same people")
    used = (first[:, 1] > 0) & (second[:, 1] > 0)
    if not used.any():
        return Interval(value=float("nan"), low=float("nan"), high=float("nan"), people=0)
    both = np.concatenate([first[used], second[used]], 1).astype(np.float64)
    drawn = _ratios(both, rng, resamples)
    low, high = np.quantile(drawn[:, 1] - drawn[:, 0], [(1 - level) / 2, (1 + level) / 2])
    sums = both.sum(0)
    value = float(sums[2] / sums[3] - sums[0] / sums[1])
    return Interval(value=value, low=float(low), high=float(high), people=int(used.sum()))


def _ratios(
    rows: Float64[np.ndarray, "P C"], rng: np.random.Generator, resamples: int
) -> np.ndarray:
    """Each resample's column sums, even columns over odd ones: ``resamples`` C/2."""
    count = len(rows)
    sums = np.stack([rows[rng.integers(0, count, count)].sum(0) for _ in range(resamples)])
    ratios: np.ndarray = sums[:, ::2] / sums[:, 1::2]
    return ratios
