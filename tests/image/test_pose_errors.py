from dataclasses import replace

import numpy as np
import pytest

from vitruvian.core.errors import InputError
from vitruvian.core.skeleton import Skeleton, skeleton
from vitruvian.image import pose_errors
from vitruvian.image.pose_errors import STATES, chances, spoiled
from vitruvian.kernels.oks import oks

COCO = skeleton("coco17")
AREA = 40_000.0
NOBODY = np.empty((0, 17, 2))


def person(seed=0):
    return np.random.default_rng(seed).uniform(50, 350, (17, 2))


def only(monkeypatch, state):
    """Every keypoint is drawn from one state, where it can be."""
    rows = np.eye(len(STATES))[STATES.index(state)] + 1e-12
    monkeypatch.setattr(pose_errors, "chances", lambda *_: np.tile(rows, (17, 1)))


def similarity(a, b):
    """OKS of each keypoint alone."""
    return [oks(p[None, None], q[None, None], AREA, s)[0, 0] for p, q, s in _keypoints(a, b)]


def _keypoints(a, b):
    return zip(a, b, np.array(COCO.sigmas)[:, None], strict=True)


@pytest.mark.parametrize(
    "state, low, high", [("good", 0.85, 1.0), ("jitter", 0.5, 0.85), ("miss", 0.1, 0.5)]
)
def test_errors_of_a_state_have_the_oks_that_names_it(monkeypatch, state, low, high):
    only(monkeypatch, state)
    bones = replace(COCO, swaps=())  # a miss may also be near to the mirrored keypoint
    xy = person()
    pose = spoiled(xy, NOBODY, AREA, bones, np.random.default_rng(1))
    found = similarity(pose, xy)
    assert low - 1e-6 <= min(found)
    assert max(found) <= high + 1e-6


def test_a_swap_lies_by_the_other_person(monkeypatch):
    only(monkeypatch, "swap")
    xy = person()
    aside = np.array([1000.0, 0.0])
    pose = spoiled(xy, xy[None] + aside, AREA, COCO, np.random.default_rng(1))
    same = similarity(pose, xy + aside)
    mirrored = similarity(pose, xy[COCO.flip_index] + aside)
    assert np.maximum(same, mirrored).min() >= 0.5 - 1e-6


def test_an_inversion_lies_by_the_mirrored_keypoint_and_unpaired_keypoints_have_none(monkeypatch):
    only(monkeypatch, "inversion")
    xy = person()
    pose = spoiled(xy, NOBODY, AREA, COCO, np.random.default_rng(1))
    left = np.array([name.startswith("left") for name in COCO.keypoints])
    assert min(np.array(similarity(pose, xy[COCO.flip_index]))[left]) >= 0.5 - 1e-6
    assert np.isfinite(pose[0]).all()


def test_unlabelled_keypoints_stay_absent_unless_another_estimator_saw_them():
    xy = person()
    xy[[3, 9]] = np.nan
    before = xy.copy()
    alone = spoiled(xy, NOBODY, AREA, COCO, np.random.default_rng(2))
    helped = spoiled(xy, NOBODY, AREA, COCO, np.random.default_rng(2), elsewhere=person(5))
    assert np.flatnonzero(np.isnan(alone[:, 0])).tolist() == [3, 9]
    assert np.isfinite(helped).all()
    np.testing.assert_array_equal(xy, before)


def test_the_same_generator_gives_the_same_pose_and_another_one_does_not():
    xy, others = person(), person(3)[None]
    a, b, c = (spoiled(xy, others, AREA, COCO, np.random.default_rng(seed)) for seed in (4, 4, 5))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


@pytest.mark.parametrize("labelled", [3, 8, 13, 17])
@pytest.mark.parametrize("overlap", [0, 1, 4])
def test_chances_of_a_keypoint_sum_to_one(labelled, overlap):
    found = chances(COCO, labelled, overlap)
    assert found.shape == (17, 5)
    assert (found > 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_people_with_few_labels_in_a_crowd_are_swapped_more_often():
    wrist, swap = COCO.index("left_wrist"), STATES.index("swap")
    assert chances(COCO, 12, 2)[wrist, swap] == 0.06
    assert chances(COCO, 12, 3)[wrist, swap] == 0.15
    assert chances(COCO, 10, 1)[wrist, swap] == 0.15
    assert chances(COCO, 10, 0)[wrist, swap] == 0.06


def test_a_skeleton_without_sigmas_is_refused():
    bare = Skeleton(name="two", keypoints=("a", "b"))
    with pytest.raises(InputError, match="sigmas"):
        spoiled(np.zeros((2, 2)), np.empty((0, 2, 2)), AREA, bare, np.random.default_rng(0))
