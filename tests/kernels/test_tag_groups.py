import itertools
import sys

import cv2
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from vitruvian.kernels.munkres import munkres
from vitruvian.kernels.tag_groups import group, most_alike


def people(joint, tags, score=None, order=(0, 1), **settings):
    """Rows of each person's keypoints."""
    tags = np.array(tags, float).reshape(len(joint), 1)
    score = np.full(len(joint), 0.5) if score is None else np.array(score)
    settings = {"threshold": 1.0, "norm": 1.0, "limit": 0, "full": "open", "faithful": False} | (
        settings
    )
    return group(np.array(joint), tags, score, order, **settings).tolist()


def test_keypoints_with_near_tags_are_one_person():
    assert people([0, 0, 1, 1], [1, 5, 5.2, 0.9]) == [[0, 3], [1, 2]]


def test_a_keypoint_far_from_everybody_begins_a_person():
    assert people([0, 1, 1], [1, 1.2, 7]) == [[0, 1], [-1, 2]]


def test_joints_are_matched_in_the_given_order_to_the_mean_of_what_a_person_has():
    tags = [0, 0.8, 1.3]  # the third is 0.9 from the mean of the first two, 1.3 from the first
    assert people([0, 1, 2], tags, order=(0, 1, 2)) == [[0, 1, 2]]
    assert people([0, 1, 2], tags, order=(0, 2, 1)) == [[0, -1, -1], [-1, 1, 2]]


def test_of_keypoints_equally_near_the_better_one_is_taken():
    assert people([0, 1, 1], [1, 1.2, 0.8], [0.5, 0.3, 0.9]) == [[0, 2], [-1, 1]]


def test_keypoints_too_far_away_do_not_push_others_away():
    joint, tags = [0, 0, 1, 1], [0, 10, 10.2, 20]
    assert people(joint, tags) == [[0, -1], [1, 2], [-1, 3]]


def test_the_authors_limit_leaves_people_whom_nobody_joins_or_skips_the_joint():
    joint, tags = [0, 0, 0, 1, 1, 1], [1, 5, 9, 1, 5, 9]
    assert people(joint, tags, limit=2) == [[0, 3], [1, 4], [2, -1], [-1, 5]]
    assert people(joint, tags, limit=2, full="skip") == [[0, -1], [1, -1], [2, -1]]
    assert people(joint, tags, limit=4, full="skip") == [[0, 3], [1, 4], [2, 5]]


def test_people_are_the_same_without_scipy(monkeypatch):
    rng = np.random.default_rng(0)
    joint, tags = np.repeat([0, 1], 8), rng.uniform(0, 6, 16)
    score = rng.random(16)
    fast = people(joint, tags, score)
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    assert sorted(people(joint, tags, score)) == sorted(fast)


def test_nobody_is_nobody():
    assert people([], np.zeros((0, 1))) == []


@pytest.mark.parametrize("shape", [(1, 1), (4, 4), (3, 6), (6, 3), (9, 9)])
def test_munkres_finds_a_cheapest_assignment(shape):
    rng = np.random.default_rng(sum(shape))
    for _ in range(20):
        cost = rng.integers(0, 5, shape).astype(float)
        rows, columns = munkres(cost)
        assert len(set(rows)) == len(set(columns)) == len(rows) == min(shape)
        assert cost[rows, columns].sum() == cost[linear_sum_assignment(cost)].sum()


def test_munkres_is_right_by_trying_everything():
    cost = np.random.default_rng(1).normal(size=(5, 5))
    best = min(cost[range(5), order].sum() for order in itertools.permutations(range(5)))
    assert cost[munkres(cost)].sum() == pytest.approx(best)


def brute(heat, tags, factor, joint, wanted, norm):
    """The definition, on enlarged maps."""
    size = (heat.shape[2] * factor, heat.shape[1] * factor)
    found = []
    for k, tag in zip(joint, wanted, strict=True):
        large = cv2.resize(heat[k], size, interpolation=cv2.INTER_LINEAR)
        far = sum(
            (cv2.resize(maps[k], size, interpolation=cv2.INTER_LINEAR) - t) ** 2
            for maps, t in zip(tags, tag, strict=True)
        )
        alike = large - np.round(norm * np.sqrt(far))
        y, x = np.unravel_index(alike.argmax(), alike.shape)
        found.append((alike[y, x], large[y, x]))
    return np.array(found)


@pytest.mark.parametrize("factor", [1, 2])
@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("size", [(24, 32), (21, 29), (1, 1)])
def test_what_is_most_alike_is_found_without_looking_everywhere(factor, depth, size):
    rng = np.random.default_rng(factor + 2 * depth)
    heat = rng.random((3, *size)).astype(np.float32)
    tags = rng.normal(0, 3, (depth, 3, *size)).astype(np.float32)
    joint, wanted = rng.integers(0, 3, 12), rng.normal(0, 4, (12, depth))
    norm = depth**-0.5
    xy, value = most_alike(heat, tags, factor, joint, wanted, norm)
    best = brute(heat, tags, factor, joint, wanted, norm)
    np.testing.assert_allclose(value, best[:, 1], atol=1e-5)
    assert (xy < np.array(size[::-1]) * factor).all()
    assert (xy >= 0).all()
