"""PCP in its variants, on one limb of ten pixels and on whole people."""

import numpy as np
import pytest

from vitruvian.core.skeleton import Skeleton, skeleton
from vitruvian.metrics.pcp import LSP_PARTS, Part, pcp, pcp_table

STICK = Skeleton(name="stick", keypoints=("a", "b"))
LIMB = (Part(name="limb", start=("a",), end=("b",)),)
TRUTH = np.float32([[[0, 0], [0, 10]]])


@pytest.mark.parametrize(
    ("found", "strict", "loose"),
    [
        ([(4, 0), (5, 10)], True, True),
        ([(0, 0), (6, 10)], False, True),
        ([(5.1, 0), (5.1, 10)], False, False),
        ([(0, 10), (0, 0)], False, False),
        ([(5, 0), (5, 10)], True, True),
        ([(np.nan, 0), (0, 10)], False, False),
    ],
)
def test_one_limb_of_ten_pixels(found, strict, loose):
    found = np.float32([found])
    assert pcp(found, TRUTH, STICK, parts=LIMB).correct[0, 0] == strict
    assert pcp(found, TRUTH, STICK, parts=LIMB, rule="loose").correct[0, 0] == loose


def test_a_part_without_a_label_is_not_counted():
    truth = TRUTH.copy()
    truth[0, 1] = np.nan
    hits = pcp(TRUTH, truth, STICK, parts=LIMB)
    assert not hits.counted.any()
    assert not hits.correct.any()


def test_the_fixed_length_is_the_mean_of_the_part_over_all_people():
    truth = np.float32([[[0, 0], [0, 10]], [[0, 0], [0, 30]]])
    found = truth + np.float32([8, 0])
    assert pcp(found, truth, STICK, parts=LIMB).correct[:, 0].tolist() == [False, True]
    fixed = pcp(found, truth, STICK, parts=LIMB, length="mean")
    assert fixed.correct[:, 0].tolist() == [True, True]


def test_the_torso_of_lsp_runs_between_the_middles_of_hips_and_shoulders():
    bones = skeleton("lsp14")
    truth = np.random.default_rng(0).random((1, 14, 2)) * 100
    found = truth.copy()
    # Both hips move apart by as much: their middle stays.
    found[0, bones.index("left_hip")] += 500
    found[0, bones.index("right_hip")] -= 500
    table = pcp_table(pcp(found, truth, bones))
    assert table == {
        "lower leg": 1, "upper leg": 0, "forearm": 1, "upper arm": 1, "head": 1, "torso": 1,
        "mean": 0.8,
    }  # fmt: skip
    assert len(LSP_PARTS) == 10
