import numpy as np
import pytest

from vitruvian.kernels.bones import doubles, group, sample

EDGES = np.array([[0, 1], [1, 0]])


def grouped(peaks, score, *, to=(0.0, 0.0), moved=(0.0, 0.0), refine=0):
    """People of peaks (keypoint, x, y): offsets ``to`` the second keypoint, ``moved`` near it."""
    owner, xy = np.array(peaks)[:, 0].astype(int), np.array(peaks)[:, 1:]
    mid = np.zeros((4, 6, 6), np.float32)
    mid[0], mid[1] = to
    mid[2:] = -mid[:2]
    short = np.zeros((4, 6, 6), np.float32)
    short[2], short[3] = moved
    order, starts = np.argsort(-np.array(score)), np.searchsorted(owner, [0, 1, 2])
    return group(owner, xy, order, starts, EDGES, short, mid, 20, refine, 10.0, 32.0).tolist()


def test_a_proposal_takes_the_nearest_peak_and_of_equal_ones_the_first():
    peaks = [(0, 50.0, 50.0), (1, 71.0, 69.0), (1, 70.0, 62.0), (1, 70.0, 58.0)]

    assert grouped(peaks, [0.9, 0.5, 0.5, 0.5], to=(20, 10))[0] == [0, 2]


def test_a_peak_beyond_reach_is_not_taken():
    peaks = [(0, 20.0, 50.0), (1, 72.0, 50.0)]

    assert grouped(peaks, [0.9, 0.5], to=(20, 0)) == [[0, 1]]
    assert grouped(peaks, [0.9, 0.5], to=(19, 0)) == [[0, -1], [-1, 1]]


def test_the_end_of_a_mid_offset_is_moved_by_the_short_offset_there():
    peaks = [(0, 20.0, 50.0), (1, 72.0, 50.0)]

    assert grouped(peaks, [0.9, 0.5], to=(10, 0), moved=(5, 0), refine=1) == [[0, -1], [-1, 1]]
    assert grouped(peaks, [0.9, 0.5], to=(10, 0), moved=(5, 0), refine=2) == [[0, 1]]


def test_somebody_elses_peak_is_not_taken_twice():
    peaks = [(0, 50.0, 50.0), (0, 90.0, 50.0), (1, 70.0, 60.0)]

    assert grouped(peaks, [0.9, 0.8, 0.7], to=(0, 0)) == [[0, 2], [1, -1]]


@pytest.mark.parametrize(("y", "people"), [(56.0, 1), (57.0, 2)])
def test_a_second_peak_at_the_same_keypoint_starts_nobody(y, people):
    assert len(grouped([(0, 50.0, 50.0), (0, 58.0, y)], [0.9, 0.8])) == people


def test_nobody_is_grown_from_no_peaks():
    assert grouped(np.zeros((0, 3)), []) == []


def test_fields_are_interpolated_and_go_on_beyond_the_border():
    field = np.array([[0, 1, 2], [10, 11, 12]], np.float32)

    found = [sample(field, x, y) for x, y in ((0.5, 0.25), (-3.0, 0.5), (9.0, 9.0))]

    assert found == [3, 5, 12]


def test_keypoints_that_a_better_person_has_are_doubles():
    peaks = np.array([[10.0, 10], [18, 16], [18, 17], [10, 10]])
    people = np.array([[0, -1], [1, 3], [2, 3]])

    assert doubles(people, peaks, 10.0).tolist() == [[False] * 2, [True, False], [True, True]]
