"""PoseFix: the synthetic errors of the poses it learns from."""

import json
import random
from pathlib import Path

import numpy as np

from tests.parity.kinds import Check, Row
from vitruvian.core.skeleton import skeleton
from vitruvian.image.pose_errors import spoiled


class Theirs(np.random.Generator):
    """Random numbers as the authors draw them: NumPy's legacy ones, and Python's for one of many.

    A subclass only because the annotation asks for a generator; nothing is inherited.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(np.random.PCG64())
        self.numpy, self.python = np.random.RandomState(seed), random.Random(seed)

    def uniform(self, low, high, size):
        return self.numpy.uniform(low, high, size)

    def choice(self, count, size=None, p=None):
        return self.numpy.choice(count, size, p=p)

    def integers(self, count):
        return self.python.randrange(count)


def _points(rows: list) -> np.ndarray:
    """... K 2; NaN where the third number says that there is none."""
    values = np.array(rows, np.float64).reshape(-1, 17, 3)
    return np.where(values[..., 2:] > 0, values[..., :2], np.nan)


def _synthesise(path: Path) -> Row:
    cases = json.loads(path.read_text(encoding="utf-8"))["cases"]
    differences, values = [], 0
    for case in cases:
        theirs = _points(case["out"])[0]
        ours = spoiled(
            _points(case["joints"])[0],
            _points(case["near"]),
            case["area"],
            skeleton("coco17"),
            Theirs(case["seed"]),
            elsewhere=_points(case["estimated"])[0],
            overlap=case["num_overlap"],
        )
        if not np.array_equal(np.isnan(ours), np.isnan(theirs)):
            return Row(name=path.stem, error=f"seed {case['seed']}: other keypoints are absent")
        differences.append(float(np.nanmax(np.abs(ours - theirs)) / np.nanmax(np.abs(theirs))))
        values += ours.size
    return Row(name=path.stem, ours=values, authors=values, differences=tuple(differences))


CHECKS: dict[str, Check] = {r"fn-posefix-synthesize_pose": _synthesise}
"""Start of a fixture's file name -> what runs it."""
