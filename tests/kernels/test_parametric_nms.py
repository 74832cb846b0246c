from dataclasses import replace

import numpy as np
import pytest

from vitruvian.kernels import nms
from vitruvian.kernels.parametric_nms import PoseNms, parametric_nms, similarity

RULE = PoseNms()
RMPE = PoseNms(
    score_scale=0.01,
    distance_scale=2.08,
    balance=2.08,
    relative=True,
    matches=0,
    merge_reach=np.inf,
    merged_score="max",
)
BOX = np.array([0.0, 0, 100, 300])


def person(at=0.0, seed=0):
    return np.random.default_rng(seed).uniform([0, 0], [100, 300], (17, 2)) + at


def run(poses, values, rule=RULE):
    xy = np.array(poses)
    scores = np.broadcast_to(np.array(values, np.float64)[:, None], xy.shape[:2]).copy()
    return parametric_nms(xy, scores, np.tile(BOX, (len(xy), 1)), rule)


def test_a_pose_is_most_similar_to_itself():
    pose, sure = person(), np.ones(17)
    distance = np.linalg.norm(np.stack([pose, pose + 0.5, pose + 50]) - pose, axis=2)
    found = similarity(distance, sure, np.ones((3, 17)), RULE)
    assert found[0] == pytest.approx(17 * (np.tanh(1) ** 2 + RULE.balance))
    apart = 0.5 * np.sqrt(2)
    assert found[1] == pytest.approx(17 * (np.tanh(1) ** 2 + 1.7 * np.exp(-apart / 2.65)))
    assert found[2] < 1e-3


def test_a_duplicate_lends_its_keypoints_and_another_person_stays():
    groups, xy, scores = run([person() + 4, person(), person(500.0)], [0.4, 0.8, 0.6])
    assert [group.tolist() for group in groups] == [[1, 0], [2]]
    np.testing.assert_allclose(xy[0], person() + 4 * 0.4 / 1.2, rtol=1e-6)
    np.testing.assert_allclose(scores[0], (0.8**2 + 0.4**2) / 1.2, rtol=1e-6)
    np.testing.assert_allclose(xy[1], person(500.0), rtol=1e-6)
    np.testing.assert_allclose(scores[1], 0.6, rtol=1e-6)


def test_a_keypoint_of_a_duplicate_that_is_far_lends_nothing():
    other = person()
    other[3] += 40
    _, xy, scores = run([person(), other], [0.8, 0.7])
    np.testing.assert_allclose(xy[0, 3], person()[3], rtol=1e-6)
    assert scores[0, 3] == pytest.approx(0.8)


def test_distances_can_be_in_units_of_the_box():
    """30 pixels are one reach of a box 300 high, so 15 pixels make a duplicate."""
    poses = [person(), person() + np.array([9.0, 12.0])]
    assert len(run(poses, [0.9, 0.8], replace(RULE, matches=0))[0]) == 2
    groups, xy, scores = run(poses, [0.9, 0.8], RMPE)
    assert [group.tolist() for group in groups] == [[0, 1]]
    assert scores.max() == pytest.approx(0.9)
    np.testing.assert_allclose(xy[0], person() + np.array([9.0, 12.0]) * 0.8 / 1.7, rtol=1e-6)


def test_people_without_a_sure_keypoint_or_of_no_extent_are_left_out():
    assert run([person()], [0.2])[0] == []
    assert len(run([person()], [0.2], replace(RULE, floor=0.1))[0]) == 1
    assert run([person() / 50], [0.9], replace(RULE, least_area=500.0))[0] == []


def test_absent_keypoints_stay_absent_and_match_nothing():
    best = person()
    best[2:] = np.nan
    groups, xy, _ = run([best, person()], [0.9, 0.8])
    assert [len(group) for group in groups] == [1, 1]
    assert np.isnan(xy[0, 2:]).all()
    assert np.isfinite(xy[1]).all()


def test_nobody_gives_nobody_and_inputs_stay_as_they_are():
    groups, xy, scores = parametric_nms(
        np.zeros((0, 17, 2)), np.zeros((0, 17)), np.zeros((0, 4)), RULE
    )
    assert groups == []
    assert xy.shape == (0, 17, 2)
    assert scores.shape == (0, 17)
    poses, values = np.stack([person()] * 2), np.zeros((2, 17))
    before = poses.copy(), values.copy()
    parametric_nms(poses, values, np.tile(BOX, (2, 1)), RULE)
    np.testing.assert_array_equal(poses, before[0])
    np.testing.assert_array_equal(values, before[1])


def crowd(count, seed):
    """Poses of few people, some without some keypoints, one without any; scores, boxes."""
    rng = np.random.default_rng(seed)
    people = rng.uniform(0, 250, (count // 5 + 1, 1, 2)) + rng.uniform(0, 60, (1, 17, 2))
    xy = people[rng.integers(0, len(people), count)] + rng.normal(0, 2, (count, 17, 2))
    xy[rng.uniform(size=(count, 17)) < 0.2] = np.nan
    xy[0] = np.nan
    corner = rng.uniform(0, 250, (count, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(20, 120, (count, 2))], axis=1)
    return xy, rng.uniform(size=(count, 17)) ** 0.3, boxes


def plainly(xy, scores, boxes, rule):
    """The definition, one pose after the other."""
    rest, people = np.argsort(-scores.mean(axis=1), kind="stable").tolist(), []
    while rest:
        best = rest[0]
        reach, group = rule.share * (boxes[best, 2:] - boxes[best, :2]).max(), []
        for i in rest:
            distance = np.linalg.norm(xy[i] - xy[best], axis=1)
            scaled = distance / reach if rule.relative else distance
            (alike,) = similarity(scaled[None], scores[best], scores[i][None], rule)
            close = (distance <= min(reach, rule.match_reach)).sum()
            if i == best or alike > rule.threshold or (rule.matches and close >= rule.matches):
                group.append(i)
        rest = [i for i in rest if i not in group]
        distance = np.linalg.norm(xy[group] - xy[best], axis=2)
        weight = np.where(distance <= min(reach, rule.merge_reach), scores[group], 0)
        share = weight / np.maximum(weight.sum(0), 1e-5)
        pose = (share[..., None] * np.nan_to_num(xy[group])).sum(0)
        score = weight.max(0) if rule.merged_score == "max" else (share * weight).sum(0)
        absent = np.isnan(xy[best, :, 0])
        pose[absent], score[absent] = np.nan, scores[best, absent]
        people.append((group, pose, score))
    return people


@pytest.mark.parametrize("rule", [RULE, RMPE, replace(RULE, matches=0), replace(RULE, threshold=0)])
@pytest.mark.parametrize("crowded", [1 << 17, 10])
@pytest.mark.parametrize("count", [1, 30, 120])
def test_people_are_those_of_the_definition(rule, crowded, count, monkeypatch):
    monkeypatch.setattr(nms, "CROWDED", crowded)
    some = crowd(count, count)
    expected = plainly(*some, rule := replace(rule, floor=0.0))
    groups, xy, scores = parametric_nms(*some, rule)
    assert [group.tolist() for group in groups] == [group for group, _, _ in expected]
    np.testing.assert_allclose(xy, [pose for _, pose, _ in expected], rtol=1e-6)
    np.testing.assert_allclose(scores, [score for _, _, score in expected], rtol=1e-6)
