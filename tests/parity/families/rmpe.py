"""RMPE: parametric pose suppression and the proposals that it trains with."""

import json
import random
from pathlib import Path

import numpy as np

from tests.parity.kinds import Check, Row
from vitruvian.image.proposals import Proposals, proposed
from vitruvian.kernels.parametric_nms import PoseNms, parametric_nms, similarity


def _array(rows: list) -> np.ndarray:
    return np.array(rows, np.float32)


def _pose_nms(path: Path) -> Row:
    """The same people made of the same poses, keypoints within 0.01 pixels, the same scores."""
    data = json.loads(path.read_text(encoding="utf-8"))
    given = data["params"]
    people, theirs, differences = 0, 0, []
    for case in data["cases"]:
        rule = PoseNms(
            score_scale=given["delta1"],
            distance_scale=given["delta2"],
            balance=given["mu"],
            threshold=given["gamma"],
            share=given["alpha"],
            matches=given["matchThreds"],
            match_reach=given["ref_dist_cap_match"],
            merge_reach=given["ref_dist_cap_merge"],
            floor=given["scoreThreds"],
            least_area=case["areaThres"],
        )
        xy, scores = _array(case["pose_preds"]), _array(case["pose_scores"])[..., 0]
        groups, found, values = parametric_nms(xy, scores, _array(case["bboxes"]), rule)
        out = case["out"]
        people, theirs = people + len(groups), theirs + len(out["picks"])
        if [sorted(map(float, group)) for group in groups] != [*map(sorted, out["merged_ids"])]:
            return Row(name=path.stem, error=f"other people in a case of {len(xy)} poses")
        distance = np.linalg.norm(xy - xy[0], axis=2)
        likeness = similarity(distance, np.maximum(scores[0], 1e-5), scores, rule)
        known = _array(case["distance_from_0"])
        differences += [
            float(np.abs(found - _array(out["poses"])).max(initial=0)) / 100,
            float(np.abs(values - _array(out["pose_scores"])[..., 0]).max(initial=0)),
            float(np.abs(likeness - known).max(initial=0) / known.max(initial=1)),
        ]
    return Row(name=path.stem, ours=people, authors=theirs, differences=tuple(differences))


class Theirs(np.random.Generator):
    """Random numbers as the authors draw them: Python's uniform ones, NumPy's legacy normal ones.

    A subclass only because the annotation asks for a generator; nothing is inherited.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(np.random.PCG64())
        self.numpy, self.python = np.random.RandomState(seed), random.Random(seed)

    def random(self):
        return self.python.uniform(0, 1)

    def normal(self, mean=0.0, deviation=1.0):
        return self.numpy.normal(mean, deviation)


def _proposals(path: Path) -> Row:
    """Boxes of the fixture's one true box, a seed each."""
    rows = np.array(json.loads(path.read_text(encoding="utf-8"))["rows"])
    truth, size = np.array([100.0, 120.0, 220.0, 400.0]), (480, 640)
    ours = np.array([proposed(truth, size, Proposals(), Theirs(int(row[0]))) for row in rows])
    difference = float(np.abs(ours - rows[:, 1:]).max() / np.abs(rows[:, 1:]).max())
    return Row(name=path.stem, ours=ours.size, authors=4 * len(rows), differences=(difference,))


CHECKS: dict[str, Check] = {
    r"fn-alphapose-pose_nms": _pose_nms,
    r"fn-alphapose-addDPG": _proposals,
}
"""Start of a fixture's file name -> what runs it."""
