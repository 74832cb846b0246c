import numpy as np
import pytest

from vitruvian.kernels.cubic import enlarged
from vitruvian.kernels.sample_lines import agreement

DOWN, ACROSS = ((axis.start, axis.weights) for axis in (enlarged(20, (160,)), enlarged(30, (240,))))


def judged(field, start, stop, *, samples=10, floor=0.05, misses=1, passing_only=False):
    """Rows and means of the segments of one field 20 30 complex that agree."""
    maps = np.stack([np.real(field), np.imag(field)]).astype(np.float32)
    start, stop = (np.array(points, np.int64).reshape(-1, 2) for points in (start, stop))
    settings = samples, floor, misses, passing_only
    means = np.diag(agreement(maps, DOWN, ACROSS, start, stop, *settings))
    rows = np.flatnonzero(~np.isnan(means))
    return rows, means[rows]


def test_a_constant_field_agrees_with_each_segment_by_its_cosine():
    field = np.full((20, 30), 1.0)

    rows, mean = judged(field, [[8, 80]] * 4, [[200, 80], [108, 155], [8, 10], [2, 80]])

    assert rows.tolist() == [0, 1]
    assert mean == pytest.approx([1.0, 0.8], abs=1e-5)


def test_a_segment_may_miss_as_often_as_is_said():
    field = np.zeros((20, 30))
    field[:, :24] = 1  # to grid column 192 or so
    starts, stops = [[10, 80], [10, 80]], [[190, 80], [225, 80]]

    assert judged(field, starts, stops, misses=1)[0].tolist() == [0]
    assert judged(field, starts, stops, misses=2)[0].tolist() == [0, 1]


def test_the_mean_is_over_all_samples_or_those_above_the_floor():
    field = np.zeros((20, 30))
    field[:, :15] = 1
    segment = [[4, 80]], [[220, 80]]

    _, everything = judged(field, *segment, misses=9)
    _, above = judged(field, *segment, misses=9, passing_only=True)

    assert everything == pytest.approx([0.5], abs=0.01)
    assert above == pytest.approx([1.0], abs=0.01)


def test_a_segment_without_length_fails():
    assert len(judged(np.ones((20, 30)), [[9, 9]], [[9, 9]], misses=10)[0]) == 0


def test_no_segments_give_none():
    rows, mean = judged(np.ones((20, 30)), np.zeros((0, 2), int), np.zeros((0, 2), int))

    assert len(rows) == len(mean) == 0


@pytest.mark.parametrize("samples", [2, 3, 5, 10, 11])
def test_every_sample_counts_once(samples):
    rng = np.random.default_rng(samples)
    field = rng.normal(size=(20, 30)) + 1j * rng.normal(size=(20, 30))
    start, stop = rng.integers(0, [240, 160], (40, 2)), rng.integers(0, [240, 160], (40, 2))

    rows, mean = judged(field, start, stop, samples=samples, floor=-np.inf, misses=0)

    points = np.rint(np.linspace(start, stop, samples)).astype(int)
    every = judged_points(field, points, start, stop)
    assert rows.tolist() == list(range(40))
    assert mean == pytest.approx(every.mean(axis=0), abs=1e-5)


def judged_points(field, points, start, stop):
    """The projections at S M grid points of the field enlarged in full."""
    import cv2

    both = [
        cv2.resize(p, (240, 160), interpolation=cv2.INTER_CUBIC) for p in (field.real, field.imag)
    ]
    along = (stop - start) / np.linalg.norm(stop - start, axis=1, keepdims=True)
    x, y = points[..., 0], points[..., 1]
    return both[0][y, x] * along[:, 0] + both[1][y, x] * along[:, 1]
