"""Boxes as a detector would have drawn them, to train with (PGPG).

Fang, Xie, Tai and Lu, "RMPE: regional multi-person pose estimation", ICCV 2017, section 3.4: how
far a detected box is from the true one depends on the person's pose. Poses are clustered into
atomic ones, each with a Gaussian mixture of the offsets of its boxes; for training, boxes are drawn
from the mixture of the person's atomic pose.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Float32

from vitruvian.core.errors import InputError
from vitruvian.core.skeleton import Skeleton

Four = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offsets:
    """A Gaussian of x0, y0, x1, y1 of a detected box less the true ones', over its sides.

    Attributes:
        mean: In units of the true box's width, height, width, height.
        deviation: Of each, in the same units.
        weight: Share in the mixture.
    """

    mean: Four
    deviation: Four
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Atom:
    """An atomic pose and the mixture of its boxes.

    Attributes:
        offsets: The mixture.
        pose: K (x, y), as :func:`upright` makes them; empty for any pose.
    """

    offsets: tuple[Offsets, ...]
    pose: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposals:
    """How to draw boxes; the default is AlphaPose's one Gaussian for all poses.

    Attributes:
        atoms: Atomic poses.
        patch: Share of boxes that are instead part of the true one, each side 1 - ``patch`` to 1
            of it.
    """

    atoms: tuple[Atom, ...] = field(
        default=(
            Atom(
                offsets=(
                    Offsets(
                        mean=(-0.0142, 0.0043, 0.0154, -0.0013),
                        deviation=(0.1158, 0.068, 0.1337, 0.0711),
                    ),
                )
            ),
        )
    )
    patch: float = 0.15


def proposed(
    box: Float[np.ndarray, " 4"],
    size: tuple[int, int],
    rule: Proposals,
    rng: np.random.Generator,
    *,
    pose: Float[np.ndarray, "K 2"] | None = None,
) -> Float32[np.ndarray, " 4"]:
    """A box that a detector might have drawn.

    Args:
        box: The true one, xyxy in image pixels.
        size: (H, W) of the image.
        rule: How to draw.
        rng: Source of every choice.
        pose: :func:`upright`, NaN where absent; needed where there are several atomic poses.
    """
    low, high = box[:2].astype(np.float64), box[2:].astype(np.float64)
    extent, share = high - low, rng.random()
    if share > 1 - rule.patch:
        across, down = rng.random(), rng.random()
        low = low + np.array([across, down]) * (1 - share) * extent
        high = low + share * extent + 1
    else:
        mixture = _nearest(rule.atoms, pose).offsets
        chosen = mixture[0]
        if len(mixture) > 1:
            weights = np.array([part.weight for part in mixture])
            chosen = mixture[rng.choice(len(mixture), p=weights / weights.sum())]
        moved = rng.normal(chosen.mean, chosen.deviation) * np.tile(extent, 2)
        low, high = low + moved[:2], high + moved[2:]
    last = np.array(size[::-1]) - 3
    low = np.clip(low, 1, last)
    return np.concatenate([low, np.clip(np.maximum(high, low + 2), 3, last)]).astype(np.float32)


def _nearest(atoms: tuple[Atom, ...], pose: np.ndarray | None) -> Atom:
    if len(atoms) == 1 or pose is None or np.isnan(pose).all():
        return atoms[0]
    apart = [np.nanmean((np.array(atom.pose) - pose) ** 2) for atom in atoms]
    return atoms[int(np.argmin(apart))]


def upright(xy: Float[np.ndarray, "N K 2"], skeleton: Skeleton) -> Float[np.ndarray, "N K 2"]:
    """Poses around the middle of the torso, its length 1; all NaN where the torso is not labelled.

    Args:
        xy: Pixels; NaN where absent.
        skeleton: Has both shoulders and both hips.

    Raises:
        UnknownName: It has not.
    """
    ends = [
        xy[:, [skeleton.index(f"left_{part}"), skeleton.index(f"right_{part}")]].mean(axis=1)
        for part in ("shoulder", "hip")
    ]
    length = np.linalg.norm(ends[0] - ends[1], axis=1)
    length = np.where(length > 0, length, np.nan)
    poses: np.ndarray = (xy - (ends[0] + ends[1])[:, None] / 2) / length[:, None, None]
    return poses


def learnt(
    xy: Float[np.ndarray, "N K 2"],
    boxes: Float[np.ndarray, "N 4"],
    found: Float[np.ndarray, "N 4"],
    skeleton: Skeleton,
    rng: np.random.Generator,
    *,
    atoms: int = 8,
    components: int = 2,
    patch: float = 0.15,
) -> Proposals:
    """How a detector's boxes differ from true ones, by pose (section 3.4).

    Args:
        xy: Labels, pixels; NaN where absent. People without a labelled torso are left out.
        boxes: True boxes, xyxy pixels.
        found: The detector's boxes of the same people.
        skeleton: Has both shoulders and both hips.
        rng: Source of the first guesses.
        atoms: Number of atomic poses.
        components: Gaussians in each one's mixture.
        patch: See :class:`Proposals`.

    Raises:
        InputError: There are fewer people than atomic poses.
    """
    poses = upright(xy, skeleton)
    used = ~np.isnan(poses).all(axis=(1, 2))
    if used.sum() < atoms:
        raise InputError(
            f"{used.sum()} people with labelled torsos for {atoms} atomic poses; give more people "
            "or ask for fewer poses"
        )
    poses, boxes, found = poses[used], boxes[used], found[used]
    offset = (found - boxes) / np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    # A keypoint that is absent stands where it does on average.
    absent = np.isnan(poses)
    mean = np.where(absent, 0, poses).sum(axis=0) / np.maximum((~absent).sum(axis=0), 1)
    flat = np.where(absent, mean, poses).reshape(len(poses), -1)
    centres, label = _clusters(flat, atoms, rng)
    return Proposals(
        atoms=tuple(
            Atom(
                pose=tuple((float(x), float(y)) for x, y in centres[atom].reshape(-1, 2)),
                offsets=_mixture(offset[label == atom], components, rng),
            )
            for atom in range(atoms)
            if (label == atom).any()
        ),
        patch=patch,
    )


def _clusters(
    values: np.ndarray, count: int, rng: np.random.Generator, *, rounds: int = 50
) -> tuple[np.ndarray, np.ndarray]:
    """k-means from starts that are drawn apart (Arthur and Vassilvitskii 2007).

    Args:
        values: N D.
        count: Number of clusters.
        rng: Source of the starts.
        rounds: Most rounds.

    Returns:
        Centres, count D, and the cluster of each value, N.
    """
    centres = values[rng.choice(len(values), 1)]
    while len(centres) < count:
        apart = _squares(values, centres).min(axis=1) + 1e-12
        drawn = values[rng.choice(len(values), 1, p=apart / apart.sum())]
        centres = np.concatenate([centres, drawn])
    label = _squares(values, centres).argmin(axis=1)
    for _ in range(rounds):
        used = [cluster for cluster in range(count) if (label == cluster).any()]
        for cluster in used:
            centres[cluster] = values[label == cluster].mean(axis=0)
        before, label = label, _squares(values, centres).argmin(axis=1)
        if np.array_equal(before, label):
            break
    return centres, label


def _squares(values: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """N M squared distances."""
    sums = (values**2).sum(axis=1)[:, None] + (centres**2).sum(axis=1)
    squares: np.ndarray = np.maximum(sums - 2 * values @ centres.T, 0)
    return squares


def _mixture(
    values: np.ndarray, components: int, rng: np.random.Generator, *, rounds: int = 50
) -> tuple[Offsets, ...]:
    """Gaussians with diagonal covariance, fitted to N 4 values by expectation maximisation."""
    count = min(components, len(values))
    mean = values[rng.choice(len(values), count, replace=False)]
    spread = np.tile(values.std(axis=0) + 1e-3, (count, 1))
    weight = np.full(count, 1 / count)
    for _ in range(rounds):
        apart = ((values[:, None] - mean) / spread) ** 2
        log = np.log(weight) - np.log(spread).sum(axis=1) - apart.sum(axis=2) / 2
        chance = np.exp(log - log.max(axis=1, keepdims=True))
        chance /= chance.sum(axis=1, keepdims=True)
        total = chance.sum(axis=0) + 1e-9
        mean = (chance.T @ values) / total[:, None]
        variance = (chance.T @ values**2) / total[:, None] - mean**2
        spread, weight = np.sqrt(np.maximum(variance, 1e-6)), total / total.sum()
    return tuple(
        Offsets(mean=_four(m), deviation=_four(s), weight=float(w))
        for m, s, w in zip(mean, spread, weight, strict=True)
    )


def _four(values: np.ndarray) -> Four:
    a, b, c, d = map(float, values)
    return a, b, c, d
