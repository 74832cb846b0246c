import numpy as np
import pytest

from tests import plain_triangles as plain
from vitruvian.kernels import triangles

SIZE = (30, 44)


def soup(seed, count=80):
    """Triangles in front of a picture, some beyond its edges, and their corners' 1 / z."""
    rng = np.random.default_rng(seed)
    middle = rng.uniform(-5, 50, (count, 1, 3))
    corners = middle + rng.normal(0, 8, (count, 3, 3))
    corners[..., 2] = rng.uniform(0.1, 1, (count, 3))
    at = corners.reshape(-1, 3).astype(np.float32)
    return at, np.arange(3 * count, dtype=np.int32).reshape(count, 3)


def test_normals_are_those_of_the_triangles_around_a_vertex():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(60, 3)).astype(np.float32)
    faces = rng.integers(0, 50, (90, 3)).astype(np.int32)
    found = triangles.normals(points, faces)
    np.testing.assert_allclose(found, plain.normals(points, faces), atol=1e-5)
    assert not found[50:].any()  # of no triangle


@pytest.mark.parametrize("seed", range(3))
def test_triangles_are_kept_that_may_be_seen(seed):
    at, faces = soup(seed)
    rng = np.random.default_rng(seed)
    behind, both = rng.random(len(at)) < 0.05, rng.random(len(faces)) < 0.5
    found = triangles.in_front(at, behind, faces, both, *SIZE)
    assert 5 < len(found) < len(faces)
    np.testing.assert_array_equal(found, plain.in_front(at, behind, faces, both, *SIZE))


@pytest.mark.parametrize("seed", range(3))
def test_the_samples_see_the_triangles_that_the_plain_way_finds_there(seed):
    at, faces = soup(seed)
    corners = at[faces]
    shares = triangles.planes(corners)
    np.testing.assert_allclose(shares, plain.planes(corners), rtol=1e-6)
    near, number = np.full(SIZE, 0.3, np.float32), np.full(SIZE, -1, np.int32)
    near[:, 22:] = 0
    wanted = plain.scan(corners, shares, np.float32(20), near, number)
    triangles.scan(corners, shares, np.float32(20), near, number)
    assert (number >= 0).sum() > 200
    assert (number < 0).any()
    np.testing.assert_allclose(near, wanted[0], rtol=1e-6)
    np.testing.assert_array_equal(number, wanted[1])


def test_of_equally_near_triangles_the_later_is_seen_and_what_was_there_before_stays():
    corners = np.array([[(2, 2, 0.5), (2, 20, 0.5), (20, 2, 0.5)]] * 2, np.float32)
    for before, seen in ((0.25, 1), (0.5, -1)):
        near, number = np.full(SIZE, before, np.float32), np.full(SIZE, -1, np.int32)
        triangles.scan(corners, triangles.planes(corners), np.float32(20), near, number)
        assert number[5, 5] == seen


def test_light_falls_as_the_formulas_say():
    rng = np.random.default_rng(1)
    points = rng.normal(0, 1, (50, 3)).astype(np.float32)
    outward = rng.normal(size=(50, 3)).astype(np.float32)
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    gloss, inside = rng.random(50).astype(np.float32), rng.random(50) < 0.5
    light = np.array([0.48, 0.6, 0.64], np.float32)
    given = (points, outward, gloss, inside, np.array([0, 1, -4], np.float32), light)
    found = triangles.light_up(*given, np.float32(0.4))
    np.testing.assert_allclose(found, plain.light_up(*given, np.float32(0.4)), atol=1e-5)


@pytest.mark.parametrize("samples", [1, 2])
def test_samples_have_the_colours_of_their_surface_or_of_their_pixels_middle(samples):
    rng = np.random.default_rng(2)
    at, faces = soup(4, 40)
    kept = faces[triangles.in_front(at, np.zeros(len(at), bool), faces, np.ones(40, bool), *SIZE)]
    corners, count = at[kept], len(kept)
    shares = triangles.planes(corners)
    near, number = np.zeros(SIZE, np.float32), np.full(SIZE, -1, np.int32)
    triangles.scan(corners, shares, np.float32(20), near, number)
    looks = rng.random((len(at), 7)).astype(np.float32)
    about = (shares, corners[:, 0, :2], kept, (np.arange(count) % 7).astype(np.int32))
    period = rng.uniform(0.05, 0.3, 7).astype(np.float32)
    styles = (rng.random((7, 3)).astype(np.float32), np.arange(-1, 6), period)
    grid = rng.normal(size=(65, 65)).astype(np.float32)
    out = np.full((*SIZE, 3), 9, np.float32)
    triangles.shade(number, samples, about, looks, styles, grid, np.float32(0.006), out)
    pixels = about[3][number] * (number >= 0) - (number < 0)
    blocks = pixels.reshape(SIZE[0] // samples, samples, SIZE[1] // samples, samples)
    whole = (blocks == blocks[:, :1, :, :1]).all((1, 3)).repeat(samples, 0).repeat(samples, 1)
    rows, columns = np.nonzero(number >= 0)
    same = whole[rows, columns]
    x, y = (
        np.where(same, v // samples * samples + (samples - 1) / 2, v).astype(np.float32)
        for v in (columns, rows)
    )
    first = number[rows // samples * samples, columns // samples * samples]
    seen = np.where(same, first, number[rows, columns])
    wanted = plain.colours(seen, x, y, about, looks, styles, grid, np.float32(0.006))
    off = np.abs(out[rows, columns] - wanted).max(1)
    assert np.median(off) < 1e-5
    assert (off > 1e-3).mean() < 0.01  # a pattern's edge between two roundings
    assert (out[number < 0] == 9).all()
