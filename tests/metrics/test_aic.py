"""The AI Challenger score on the worked examples of its evaluator."""

import numpy as np
import pytest

from vitruvian.core.poses import Poses
from vitruvian.core.sample import Sample
from vitruvian.core.skeleton import skeleton
from vitruvian.metrics.aic import aic

BONES = skeleton("aic14")
BASE = np.stack([10 + 5 * np.arange(14), 20 + 10 * np.arange(14)], 1).astype(np.float32)


def _sample(*shifts, visible=2):
    count = len(shifts)
    xy = np.stack([BASE + np.float32([s, 0]) for s in shifts])
    return Sample(
        path="", size=(480, 640), skeleton=BONES, xy=xy,
        visible=np.full((count, 14), visible, np.uint8),
        boxes=np.tile(np.float32([0, 0, 100, 200]), (count, 1)),
        area=np.ones(count, np.float32), crowd=np.zeros(count, bool),
    )  # fmt: skip


def _found(*shifts):
    count = len(shifts)
    xy = [BASE + np.float32([s, 0]) for s in shifts]
    return Poses(
        xy=np.array(xy, np.float32).reshape(-1, 14, 2), scores=np.ones((count, 14), np.float32),
        boxes=np.zeros((count, 4), np.float32), score=np.ones(count, np.float32),
        skeleton=BONES, size=(480, 640),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("truth", "found", "score"),
    [
        pytest.param(_sample(0), _found(0), 1, id="exact"),
        pytest.param(_sample(0), _found(4), 0.5, id="OKS 0.7075 passes five thresholds"),
        pytest.param(_sample(0), _found(0, 900), 0.5, id="a stray pose costs"),
        pytest.param(_sample(0, 300), _found(0), 0.5, id="one of two found"),
        pytest.param(_sample(0, visible=0), _found(0), 0, id="nothing visible"),
        pytest.param(_sample(0), _found(), 0, id="nothing found"),
        pytest.param(_sample(0, 0.5), _found(0.2, 900), 1, id="one pose serves two people"),
    ],
)
def test_worked_examples(truth, found, score):
    assert aic([truth], [found]) == pytest.approx(score)


def test_hidden_joints_do_not_count():
    truth = _sample(0)
    hidden = truth.visible.copy()
    hidden[0, 3:] = 1
    truth = Sample(**{k: getattr(truth, k) for k in truth.__slots__} | {"visible": hidden})
    found = _found(0)
    found.xy[0, 3:] += 500
    assert aic([truth], [found]) == 1
