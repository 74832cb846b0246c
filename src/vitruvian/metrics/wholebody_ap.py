"""COCO-WholeBody AP (Jin et al. 2020): COCO's matching for body, feet, face, hands, and all of it.

Six evaluations of 133 keypoints. Each takes the area and the box of the whole person; people
without a label in the part only absorb poses, poses that score 0 on all of the part are left out.
Poses are ranked by their own score, as the official tool does where results have none for the part.
Papers have one column for hands and do not say whether it is the mean: both hands are told.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vitruvian.core.errors import InputError
from vitruvian.core.poses import Poses
from vitruvian.core.sample import Sample
from vitruvian.core.skeleton import Skeleton
from vitruvian.metrics.oks_ap import check_pairs, oks_ap

PARTS = {
    "body": slice(0, 17),
    "foot": slice(17, 23),
    "face": slice(23, 91),
    "left_hand": slice(91, 112),
    "right_hand": slice(112, 133),
    "whole": slice(0, 133),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeBodyScores:
    """Scores by part; -1 where no person counts.

    Attributes:
        ap: Mean over OKS .50:.05:.95 of the average precision of every part.
        ar: Mean over OKS .50:.05:.95 of the recall with 20 poses a picture.
    """

    ap: dict[str, float]
    ar: dict[str, float]


def wholebody_ap(truth: Sequence[Sample], found: Sequence[Poses]) -> WholeBodyScores:
    """Scores of the poses found in each picture; ``truth`` and ``found`` run in step.

    Raises:
        InputError: The two do not fit, or are not of 133 keypoints with sigmas.
        MissingExtra: hotcoco is not installed.
    """
    check_pairs(truth, found)
    count = PARTS["whole"].stop
    if any(len(sample.skeleton) != count for sample in truth[:1]):
        raise InputError(
            f"{len(truth[0].skeleton)} keypoints of {truth[0].skeleton.name}; COCO-WholeBody's "
            f"scores are of its {count}"
        )
    scores = {
        name: oks_ap([_labels(s, part) for s in truth], [_poses(p, part) for p in found])
        for name, part in PARTS.items()
    }
    return WholeBodyScores(
        ap={name: score.ap for name, score in scores.items()},
        ar={name: score.ar for name, score in scores.items()},
    )


def _labels(sample: Sample, part: slice) -> Sample:
    bones = _bones(sample.skeleton, part)
    return replace(sample, skeleton=bones, xy=sample.xy[:, part], visible=sample.visible[:, part])


def _poses(poses: Poses, part: slice) -> Poses:
    scores = poses.scores[:, part]
    kept = np.flatnonzero((scores > 0).any(1))
    bones = _bones(poses.skeleton, part)
    return replace(poses, skeleton=bones, xy=poses.xy[:, part], scores=scores)[kept]


def _bones(whole: Skeleton, part: slice) -> Skeleton:
    """Names and sigmas, which is all that matching asks for."""
    return Skeleton(name=whole.name, keypoints=whole.keypoints[part], sigmas=whole.sigmas[part])
