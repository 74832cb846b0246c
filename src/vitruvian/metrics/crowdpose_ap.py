"""CrowdPose AP (Li et al. 2019): COCO's matching with another area, other people left out.

The area is 0.53 of the box. People with a label on none of the first 12 joints (all but head and
neck) only absorb poses. There are no sizes; instead the pictures are split by their crowd index.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from vitruvian.core.errors import InputError
from vitruvian.core.poses import Poses
from vitruvian.core.sample import Sample
from vitruvian.metrics.oks_ap import (
    check_pairs,
    ground_truth,
    mean_known,
    picture_ids,
    pose_results,
    precision_recall,
)

BOX_TO_AREA = 0.53
EASY, HARD = 0.2, 0.8
"""Limits of the crowd index in the public evaluators; the paper's figure says 0.1 and 0.8."""

_BODY_JOINTS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class CrowdPoseScores:
    """The nine numbers of the public evaluators; -1 where no person counts.

    Attributes:
        ap: Mean over OKS .50:.05:.95 of the average precision.
        ap50: At OKS .50.
        ap75: At OKS .75.
        ar: Mean over OKS .50:.05:.95 of the recall with 20 poses a picture.
        ar50: At OKS .50.
        ar75: At OKS .75.
        easy: AP of the pictures with a crowd index below 0.2.
        medium: AP of those from 0.2 and below 0.8.
        hard: AP of those from 0.8.
    """

    ap: float
    ap50: float
    ap75: float
    ar: float
    ar50: float
    ar75: float
    easy: float
    medium: float
    hard: float


def crowdpose_ap(
    truth: Sequence[Sample], found: Sequence[Poses], crowd_index: Float[np.ndarray, " M"]
) -> CrowdPoseScores:
    """Scores of the poses found in each picture.

    Args:
        truth: Labels.
        found: Poses of the same pictures, of the same skeleton.
        crowd_index: Of each picture; ``picture_fields["crowd_index"]`` of the data set.

    Raises:
        InputError: The three do not fit.
        MissingExtra: hotcoco is not installed.
    """
    check_pairs(truth, found)
    if len(crowd_index) != len(truth):
        raise InputError(
            f"{len(crowd_index)} crowd indices for {len(truth)} pictures; give one each"
        )
    precision, recall = _curves(truth, found)
    masks = {
        "easy": crowd_index < EASY,
        "medium": (crowd_index >= EASY) & (crowd_index < HARD),
        "hard": crowd_index >= HARD,
    }
    return CrowdPoseScores(
        ap=mean_known(precision),
        ap50=mean_known(precision[0]),
        ap75=mean_known(precision[5]),
        ar=mean_known(recall),
        ar50=mean_known(recall[:1]),
        ar75=mean_known(recall[5:6]),
        **{name: _subset(truth, found, mask) for name, mask in masks.items()},
    )


def _subset(truth: Sequence[Sample], found: Sequence[Poses], mask: np.ndarray) -> float:
    chosen = np.flatnonzero(mask).tolist()
    if not len(chosen):
        return -1.0
    # The evaluators take the plain mean here: a subset without anybody to find is -1.
    precision, _ = _curves([truth[i] for i in chosen], [found[i] for i in chosen])
    return float(precision.mean())


def _curves(truth: Sequence[Sample], found: Sequence[Poses]) -> tuple[np.ndarray, np.ndarray]:
    """Precision T R and recall T."""
    ids = picture_ids(truth)
    labels = ground_truth(truth, ids)
    for person in labels["annotations"]:
        flags = person["keypoints"][2 : 3 * _BODY_JOINTS : 3]
        person["num_keypoints"] = sum(flag > 0 for flag in flags)
        person["area"] = BOX_TO_AREA * person["bbox"][2] * person["bbox"][3]
    sigmas = truth[0].skeleton.oks_sigmas if truth else None
    results = pose_results(found, ids)
    precision, recall = precision_recall(labels, results, "keypoints", sigmas)
    return precision[:, :, 0], recall[:, 0]
