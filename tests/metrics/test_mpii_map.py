"""Multi-person AP of MPII and PoseTrack, on the fixture run through poseval."""

import numpy as np
import pytest

from vitruvian.core.errors import InputError
from vitruvian.core.poses import Poses
from vitruvian.core.sample import Sample
from vitruvian.core.skeleton import skeleton
from vitruvian.metrics.mpii_map import _average_precision, mpii_map
from vitruvian.metrics.posetrack_map import posetrack_map

BONES = skeleton("posetrack15")
HEAD = np.float32([[0, 0, 30, 40]])  # 30 pixels: half a head is 15


def _body(x0, shifts=()):
    """Joint i at (x0 + 10 i, 100 + 5 i), some of them shifted right."""
    xy = np.stack([x0 + 10 * np.arange(15), 100 + 5 * np.arange(15)], 1).astype(np.float32)
    for joint, shift in dict(shifts).items():
        xy[joint, 0] += shift
    return xy


def _truth(*bodies):
    xy = np.array(bodies, np.float32).reshape(-1, 15, 2)
    visible = np.where(np.isnan(xy).any(2), 0, 2).astype(np.uint8)
    count = len(xy)
    return Sample(
        path="", size=(500, 900), skeleton=BONES, xy=xy, visible=visible,
        boxes=np.zeros((count, 4), np.float32), area=np.ones(count, np.float32),
        crowd=np.zeros(count, bool),
    )  # fmt: skip


def _found(*bodies):
    """Poses from (joints, score of every joint)."""
    xy = np.array([xy for xy, _ in bodies], np.float32).reshape(-1, 15, 2)
    scores = np.ones((len(xy), 15), np.float32) * np.float32([s for _, s in bodies])[:, None]
    return Poses(
        xy=xy, scores=scores, boxes=np.zeros((len(xy), 4), np.float32),
        score=np.ones(len(xy), np.float32), skeleton=BONES, size=(500, 900),
    )  # fmt: skip


def _without(xy, joints):
    xy = xy.copy()
    xy[joints] = np.nan
    return xy


ME, FAR, ONE = _body(50), _body(600), _truth(_body(50))
SQUARE = [np.array([[550.0, 50], [890, 50], [890, 300], [550, 300]])]
HALF_FOUND = _found((_without(ME, slice(7, 15)), 0.9))
UNLABELLED = _truth(_without(ME, [5]))
CASES = {
    "P1 perfect": ([ONE] * 4, [_found((ME, 0.9))] * 4, 100),
    "P2 one joint a hair too far": (
        [ONE] * 4, [_found((_body(50, {0: 15, 1: 16}), 0.9))] * 4, 93.333,
    ),
    "P4 a stray person of higher score": ([ONE] * 4, [_found((ME, 0.5), (FAR, 0.9))] * 4, 50),
    "P5 one of two found": ([_truth(ME, FAR)] * 4, [_found((ME, 0.9))] * 4, 50),
    "P7 a pose where nobody is labelled": (
        [ONE, _truth(), ONE], [_found((ME, 0.5)), _found((FAR, 0.9)), _found((ME, 0.5))], 100,
    ),
    "P8 a frame without a pose": ([ONE] * 4, [_found((ME, 0.9))] * 3 + [_found()], 75),
    "P9 a duplicate of higher score": (
        [ONE] * 4, [_found((ME, 0.5), (_body(50, dict.fromkeys(range(15), 1)), 0.9))] * 4, 50,
    ),
    "P10 seven of fifteen joints found": ([ONE] * 4, [HALF_FOUND] * 4, 46.667),
    "P12 a joint that is not labelled everywhere": (
        [UNLABELLED, UNLABELLED, ONE, ONE], [_found((ME, 0.9))] * 4, 100,
    ),
    "P13 the first of two equal poses is taken": (
        [ONE] * 4,
        [_found((_body(50, dict.fromkeys(range(15), 3)), 0.9), (ME, 0.5))] * 4,
        100,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_poseval_gives_the_same_number(name):
    truth, found, percent = CASES[name]
    heads = [np.repeat(HEAD, len(sample), 0) for sample in truth]
    joints = posetrack_map(truth, found, heads, [[]] * len(truth))
    assert len(joints) == 15
    assert 100 * np.mean(list(joints.values())) == pytest.approx(percent, abs=5e-4)


def test_the_joint_that_is_a_hair_too_far_is_the_wrong_one():
    found = [_found((_body(50, {0: 15, 1: 16}), 0.9))]
    joints = posetrack_map([ONE], found, [HEAD], [[]])
    assert [name for name, ap in joints.items() if ap == 0] == [BONES.keypoints[1]]


def test_a_wrong_joint_of_higher_score_costs_three_quarters_of_one():
    # P11: two frames, joint 3 right at .5 and wrong at .9.
    scores = _found((ME, 0.9))
    scores.scores[0, 3] = 0.5
    wrong = _found((_body(50, {3: 99}), 0.9))
    joints = posetrack_map([ONE, ONE], [scores, wrong], [HEAD] * 2, [[]] * 2)
    assert joints[BONES.keypoints[3]] == pytest.approx(0.25)
    assert np.mean(list(joints.values())) == pytest.approx(0.95)


def test_poses_in_a_region_to_ignore_do_not_count():
    found = [_found((ME, 0.5), (FAR, 0.9))] * 4
    joints = posetrack_map([ONE] * 4, found, [HEAD] * 4, [SQUARE] * 4)
    assert np.mean(list(joints.values())) == pytest.approx(1)


def test_mpii_counts_poses_where_nobody_is_and_takes_the_first_of_equals():
    truth = [ONE, _truth()]
    found = [_found((ME, 0.5)), _found((FAR, 0.9))]
    heads = [HEAD, HEAD[:0]]
    assert mpii_map(truth, found, heads)["nose"] == pytest.approx(0.5)
    found = [_found((ME, 0.9)), _found((FAR, 0.9))]
    assert mpii_map(truth, found, heads)["nose"] == 1
    assert mpii_map(truth, found, heads, ties="last")["nose"] == 0.5
    assert "nose" not in mpii_map(truth, found, heads, exclude=("nose",))


@pytest.mark.parametrize(
    ("hits", "labels", "ap"),
    [([1, 0, 1], 2, 5 / 6), ([0, 1], 1, 0.5), ([1, 1, 0], 4, 0.5), ([], 3, 0)],
)
def test_the_area_under_the_envelope(hits, labels, ap):
    scores = -np.arange(len(hits), dtype=float)
    found = _average_precision(scores, np.array(hits, bool), labels, "first")
    assert found == pytest.approx(ap)


def test_heads_must_fit_and_nobody_is_no_number():
    with pytest.raises(InputError, match="heads do not fit"):
        mpii_map([ONE], [_found((ME, 0.9))], [HEAD[:0]])
    assert mpii_map([], [], []) == {}
    assert np.isnan(list(mpii_map([_truth()], [_found()], [HEAD[:0]]).values())).all()
