import numpy as np

from vitruvian.kernels.match import People, extend, greedy, merge


def nobody(peaks=8, keypoints=4):
    return People(keypoints=keypoints, scores=[0.5] * peaks)


def test_the_best_connections_of_a_limb_come_first_and_share_no_peak():
    limb = np.array([0, 0, 0, 1])
    first, second = np.array([0, 0, 1, 0]), np.array([4, 5, 4, 5])
    score = np.array([0.9, 0.8, 0.7, 0.1])

    assert greedy(limb, first, second, score, 2) == [[(0, 4, 0.9)], [(0, 5, 0.1)]]


def test_of_equal_connections_the_first_one_wins():
    columns = np.zeros(2, int), np.array([0, 0]), np.array([4, 5]), np.array([0.5, 0.5])

    assert greedy(*columns, 1) == [[(0, 4, 0.5)]]


def test_limbs_that_share_a_peak_are_one_person():
    people = nobody()
    merge(people, (0, 1), [(0, 1, 1.0)], new=True, faithful=False)
    merge(people, (1, 2), [(1, 2, 2.0)], new=True, faithful=False)

    parts, total, count = people.table()

    assert parts.tolist() == [[0, 1, 2, -1]]
    assert total.tolist() == [3 * 0.5 + 3.0]
    assert count.tolist() == [3]


def test_a_limb_between_two_people_unites_them():
    people = nobody()
    merge(people, (0, 1), [(0, 1, 1.0)], new=True, faithful=False)
    merge(people, (2, 3), [(2, 3, 1.0)], new=True, faithful=False)
    merge(people, (1, 2), [(1, 2, 1.0)], new=False, faithful=False)

    parts, total, count = people.table()

    assert parts.tolist() == [[0, 1, 2, 3]]
    assert (total.tolist(), count.tolist()) == ([5.0], [4])


def test_a_limb_that_makes_nobody_joins_only_whom_there_is():
    people = nobody()
    merge(people, (0, 1), [(0, 1, 1.0)], new=False, faithful=False)

    assert people.table()[0].shape == (0, 4)


def rivals(*, faithful):
    """Two whole people of two keypoints, and a limb from one to the other."""
    people = nobody(keypoints=2)
    merge(people, (0, 1), [(0, 1, 1.0), (2, 3, 1.0)], new=True, faithful=faithful)
    merge(people, (0, 1), [(0, 3, 1.0)], new=True, faithful=faithful)
    return people.table()


def test_a_limb_to_somebody_elses_keypoint_is_left_out():
    parts, _, count = rivals(faithful=False)

    assert parts.tolist() == [[0, 1], [2, 3]]
    assert count.tolist() == [2, 2]


def test_the_published_code_replaces_the_keypoint_and_counts_it_again():
    parts, _, count = rivals(faithful=True)

    assert parts.tolist() == [[0, 3], [2, 3]]
    assert count.tolist() == [3, 2]


def test_extending_never_unites():
    people = nobody()
    extend(people, (0, 1), [(0, 1, 1.0)], new=True, first=True)
    extend(people, (2, 3), [(2, 3, 1.0)], new=True, first=False)
    extend(people, (1, 2), [(1, 2, 1.0)], new=True, first=False)

    parts, _, count = people.table()

    assert parts.tolist() == [[0, 1, 2, -1], [-1, -1, 2, 3]]
    assert count.tolist() == [3, 2]


def test_extending_by_a_limb_that_makes_nobody_fills_in_without_counting():
    people = nobody()
    extend(people, (0, 1), [(0, 1, 1.0)], new=True, first=True)
    extend(people, (1, 2), [(1, 2, 9.0)], new=False, first=False)
    extend(people, (3, 0), [(3, 0, 9.0)], new=False, first=False)

    parts, total, count = people.table()

    assert parts.tolist() == [[0, 1, 2, 3]]
    assert (total.tolist(), count.tolist()) == ([2.0], [2])
