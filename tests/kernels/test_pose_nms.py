import numpy as np
import pytest

from vitruvian.core.skeleton import skeleton
from vitruvian.kernels.nms import greedy
from vitruvian.kernels.oks import oks
from vitruvian.kernels.pose_nms import oks_nms, soft_oks_nms

SIGMAS = np.array(skeleton("coco17").sigmas)


def test_a_pose_is_itself_and_nothing_like_a_far_one():
    pose = np.random.default_rng(0).uniform(0, 100, (1, 17, 2))
    other = np.concatenate([pose, pose + 1000])
    np.testing.assert_allclose(oks(pose, other, np.array(5000.0), SIGMAS), [[1, 0]], atol=1e-12)


def test_one_sigma_away_has_the_value_of_the_definition():
    a, sigmas = np.zeros((1, 1, 2)), np.array([0.1])
    b = np.array([[[2 * 0.1 * 50.0, 0.0]]])
    np.testing.assert_allclose(oks(a, b, np.array(2500.0), sigmas), [[np.exp(-0.5)]])


def test_absent_keypoints_do_not_count():
    a = np.zeros((1, 3, 2))
    b = np.array([[[0.0, 0], [np.nan, np.nan], [1e6, 0]], [[np.nan, np.nan]] * 3])
    sigmas = np.full(3, 0.1)
    np.testing.assert_allclose(oks(a, b, np.array(100.0), sigmas), [[0.5, 0.0]])


def test_no_area_is_no_division_by_zero():
    assert oks(np.zeros((1, 1, 2)), np.ones((1, 1, 2)), np.array(0.0), np.array([0.1]))[0, 0] == 0


def test_soft_suppression_lowers_the_score_of_a_similar_pose_and_keeps_it():
    pose = np.random.default_rng(0).uniform(0, 100, (1, 17, 2))
    poses = np.concatenate([pose, pose, pose + 1000])
    area = np.full(3, 5000.0)

    kept, scores = soft_oks_nms(poses, np.array([0.9, 0.8, 0.5]), area, SIGMAS, threshold=0.9)

    assert kept.tolist() == [0, 2, 1]
    assert scores == pytest.approx([0.9, 0.5, 0.8 * np.exp(-1 / 0.9)])
    assert soft_oks_nms(poses[:0], np.zeros(0), area[:0], SIGMAS)[0].shape == (0,)


def crowd(count: int, seed: int, *, lost: float = 0.2, room: float = 300.0) -> dict:
    """Poses of which many resemble each other, some without some keypoints, one without any."""
    rng = np.random.default_rng(seed)
    people = rng.uniform(0, room, (count // 4 + 1, 1, 2))
    people = people + rng.uniform(0, 60, (len(people), 17, 2))
    xy = people[rng.integers(0, len(people), count)] + rng.normal(0, 4, (count, 17, 2))
    xy[rng.uniform(size=(count, 17)) < lost] = np.nan
    xy[0] = np.nan
    return {"xy": xy, "area": rng.uniform(500, 6000, count), "score": rng.uniform(size=count)}


@pytest.mark.parametrize("threshold", [0.0, 0.05, 0.5, 0.9, 1.0])
@pytest.mark.parametrize(("count", "room"), [(1, 300.0), (40, 300.0), (40, 5.0), (600, 5.0)])
def test_hard_suppression_is_that_of_all_pairs(threshold, count, room):
    some = crowd(count, 3, room=room)
    xy, area, score = some["xy"], some["area"], some["score"]
    alike = oks(xy, xy, np.add.outer(area, area) / 2, SIGMAS)
    kept = oks_nms(xy, score, area, SIGMAS, threshold)
    np.testing.assert_array_equal(kept, greedy(alike, score, threshold))


@pytest.mark.parametrize(("count", "room"), [(40, 300.0), (40, 3000.0), (600, 5.0)])
def test_soft_suppression_is_that_of_all_pairs(count, room):
    some = crowd(count, 4, room=room)
    xy, area, score = some["xy"], some["area"], some["score"]
    left, expected = dict(enumerate(score)), []
    while left and len(expected) < 20:
        best = max(left, key=left.__getitem__)
        expected.append((best, left.pop(best)))
        for i in left:
            pair = np.array((area[best] + area[i]) / 2)
            alike = oks(xy[best : best + 1], xy[i : i + 1], pair, SIGMAS)[0, 0]
            left[i] *= np.exp(-(alike**2) / 0.9)
    kept, scores = soft_oks_nms(xy, score, area, SIGMAS)
    assert kept.tolist() == [i for i, _ in expected]
    np.testing.assert_allclose(scores, [s for _, s in expected], rtol=1e-12)


def test_poses_that_are_alike_at_one_keypoint_alone_are_compared():
    xy = np.full((2, 17, 2), np.nan)
    xy[:, 0] = [[0, 0], [1, 0]]
    xy[0, 1], xy[1, 2] = (500, 500), (-500, -500)
    area = np.array([100.0, 9000.0])
    assert len(oks_nms(xy, np.array([0.9, 0.8]), area, SIGMAS, 0.5)) == 1


def test_a_pose_that_scores_nan_is_nobody():
    pose = np.random.default_rng(0).uniform(0, 100, (2, 17, 2))
    kept = oks_nms(pose, np.array([np.nan, 0.5]), np.full(2, 5e3), SIGMAS, 0.5)
    assert kept.tolist() == [1]
