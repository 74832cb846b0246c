"""PCKh: the official rules, and the numbers of HRNet's script on its own kind of data."""

import numpy as np
import pytest

from vitruvian.core.skeleton import skeleton
from vitruvian.metrics.pck import Hits
from vitruvian.metrics.pckh import head_length, pckh, pckh_table

MPII = skeleton("mpii16")


def test_the_head_length_is_six_tenths_of_the_diagonal():
    boxes = np.float32([[0, 0, 30, 40], [914, 316, 1031, 361]])
    np.testing.assert_allclose(head_length(boxes), [30, 75.2133], atol=1e-4)


@pytest.mark.parametrize(("pixels", "correct"), [(15.0, True), (15.01, False)])
def test_half_a_head_is_right_and_a_hair_more_is_wrong(pixels, correct):
    truth = np.zeros((1, 16, 2))
    hits = pckh(truth + np.array([pixels, 0]), truth, np.float32([[0, 0, 30, 40]]), MPII)
    assert hits.correct[0, 0] == correct
    tenth = pckh(truth + np.array([3, 0]), truth, np.float32([[0, 0, 30, 40]]), MPII, alpha=0.1)
    assert tenth.correct[0, 0]


def test_pelvis_and_thorax_do_not_count():
    truth = np.zeros((2, 16, 2))
    hits = pckh(truth, truth, np.float32([[0, 0, 3, 4]] * 2), MPII)
    left_out = [n for n, c in zip(MPII.keypoints, hits.counted.all(0), strict=True) if not c]
    assert left_out == ["pelvis", "thorax"]
    assert hits.pooled == 1


def test_the_two_averages_weigh_joints_by_labels_or_alike():
    counted = np.zeros((300, 16), bool)
    counted[:100, 0], counted[:, 1] = True, True
    correct = counted & (np.arange(300)[:, None] < [[80, 270] + [0] * 14])
    hits = Hits(correct=correct, counted=counted)
    assert pckh_table(hits, MPII)["mean"] == pytest.approx(0.875)
    assert pckh_table(hits, MPII, average="plain")["mean"] == pytest.approx(0.85)
