"""PCP: percentage of correct parts (Ferrari et al. 2008), in its strict, loose and fixed forms."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Float64

from vitruvian.core.skeleton import Skeleton
from vitruvian.metrics.pck import Hits


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A directed limb; an end is the mean of the named keypoints.

    Attributes:
        name: Column of the tables; parts of one name are averaged.
        start: Keypoints whose mean is the first end.
        end: Keypoints whose mean is the second end.
    """

    name: str
    start: tuple[str, ...]
    end: tuple[str, ...]


def _pair(name: str, start: str, end: str) -> tuple[Part, Part]:
    right, left = (
        Part(name=name, start=(f"{side}_{start}",), end=(f"{side}_{end}",))
        for side in ("right", "left")
    )
    return right, left


LSP_PARTS = (
    *_pair("lower leg", "ankle", "knee"),
    *_pair("upper leg", "knee", "hip"),
    *_pair("forearm", "wrist", "elbow"),
    *_pair("upper arm", "elbow", "shoulder"),
    Part(name="head", start=("neck",), end=("head_top",)),
    Part(name="torso", start=("right_hip", "left_hip"), end=("right_shoulder", "left_shoulder")),
)
"""The ten parts of LSP and PARSE."""


def pcp(
    xy: Float[np.ndarray, "P K 2"],
    truth: Float[np.ndarray, "P K 2"],
    skeleton: Skeleton,
    *,
    parts: tuple[Part, ...] = LSP_PARTS,
    rule: Literal["strict", "loose"] = "strict",
    length: Literal["own", "mean"] = "own",
    alpha: float = 0.5,
) -> Hits:
    """Parts whose ends lie within ``alpha`` part lengths of the truth, inclusive.

    Args:
        xy: Predictions, image pixels; a part with an end that was not found is wrong.
        truth: Labels; a part with an end that is not labelled is not counted.
        skeleton: Names of the keypoints.
        parts: Columns of the result.
        rule: ``strict``: both ends; ``loose``: their mean distance (the Buffy toolkit's effect).
        length: Of the true part, or its mean over all people (DeepCut's fixed length).
        alpha: Fraction of the length.
    """
    found, real = (_ends(points.astype(np.float64), skeleton, parts) for points in (xy, truth))
    size = np.linalg.norm(real[:, :, 0] - real[:, :, 1], axis=2)
    counted = ~np.isnan(size)
    if length == "mean":
        size = np.broadcast_to(_column_means(size, counted), size.shape)
    apart = np.linalg.norm(found - real, axis=3)
    apart = apart.max(2) if rule == "strict" else apart.mean(2)
    # NaN, an end that was not found, compares false.
    return Hits(correct=(apart <= alpha * size) & counted, counted=counted)


def pcp_table(hits: Hits, parts: tuple[Part, ...] = LSP_PARTS) -> dict[str, float]:
    """Share per part name (left and right averaged) and their mean over all parts, in [0, 1]."""
    shares = hits.joints
    names = dict.fromkeys(part.name for part in parts)
    rows = {n: float(shares[[p.name == n for p in parts]].mean()) for n in names}
    return {**rows, "mean": hits.pooled}


def _ends(
    points: Float64[np.ndarray, "P K 2"], skeleton: Skeleton, parts: tuple[Part, ...]
) -> Float64[np.ndarray, "P E 2 2"]:
    def at(names: tuple[str, ...]) -> np.ndarray:
        middle: np.ndarray = points[:, [skeleton.index(name) for name in names]].mean(1)
        return middle

    return np.stack([np.stack([at(p.start), at(p.end)], 1) for p in parts], 1)


def _column_means(size: np.ndarray, counted: np.ndarray) -> np.ndarray:
    means: np.ndarray = np.where(counted, size, 0).sum(0) / np.maximum(counted.sum(0), 1)
    return means
