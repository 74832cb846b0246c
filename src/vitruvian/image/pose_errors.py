"""Poses with the errors that pose estimators make, drawn from a labelled pose.

Moon, Chang and Lee, "PoseFix: model-agnostic general human pose refinement network", CVPR 2019,
section 4, after the statistics of Ronchi and Perona, ICCV 2017. Every keypoint is drawn from one of
five states. How far it may lie from a point is stated by the keypoint's OKS with that point:

- good: OKS above .85 with the label;
- jitter: between .85 and .5;
- inversion: above .5 with the label of the mirrored keypoint;
- swap: above .5 with that of the same keypoint, or of its mirror, of somebody else;
- miss: between .5 and .1 with any of these, and below .5 with all others.

A point that is nearer to another of these labels than to its own belongs to that one's state and is
not drawn.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from vitruvian.core.skeleton import Skeleton

STATES = ("jitter", "miss", "inversion", "swap", "good")
"""The order of the columns of :func:`chances`."""

_DRAWS = 500
"""Points drawn for a state before those are dropped that belong to another one."""


def spoiled(
    xy: Float[np.ndarray, "K 2"],
    others: Float[np.ndarray, "M K 2"],
    area: float,
    skeleton: Skeleton,
    rng: np.random.Generator,
    *,
    elsewhere: Float[np.ndarray, "K 2"] | None = None,
    overlap: int | None = None,
) -> Float64[np.ndarray, "K 2"]:
    """A pose as an estimator might have found it, in the frame of ``xy``.

    Args:
        xy: Labels, pixels; NaN where not labelled.
        others: Labels of the people around, pixels of the same frame; NaN where not labelled.
        area: The person's, square pixels of the same frame.
        skeleton: Names, mirror pairs and OKS sigmas of the keypoints.
        rng: Source of every choice.
        elsewhere: Where another estimator sees the keypoints that are not labelled; without it they
            stay NaN.
        overlap: Number of people whose boxes overlap this one's; all ``others`` without it.

    Raises:
        InputError: The skeleton has no OKS sigmas.
    """
    labelled = np.isfinite(xy).all(axis=1)
    pose = xy.astype(np.float64)
    if elsewhere is not None:
        pose[~labelled] = elsewhere[~labelled]
    reach = _reach(area, skeleton.oks_sigmas)
    overlap = len(others) if overlap is None else overlap
    chance = chances(skeleton, int(labelled.sum()), overlap)
    for joint, mirror in enumerate(skeleton.flip_index):
        paired = mirror != joint
        # The authors invert to where the mirrored keypoint was just put, not to its label.
        inverted = pose[[mirror]] if paired and labelled[mirror] else np.empty((0, 2))
        crossed = others[:, mirror] if paired else np.empty((0, 2))
        rivals = _Rivals(
            own=pose[joint],
            swapped=_present(others[:, joint]),
            inverted=_present(inverted),
            crossed=_present(crossed),
        )
        if np.isfinite(rivals.own).all():
            pose[joint] = _drawn(rivals, reach[joint], chance[joint], rng)
    return pose


def chances(skeleton: Skeleton, labelled: int, overlap: int) -> Float64[np.ndarray, "K 5"]:
    """Probability of each of :data:`STATES` for each keypoint (Moon et al., section 4 and code).

    Args:
        skeleton: Keypoints go by their names; what is neither of the face nor of the legs counts as
            upper body.
        labelled: Number of labelled keypoints of the person.
        overlap: Number of people whose boxes overlap the person's.
    """
    few = 0 if labelled <= 5 else 1 if labelled <= 10 else 2
    crowded = (labelled <= 10 and overlap > 0) or (labelled <= 15 and overlap >= 3)
    rows = []
    for name in skeleton.keypoints:
        face = _is(name, "nose", "eye", "ear", "head")
        legs = _is(name, "hip", "knee", "ankle", "pelvis", "toe", "heel")
        jitter = 0.10 if _is(name, "nose", "knee", "ankle") else 0.20 if "hip" in name else 0.15
        jitter += 0.05 * (labelled <= 10)
        ends = (0.20, 0.13, 0.05) if _is(name, "shoulder", "ankle") else (0.25, 0.15, 0.10)
        miss = ((0.15, 0.10, 0.02) if face else ends)[few]
        inversion = 0.01 if face else 0.06 if legs else 0.03
        apart, among = (0.01, 0.02) if face else (0.03, 0.10) if legs else (0.06, 0.15)
        swap = among if crowded else apart
        rows.append((jitter, miss, inversion, swap, 1 - jitter - miss - inversion - swap))
    return np.array(rows)


def _is(name: str, *parts: str) -> bool:
    return any(part in name for part in parts)


def _reach(area: float, sigmas: np.ndarray) -> np.ndarray:
    """K 3: distances at which the OKS of one keypoint is .85, .5 and .1."""
    variance = (2 * sigmas.astype(np.float64)) ** 2
    distances: np.ndarray = np.sqrt(-2 * area * variance[:, None] * np.log([0.85, 0.5, 0.1]))
    return distances


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rivals:
    """What a keypoint can be taken for: itself (2), and N 2 points of each other kind."""

    own: np.ndarray
    swapped: np.ndarray
    inverted: np.ndarray
    crossed: np.ndarray


def _drawn(
    rivals: _Rivals, reach: np.ndarray, chance: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """One keypoint (x, y); NaN where no state has a point that is its own."""
    good, half, tenth = reach
    points = np.concatenate([rivals.own[None], rivals.swapped, rivals.inverted, rivals.crossed])
    mirror = 1 + len(rivals.swapped)
    # Without a mirrored label the authors take the first point that follows for it.
    mine = [row for row in (0, mirror) if row < len(points)]
    theirs = [row for row in range(len(points)) if row not in mine]
    found = np.full((len(STATES), 2), np.nan)
    found[0] = _any(_ring(points, 0, (good, half), _DRAWS, rng), rng)
    found[1] = _any(_missed(points, (half, tenth), rng), rng)
    if len(rivals.inverted):
        found[2] = _any(_ring(points, mirror, (0.0, half), _DRAWS, rng), rng)
    if len(rivals.swapped) or len(rivals.crossed):
        rings = [_ring(points, row, (0.0, half), _DRAWS, rng, rivals=mine) for row in theirs]
        found[3] = _any(np.concatenate([np.empty((0, 2)), *rings]), rng)
    found[4] = _any(_ring(points, 0, (0.0, good), _DRAWS // 4, rng), rng)
    chance = np.where(np.isfinite(found[:, 0]), chance, 0)
    if not chance.any():
        return np.full(2, np.nan)
    state: np.ndarray = found[rng.choice(len(STATES), p=chance / chance.sum())]
    return state


def _missed(
    points: np.ndarray, between: tuple[float, float], rng: np.random.Generator
) -> np.ndarray:
    """N 2: around every point; a quarter of those around points that are not the keypoint's own."""
    rings = []
    for row in range(len(points)):
        ring = _ring(points, row, between, 4 * _DRAWS, rng, apart=between[0])
        if row and len(ring):
            ring = ring[rng.choice(len(ring), size=len(ring) // 4)]
        rings.append(ring)
    return np.concatenate(rings)


def _ring(
    points: np.ndarray,
    row: int,
    between: tuple[float, float],
    count: int,
    rng: np.random.Generator,
    *,
    apart: float | None = None,
    rivals: list[int] | None = None,
) -> np.ndarray:
    """N 2: draws at a distance ``between`` two limits from one of the points.

    Those stay that are farther than that, or than ``apart``, from all other points, or ``rivals``.
    """
    angle = rng.uniform(0, 2 * np.pi, count)
    radius = rng.uniform(*between, count)
    drawn = points[row] + radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    others = [r for r in (range(len(points)) if rivals is None else rivals) if r != row]
    distance = np.linalg.norm(drawn[:, None] - points[others], axis=2)
    limit = radius[:, None] if apart is None else apart
    kept: np.ndarray = drawn[(distance > limit).all(axis=1)]
    return kept


def _any(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One of the points, NaN if there are none."""
    chosen: np.ndarray = points[rng.integers(len(points))] if len(points) else np.full(2, np.nan)
    return chosen


def _present(points: np.ndarray) -> np.ndarray:
    kept: np.ndarray = points[np.isfinite(points).all(axis=1)].astype(np.float64)
    return kept
