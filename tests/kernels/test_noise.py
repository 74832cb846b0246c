import numpy as np
import pytest

from tests import plain_triangles as plain
from vitruvian.kernels.noise import noise, paint


def stained(u, v, fade, colours, pattern, stains):
    """The whole plane at once."""
    kind, cos, sin, planks = pattern
    a, b = cos * u + sin * v, cos * v - sin * u
    left, below = np.floor(a).astype(int), np.floor(b).astype(int)
    checks, tiles = (left + below) & 1, (a - left < 0.06) | (b - below < 0.06)
    mix = (np.zeros_like(a), checks, planks[left & 63], tiles)[kind]
    at = np.stack([u.ravel(), v.ravel()], 1)
    stain = sum(plain.noise(grid, at * f) / f**0.5 for grid, f in zip(*stains[:2], strict=True))
    even = fade * (mix - 0.5) + 0.5
    out = colours[0] + (colours[1] - colours[0]) * even[..., None]
    return np.clip(out * (1 + stains[2] * fade * stain.reshape(u.shape))[..., None], 0, 1)


def grid(seed):
    made = np.random.default_rng(seed).normal(size=(65, 65)).astype(np.float32)
    made[-1], made[:, -1] = made[0], made[:, 0]
    return made


def test_noise_is_the_grids_at_its_places_and_repeats():
    made = grid(0)
    assert noise(made, np.float32(5), np.float32(7)) == made[7, 5]
    half = noise(made, np.float32(5.5), np.float32(7))
    assert half == pytest.approx((made[7, 5] + made[7, 6]) / 2, abs=1e-6)
    assert noise(made, np.float32(5.5 - 128), np.float32(71)) == pytest.approx(half, abs=1e-6)


@pytest.mark.parametrize("kind", range(4))
def test_a_plane_is_painted_where_it_is_wanted(kind):
    rng = np.random.default_rng(kind)
    u, v = rng.uniform(-40, 40, (2, 20, 30)).astype(np.float32)
    fade, wanted = rng.random((20, 30)).astype(np.float32), rng.random((20, 30)) < 0.7
    colours = rng.random((2, 3)).astype(np.float32)
    pattern = (kind, np.float32(1.2), np.float32(-0.7), rng.random(64).astype(np.float32))
    cells = np.array([0.5, 2], np.float32)
    stains = (np.stack([grid(1), grid(2)]), cells, np.float32(0.2))
    out = np.full((20, 30, 3), 9, np.float32)
    paint(u, v, fade, wanted, colours, pattern, stains, out)
    assert (out[~wanted] == 9).all()
    off = np.abs(out - stained(u, v, fade, colours, pattern, stains)).max(2)[wanted]
    assert np.median(off) < 1e-5
    assert (off > 1e-3).mean() < 0.01  # an edge between two roundings
