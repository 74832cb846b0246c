import cv2
import numpy as np
import pytest

from vitruvian.kernels.enlarged import enlarged_at, enlarged_blocks, enlarged_peaks


def dense(maps, factor):
    """The maps, enlarged."""
    size = (maps.shape[2] * factor, maps.shape[1] * factor)
    return np.stack([cv2.resize(m, size, interpolation=cv2.INTER_LINEAR) for m in maps])


def peaks_of_dense(maps, radius, floor):
    """(map, x, y) of every point that is highest in its window: the definition, point by point."""
    found = []
    for k, rows in enumerate(maps):
        window = np.ones((2 * radius + 1,) * 2, np.uint8)
        top = (rows == cv2.dilate(rows, window)) & (rows > floor)
        found += [(k, x, y) for y, x in np.argwhere(top).tolist()]
    return sorted(found)


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
@pytest.mark.parametrize("radius", [1, 2])
@pytest.mark.parametrize("smooth", [0.0, 1.5])
def test_peaks_are_those_of_the_enlarged_maps(factor, radius, smooth):
    rng = np.random.default_rng(factor * 10 + radius)
    maps = rng.normal(size=(3, 19, 23)).astype(np.float32)
    if smooth:
        maps = np.stack([5 * cv2.GaussianBlur(m, (0, 0), smooth) for m in maps])
    owner, xy, value, slope = enlarged_peaks(maps, factor, radius, 0.3)
    large = dense(maps, factor)
    found = sorted(zip(owner.tolist(), *xy.T.tolist(), strict=True))
    level = (factor - 1) // 2  # rows and columns beyond the outermost centres, all alike
    inner = large[:, level : large.shape[1] - level, level : large.shape[2] - level]
    expected = [(k, x + level, y + level) for k, x, y in peaks_of_dense(inner, radius, 0.3)]
    assert found == expected
    np.testing.assert_allclose(value, large[owner, xy[:, 1], xy[:, 0]], atol=1e-5)
    ahead = np.minimum(xy[:, 0] + 1, large.shape[2] - 1), np.maximum(xy[:, 0] - 1, 0)
    across = large[owner, xy[:, 1], ahead[0]] - large[owner, xy[:, 1], ahead[1]]
    sure = np.abs(across) > 1e-4
    np.testing.assert_array_equal(slope[sure, 0], np.sign(across)[sure])


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_a_plateau_has_one_peak(factor):
    maps = np.zeros((1, 9, 9), np.float32)
    maps[0, 4, 4] = 1
    owner, xy, _, _ = enlarged_peaks(maps, factor, 2, 0.1)
    assert len(owner) == 1
    assert np.abs((xy[0] + 0.5) / factor - 4.5).max() <= 0.5 / factor


@pytest.mark.parametrize("shape", [(2, 1, 1), (1, 1, 7), (3, 5, 1)])
def test_the_smallest_maps_have_peaks_or_none(shape):
    assert len(enlarged_peaks(np.zeros(shape, np.float32), 2, 2, 0.1)[0]) == 0
    owner, xy, value, _ = enlarged_peaks(np.ones(shape, np.float32), 2, 2, 0.1)
    assert set(owner.tolist()) == set(range(shape[0]))
    assert (value == 1).all()
    assert (xy >= 0).all()


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_values_and_blocks_are_those_of_the_enlarged_maps(factor):
    rng = np.random.default_rng(factor)
    maps = rng.normal(size=(3, 11, 14)).astype(np.float32)
    large = dense(maps, factor)
    owner = rng.integers(0, 3, 50)
    x, y = rng.integers(0, large.shape[2], 50), rng.integers(0, large.shape[1], 50)
    np.testing.assert_allclose(
        enlarged_at(maps, factor, owner, x, y), large[owner, y, x], atol=1e-5
    )
    side = 3 * factor
    blocks = enlarged_blocks(
        maps, factor, owner[:2], np.array([0, side]), np.array([side, 0]), side
    )
    np.testing.assert_allclose(blocks[0], large[owner[0], side : 2 * side, :side], atol=1e-5)
    np.testing.assert_allclose(blocks[1], large[owner[1], :side, side : 2 * side], atol=1e-5)


def test_inputs_stay_as_they_are():
    maps = np.random.default_rng(0).random((2, 8, 8)).astype(np.float32)
    before = maps.copy()
    enlarged_peaks(maps, 2, 2, 0.5)
    np.testing.assert_array_equal(maps, before)
