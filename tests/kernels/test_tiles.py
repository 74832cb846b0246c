import numpy as np
import pytest

from vitruvian.kernels.tiles import CHUNK, bumps


def plain(owner, xy, sigma, height, shape):
    """Every bump on every pixel of its map."""
    maps = np.zeros(shape)
    y, x = np.mgrid[: shape[1], : shape[2]]
    for map_, centre, s, top in zip(owner, xy, sigma, height, strict=True):
        d2 = (x - centre[0]) ** 2 + (y - centre[1]) ** 2
        near = (abs(x - centre[0]) < 0.5) & (abs(y - centre[1]) < 0.5)
        bump = np.where(near, 1.0, (1 - d2 / (16 * s**2)) ** 8)
        maps[map_] += top * np.where(d2 <= s**2, bump, 0)
    return np.minimum(maps, 1)


def everywhere(tiles):
    """All maps, from look-ups of every pixel."""
    count, h, w = tiles.shape
    y, x = np.mgrid[:h, :w]
    xy = np.column_stack([x.ravel(), y.ravel()]).astype(float)
    return np.stack([tiles.at(np.full(len(xy), k), xy, -1.0).reshape(h, w) for k in range(count)])


@pytest.mark.parametrize("count", [0, 1, 300])
def test_sums_are_those_of_every_bump_on_every_pixel(count):
    rng = np.random.default_rng(count)
    shape = (3, 70, 90)
    owner, xy = rng.integers(0, 3, count), rng.uniform(-10, 95, (count, 2)).round(2)
    sigma, height = rng.uniform(1, 12, count), rng.uniform(0, 0.3, count)

    found = everywhere(bumps(owner, xy, sigma, height, shape))

    assert found == pytest.approx(plain(owner, xy, sigma, height, shape), abs=2e-6)


def test_more_pixels_than_a_chunk_holds_give_the_same():
    rng = np.random.default_rng(3)
    count, shape = 40, (1, 64, 64)
    xy, sigma, height = rng.uniform(0, 63, (count, 2)), np.full(count, 20.0), np.full(count, 0.02)
    owner = np.zeros(count, int)
    assert count * 41**2 > CHUNK

    found = everywhere(bumps(owner, xy, sigma, height, shape))

    assert found == pytest.approx(plain(owner, xy, sigma, height, shape), abs=2e-6)


def test_a_point_between_four_pixels_gives_none_of_them_the_whole_height():
    tiles = bumps(np.zeros(1, int), np.array([[5.5, 5.5]]), np.ones(1), np.ones(1), (1, 9, 9))

    assert tiles.at(np.zeros(1, int), np.array([[5.0, 6.0]]), -1.0) == pytest.approx(
        (1 - 0.5 / 16) ** 8
    )


def test_a_point_outside_has_the_value_asked_for():
    tiles = bumps(np.zeros(0, int), np.zeros((0, 2)), np.zeros(0), np.zeros(0), (2, 1, 1))

    at = np.array([[0.4, 0.0], [0.6, 0.0], [-0.6, 0.0], [0.0, 9.0]])
    assert tiles.at(np.ones(4, int), at, -1.0).tolist() == [0, -1, -1, -1]


def test_empty_places_of_large_maps_take_no_memory():
    tiles = bumps(
        np.zeros(1, int), np.array([[900.0, 900.0]]), np.array([4.0]), np.ones(1), (17, 1801, 1801)
    )

    assert tiles.values.nbytes + tiles.index.nbytes < 17 * 1801 * 1801 * 4 / 50
