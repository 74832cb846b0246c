"""Left and right, judged by the poses of the data set itself.

Every pose is moved to its centre and scaled to unit spread; their mean and covariance, with heavy
tails (a Student t), say how likely a pose is. A person whose pose becomes far more likely when left
and right change places was probably labelled that way round. And mirrored people are people: if
mirrored poses, their names exchanged as the skeleton says, become far more likely when the skeleton
says something else, it is the skeleton that is wrong.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int64

from vitruvian.core.skeleton import Skeleton
from vitruvian.datasets.table import pairs_by_name

MIN_KEYPOINTS = 6
"""A person of fewer tells nothing of left and right."""

MIN_PEOPLE = 20
"""People per keypoint without which there is no statistics to speak of."""

SURE = 8.0
"""Gain in log-likelihood above which labels are called exchanged: 3000 times as likely."""

CERTAIN = 16.0
"""Gain above which a repaired copy exchanges them."""

PAIR_GAIN = 1.0
"""The same for pairs of the skeleton: gain of a mirrored pose on average."""

_TAILS = 3.0
"""Degrees of freedom of the t; an odd pose stays odd with any labels, so ratios have to decide."""

_FLOOR = 1e-3
"""Least variance of a direction, in units of the pose's spread."""

Exchange = tuple[tuple[str, str], ...]
"""Pairs of names that change places."""


@dataclass(frozen=True)
class PoseModel:
    """Distribution of centred and scaled poses: mean 2K and covariance 2K 2K."""

    mean: Float[np.ndarray, " D"]
    covariance: Float[np.ndarray, "D D"]

    @cached_property
    def _known(self) -> dict[bytes, tuple[np.ndarray, float]]:
        """Whitening of each set of labelled coordinates that was asked for, and its volume."""
        return {}

    def log_likelihood(self, poses: Float[np.ndarray, "P K 2"]) -> Float[np.ndarray, " P"]:
        """Of each pose's labelled keypoints; comparable between poses of as many of them."""
        rows = poses.reshape(len(poses), -1)
        labelled = ~np.isnan(rows)
        found = np.zeros(len(rows))
        patterns, pattern_of = np.unique(labelled, axis=0, return_inverse=True)
        order = np.argsort(pattern_of, kind="stable")
        ends = np.cumsum(np.bincount(pattern_of.ravel(), minlength=len(patterns)))
        for seen, people in zip(patterns, np.split(order, ends[:-1]), strict=True):
            whiten, volume = self._whitening(seen)
            distance = (((rows[people][:, seen] - self.mean[seen]) @ whiten) ** 2).sum(1)
            exponent = (_TAILS + seen.sum()) / 2
            found[people] = -exponent * np.log1p(distance / _TAILS) - volume
        return found

    def _whitening(self, seen: np.ndarray) -> tuple[np.ndarray, float]:
        key = seen.tobytes()
        if key not in self._known:
            root = np.linalg.cholesky(self.covariance[np.ix_(seen, seen)])
            volume = float(np.log(np.diag(root)).sum())
            self._known[key] = np.linalg.inv(root).T, volume
        return self._known[key]


def normalised(xy: Float[np.ndarray, "P K 2"]) -> Float[np.ndarray, "P K 2"]:
    """Poses about their centre, scaled to unit spread; all NaN where nothing is labelled."""
    seen = ~np.isnan(xy).any(2, keepdims=True)
    count = np.maximum(seen.sum(1, keepdims=True), 1)
    filled = np.where(seen, xy, 0).astype(np.float64)
    moved = np.where(seen, filled - filled.sum(1, keepdims=True) / count, np.nan)
    spread = np.sqrt(np.nansum(moved**2, axis=(1, 2), keepdims=True) / (2 * count))
    return np.asarray(moved / np.maximum(spread, 1e-9))


def pose_model(poses: Float[np.ndarray, "P K 2"]) -> PoseModel:
    """Mean and covariance of normalised poses, of every two coordinates where both are labelled."""
    rows = poses.reshape(len(poses), -1)
    seen = ~np.isnan(rows)
    mean = np.where(seen, rows, 0).sum(0) / np.maximum(seen.sum(0), 1)
    moved = np.where(seen, rows - mean, 0)
    together = seen.T.astype(np.float64) @ seen
    covariance = moved.T @ moved / np.maximum(together, 1)
    # Pairs that were seen at different people need not fit together.
    values, vectors = np.linalg.eigh(covariance)
    return PoseModel(mean=mean, covariance=(vectors * np.maximum(values, _FLOOR)) @ vectors.T)


def judgeable(xy: Float[np.ndarray, "P K 2"]) -> Int64[np.ndarray, " n"]:
    """People with keypoints enough; none where there are too few of them."""
    rows = np.flatnonzero((~np.isnan(xy).any(2)).sum(1) >= min(MIN_KEYPOINTS, xy.shape[1]))
    return rows if len(rows) >= MIN_PEOPLE * xy.shape[1] else rows[:0]


def exchanged(xy: Float[np.ndarray, "P K 2"], bones: Skeleton) -> list[tuple[int, Exchange, float]]:
    """People whose left and right seem exchanged: row, the pairs to change back, and the gain.

    Of several exchanges that help, the one that helps most. All of left and right exchanged is not
    tried: that is how the same pose looks from behind, and the picture alone can tell.
    """
    rows, tried = judgeable(xy), list(exchanges(bones))
    if not len(rows) or not tried:
        return []
    poses = normalised(xy[rows])
    model = pose_model(poses)
    before = model.log_likelihood(poses)
    gains = [model.log_likelihood(poses[:, order_of(bones, pairs)]) - before for pairs in tried]
    best = np.argmax(gains, axis=0)
    found = [(int(rows[n]), tried[k], float(gains[k][n])) for n, k in enumerate(best)]
    return [row for row in found if row[2] > SURE]


def exchanges(bones: Skeleton) -> Iterator[Exchange]:
    """Mistakes to look for: one pair, and a pair with all that hangs on it; never every pair."""
    below: dict[str, list[str]] = {}
    for child, parent in bones.parents:
        below.setdefault(parent, []).append(child)
    pair_of = {name: pair for pair in bones.swaps for name in pair}

    def limb(name: str) -> list[tuple[str, str]]:
        own = [pair_of[name]] if name in pair_of else []
        return own + [pair for child in below.get(name, ()) for pair in limb(child)]

    chains = [tuple(dict.fromkeys(limb(first))) for first, _ in bones.swaps]
    singles = [(pair,) for pair in bones.swaps]
    unique = {frozenset(pairs): pairs for pairs in [*singles, *chains]}
    yield from (pairs for pairs in unique.values() if len(pairs) < len(bones.swaps))


def order_of(bones: Skeleton, pairs: Sequence[tuple[str, str]]) -> Int64[np.ndarray, " K"]:
    """K int64: ``exchanged[k] = original[order[k]]``, the pairs in each other's place."""
    order = np.arange(len(bones))
    for left, right in pairs:
        a, b = bones.index(left), bones.index(right)
        order[a], order[b] = b, a
    return order


def better_pairs(xy: Float[np.ndarray, "P K 2"], bones: Skeleton) -> tuple[Exchange, float]:
    """Left/right pairs under which mirrored poses are likelier, and the gain of a pose on average.

    The start is the skeleton's own pairs, or those that their names suggest if these are likelier;
    then pairs are added, taken away and recombined, the best change first, while one gains at least
    ``PAIR_GAIN``. The skeleton's own pairs and 0 where nothing does, or people are too few.
    """
    rows = judgeable(xy)
    if not len(rows):
        return bones.swaps, 0.0
    model = pose_model(normalised(xy[rows]))
    precision = np.linalg.inv(model.covariance)

    def score(pairs: Exchange) -> float:
        return _mirrored(model, precision, order_of(bones, pairs))

    first = score(bones.swaps)
    pairs = max((bones.swaps, pairs_by_name(bones.keypoints)), key=score)
    now = score(pairs)
    if now < first + PAIR_GAIN:
        pairs, now = bones.swaps, first
    while True:
        options = {option: score(option) for option in _changes(pairs, bones.keypoints)}
        best = max(options, key=lambda option: options[option], default=pairs)
        if options.get(best, now) < now + PAIR_GAIN:
            return pairs, now - first
        pairs, now = best, options[best]


def _mirrored(model: PoseModel, precision: np.ndarray, order: np.ndarray) -> float:
    """Mean log-likelihood of the model's own poses, mirrored, up to a constant."""
    axes = np.stack([2 * order, 2 * order + 1], 1).ravel()
    sign = np.tile([-1.0, 1.0], len(order))
    moved = sign * model.mean[axes] - model.mean
    covariance = sign[:, None] * model.covariance[np.ix_(axes, axes)] * sign
    return float(-((precision * covariance).sum() + moved @ precision @ moved) / 2)


def _changes(pairs: Exchange, names: Sequence[str]) -> Iterator[Exchange]:
    """Pairs with one pair less, one more, or two of them recombined."""
    paired = {name for pair in pairs for name in pair}
    free = [name for name in names if name not in paired]
    for n, (a, b) in enumerate(pairs):
        rest = pairs[:n] + pairs[n + 1 :]
        yield rest
        for m, (c, d) in enumerate(rest[n:], n):
            others = rest[:m] + rest[m + 1 :]
            yield (*others, (a, d), (c, b))
            yield (*others, (a, c), (b, d))
        for name in free:
            yield (*rest, (a, name))
            yield (*rest, (name, b))
    for n, a in enumerate(free):
        for b in free[n + 1 :]:
            yield (*pairs, (a, b))
