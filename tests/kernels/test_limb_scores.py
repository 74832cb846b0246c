import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitruvian.kernels.limb_scores import Rule, centroids, fine_peaks, pairs, read, score_pairs

RULE = Rule(samples=20, floor=0.1, agree=0.8, reach=256.0)


def bumps(seed, count, shape=(2, 24, 40), noise=0.02):
    """Maps with Gaussians at random places, the highest where they overlap, and noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[1], : shape[2]]
    maps = np.zeros(shape, np.float32)
    for plane in maps:
        for cx, cy in rng.uniform(0, 1, (count, 2)) * [shape[2], shape[1]]:
            bump = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 2.25**2))
            np.maximum(plane, bump, out=plane)
    return maps + noise * rng.standard_normal(shape).astype(np.float32)


def enlarged(plane, factor):
    return cv2.resize(plane, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)


@given(st.integers(0, 2**32), st.sampled_from([2, 4, 8]))
def test_read_is_the_whole_map_enlarged(seed, factor):
    maps = np.random.default_rng(seed).standard_normal((3, 7, 5)).astype(np.float32)
    y, x = np.mgrid[: 7 * factor, : 5 * factor]
    for p, plane in enumerate(maps):
        owner = np.full(len(x), p)
        assert read(maps, factor, owner, x, y) == pytest.approx(enlarged(plane, factor), abs=2e-6)


def test_read_works_beyond_the_rows_that_one_call_can_count():
    maps = np.random.default_rng(0).standard_normal((4, 16_000, 2)).astype(np.float32)
    owner, y = np.array([0, 1, 3, 3]), np.array([[0], [63_999], [5], [40_000]])
    expected = [enlarged(maps[p], 4)[row, 3] for p, row in zip(owner, y[:, 0], strict=True)]
    assert read(maps, 4, owner, np.full((4, 1), 3), y)[:, 0] == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("count", [0, 1, 5, 30])
@pytest.mark.parametrize("seed", range(3))
def test_peaks_are_those_of_the_whole_map(seed, count):
    maps = bumps(seed, count, noise=0)
    for ours, whole in zip(
        fine_peaks(maps, 4, 0.1), fine_peaks(maps, 4, 0.1, whole=True), strict=True
    ):
        assert np.array_equal(ours, whole)


@pytest.mark.parametrize("seed", range(5))
def test_of_noisy_maps_only_ripples_at_the_foot_of_slopes_are_left_out(seed):
    maps = bumps(seed, 30)
    ours, whole = (
        {*zip(*(axis.tolist() for axis in fine_peaks(maps, 4, 0.1, whole=all_)), strict=True)}
        for all_ in (False, True)
    )
    assert len(whole - ours) <= 0.05 * len(whole)
    for p, x, y in whole - ours:
        assert enlarged(maps[p], 4)[y, x] < 0.25


def test_a_peak_at_the_border_is_found():
    maps = np.zeros((1, 6, 6), np.float32)
    maps[0, 0, 5] = maps[0, 5, 0] = 1
    _, x, y = fine_peaks(maps, 4, 0.1)
    assert [*zip(x.tolist(), y.tolist(), strict=True)] == [(23, 0), (0, 23)]


@pytest.mark.parametrize("shape", [(1, 1), (3, 2)])
def test_of_a_plateau_the_first_pixel_is_the_peak_unless_all_are_asked_for(shape):
    plateau = np.ones((1, *shape), np.float32)
    owner, x, y = fine_peaks(plateau, 4, 0.1)
    assert (owner.tolist(), x.tolist(), y.tolist()) == ([0], [0], [0])
    assert len(fine_peaks(plateau, 4, 0.1, whole=True)[0]) == 16 * plateau.size


def test_centroid_of_a_gaussian_is_its_centre():
    y, x = np.mgrid[:32, :32]
    centre = np.array([60.3, 49.8])
    cell = (centre + 0.5) / 4 - 0.5
    plane = np.exp(-((x - cell[0]) ** 2 + (y - cell[1]) ** 2) / (2 * 2.25**2)).astype(np.float32)
    maps = plane[None]
    owner, px, py = fine_peaks(maps, 4, 0.1)
    step, mean = centroids(maps, 4, owner, px, py, 2)
    assert len(owner) == 1
    # The window is narrow beside the Gaussian, so its centroid goes only part of the way.
    assert np.sign(step[0]).tolist() == [1, -1]
    assert (np.abs(np.array([px[0], py[0]]) + step[0] - centre) < 0.5).all()
    assert mean[0] == pytest.approx(0.975, abs=0.01)


def test_pixels_at_the_border_stay_and_keep_their_value():
    maps = bumps(0, 3, (1, 8, 8))
    y, x = np.array([1, 30, 16]), np.array([16, 16, 31])
    step, mean = centroids(maps, 4, np.zeros(3, int), x, y, 2)
    assert not step.any()
    assert mean == pytest.approx(enlarged(maps[0], 4)[y, x], abs=1e-6)


def test_pairs_are_all_of_both_ends():
    owner = np.array([0, 0, 1, 1, 1, 3])
    found = pairs(owner, np.array([[0, 1], [1, 2], [3, 0]]), 4)
    assert found.tolist() == [
        *([0, a, b] for a in (0, 1) for b in (2, 3, 4)),
        [2, 5, 0],
        [2, 5, 1],
    ]


def plain_scores(maps, factor, xy, pair, rule):
    """Sample by sample on the enlarged maps."""
    fine, found = [enlarged(plane, factor) for plane in maps], []
    for row, (e, a, b) in enumerate(pair.tolist()):
        length = float(np.linalg.norm(xy[b] - xy[a]))
        if length == 0:
            continue
        count = min(round(length + 1), rule.samples)
        x, y = (np.rint(np.linspace(xy[a][i], xy[b][i], count)).astype(int) for i in (0, 1))
        values = fine[e][y, x]
        score = values.mean() + min(rule.reach / length - 1, 0)
        if (values > rule.floor).sum() >= rule.agree * count and score > 0:
            found.append((row, score, length))
    return found


@pytest.mark.parametrize("seed", range(4))
def test_scores_are_those_of_samples_on_the_enlarged_maps(seed):
    rng = np.random.default_rng(seed)
    maps = bumps(seed, 25, (3, 32, 32))
    xy = np.concatenate([rng.uniform(2, 125, (30, 2)), rng.uniform(60, 64, (10, 2))])
    pair = pairs(np.repeat([0, 1, 2, 3], 10), np.array([[0, 1], [1, 2], [2, 3]]), 4)
    rule = Rule(samples=20, floor=0.1, agree=0.8, reach=60.0)

    row, score, length = score_pairs(maps, 4, xy, pair, rule)

    expected = plain_scores(maps, 4, xy, pair, rule)
    assert len(expected) > 5
    assert row.tolist() == [r for r, _, _ in expected]
    assert score == pytest.approx([s for _, s, _ in expected], abs=1e-6)
    assert length == pytest.approx([n for _, _, n in expected])


def test_a_pair_without_length_is_no_limb():
    xy = np.array([[8.0, 8.0], [8.0, 8.0]])
    pair = np.array([[0, 0, 1]])
    row, _, _ = score_pairs(np.ones((1, 8, 8), np.float32), 4, xy, pair, RULE)
    assert len(row) == 0
