"""PCKh of MPII (Andriluka et al. 2014): PCK with a share of the head rectangle as its length."""

from typing import Literal

import numpy as np
from jaxtyping import Float, Float64

from vitruvian.core.skeleton import Skeleton
from vitruvian.metrics.pck import Hits, pck

EXCLUDED = ("pelvis", "thorax")
"""Joints the official evaluation leaves out."""

PARTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")


def head_length(boxes: Float[np.ndarray, "P 4"]) -> Float64[np.ndarray, " P"]:
    """0.6 of the diagonal of each xyxy head rectangle, pixels."""
    diagonal: np.ndarray = np.linalg.norm((boxes[:, 2:] - boxes[:, :2]).astype(np.float64), axis=1)
    return 0.6 * diagonal


def pckh(
    xy: Float[np.ndarray, "P K 2"],
    truth: Float[np.ndarray, "P K 2"],
    heads: Float[np.ndarray, "P 4"],
    skeleton: Skeleton,
    *,
    alpha: float = 0.5,
    inclusive: bool = True,
) -> Hits:
    """Keypoints within ``alpha`` head lengths of the truth; pelvis and thorax do not count.

    Args:
        xy: Predictions, image pixels; NaN is a miss.
        truth: Labels, hidden ones included; NaN is not counted.
        heads: Head rectangles, xyxy.
        skeleton: Names of the keypoints.
        alpha: 0.5 is the common one. "PCKh@0.1" of HRNet's script is really 0.11.
        inclusive: ``<=`` (official) or ``<`` (mmpose, pytorch-pose).
    """
    counts = np.array([name not in EXCLUDED for name in skeleton.keypoints])
    labelled = np.where(counts[:, None], truth, np.nan)
    return pck(xy, labelled, head_length(heads), alpha=alpha, inclusive=inclusive)


def pckh_table(
    hits: Hits,
    skeleton: Skeleton,
    *,
    head: Literal["mean", "top"] = "mean",
    average: Literal["pooled", "plain"] = "pooled",
) -> dict[str, float]:
    """Columns of the papers: head, shoulder … ankle (mean of left and right) and mean, in [0, 1].

    Args:
        hits: Of :func:`pckh`.
        skeleton: Names of the keypoints.
        head: Mean of neck and head top (official), or head top alone (HRNet, mmpose).
        average: Over all labelled joints (official, HRNet) or of the joints (pytorch-pose).
    """
    joints = dict(zip(skeleton.keypoints, hits.joints.tolist(), strict=True))
    first = joints["head_top"] if head == "top" else (joints["neck"] + joints["head_top"]) / 2
    sides = {part: (joints[f"left_{part}"] + joints[f"right_{part}"]) / 2 for part in PARTS}
    return {"head": first, **sides, "mean": hits.pooled if average == "pooled" else hits.mean}
