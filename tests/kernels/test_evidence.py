import numpy as np
import pytest

from vitruvian.kernels.evidence import both_ways, bumps, evidence, speaking


def plain(owner, cells, shape):
    """Every bump on every pixel of its map."""
    maps = np.zeros(shape)
    y, x = np.mgrid[: shape[1], : shape[2]]
    for map_, (confidence, *centre, scale) in zip(owner, cells, strict=True):
        s = np.clip(scale / 2, 1, max(shape[1:]) / 8)
        d2 = (x - centre[0]) ** 2 + (y - centre[1]) ** 2
        near = (abs(x - centre[0]) < 0.5) & (abs(y - centre[1]) < 0.5)
        bump = np.where(near, 1.0, (1 - d2 / (16 * s**2)) ** 8)
        maps[map_] += confidence / 16 * np.where(d2 <= s**2, bump, 0)
    return np.minimum(maps, 1)


@pytest.mark.parametrize("count", [0, 1, 300])
def test_evidence_is_the_sum_of_every_bump_on_every_pixel(count):
    rng = np.random.default_rng(count)
    shape = (3, 70, 90)
    owner = rng.integers(0, 3, count).astype(np.int32)
    xy = rng.uniform(-10, 95, (count, 2)).round(2)
    cells = np.column_stack([rng.uniform(0, 4, count), xy, rng.uniform(1, 24, count)])
    k, y, x = (side.ravel() for side in np.indices(shape))

    found = evidence(k, np.column_stack([x, y]) + 0.3, -1.0, bumps(owner, cells, shape))

    assert found.reshape(shape) == pytest.approx(plain(owner, cells, shape), abs=1e-12)


def test_a_point_outside_has_the_value_asked_for():
    nothing = bumps(np.zeros(0, np.int32), np.zeros((0, 4)), (2, 1, 1))
    at = np.array([[0.4, 0.0], [0.6, 0.0], [-0.6, 0.0], [0.0, 9.0]])

    assert evidence(np.ones(4, np.int32), at, -1.0, nothing).tolist() == [0, -1, -1, -1]


@pytest.mark.parametrize("channels", [5, 8])
def test_raw_cells_are_read_as_those_after_the_activations(channels):
    rng = np.random.default_rng(channels)
    raw = rng.normal(0, 2, (2, channels, 4, 6)).astype(np.float32)
    read, scales = raw.astype(np.float64), 4 if channels == 5 else 6
    read[:, 1] = 1 / (1 + np.exp(-read[:, 1]))
    read[:, 2:scales:2] += np.arange(6)
    read[:, 3:scales:2] += np.arange(4)[:, None]
    read[:, scales:] = np.log1p(np.exp(read[:, scales:]))

    owner, cells, lost = speaking(raw, 0.4, stride=8, activated=False)
    other, wanted, _ = speaking(read.astype(np.float32), 0.4, stride=8, activated=True)

    sure = read[:, 1] >= 0.4
    assert np.array_equal(owner, np.nonzero(sure)[0])
    assert np.array_equal(owner, other)
    assert lost == 0
    assert cells[:, 0] == pytest.approx(read[:, 1][sure])
    assert cells[:, 1:] == pytest.approx(8 * np.moveaxis(read[:, 2:], 1, -1)[sure])
    assert cells == pytest.approx(wanted, rel=1e-5, abs=1e-5)


def test_cells_that_are_no_numbers_or_point_far_away_are_left_out():
    maps = np.ones((1, 5, 2, 4), np.float32)
    maps[0, 1, 0, 0], maps[0, 1, 0, 1], maps[0, 2, 0, 2], maps[0, 4, 0, 3] = (
        np.nan,
        np.inf,
        99,
        -np.inf,
    )
    maps[0, 1, 1, 0] = -np.inf

    owner, cells, lost = speaking(maps, 0.3, stride=8, activated=True)

    assert (len(owner), lost) == (3, 4)
    assert cells.tolist() == [[1, 8, 8, 8]] * 3


def test_rows_lead_both_ways_where_keypoints_bear_them_out():
    limbs = np.array([[0, 1]])
    seen = bumps(np.array([1], np.int32), np.array([[16.0, 30, 20, 8]]), (2, 41, 41))
    cell = np.array([[0.8, 5, 6, 30, 20, 3, 4]])

    ways, rows = both_ways(limbs, np.zeros(1, np.int32), cell, seen, 0.3)
    weak, _ = both_ways(limbs, np.zeros(1, np.int32), cell, seen, 0.05)

    assert ways.tolist() == [0]
    assert rows == pytest.approx(np.array([[5, 6, 0.8, 30, 20, 4]]))
    assert weak.tolist() == [0, 1]
