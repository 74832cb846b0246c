from itertools import product

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitruvian.kernels.limb_scores import (
    centroids,
    fine_peaks,
    read,
    score_pairs,
    taps,
    whole_peaks,
)

TAPS = taps(4)


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


@given(st.integers(0, 2**32), st.sampled_from([1, 2, 3, 4, 8]))
def test_a_pixel_is_that_of_the_whole_map_enlarged(seed, factor):
    plane = np.random.default_rng(seed).standard_normal((7, 5)).astype(np.float32)
    ours = [[read(plane, taps(factor), x, y) for x in range(5 * factor)] for y in range(7 * factor)]
    assert np.array(ours) == pytest.approx(enlarged(plane, factor), abs=2e-6)


def pixels(found):
    """Peaks (map, column, row)."""
    return {*map(tuple, found.tolist())}


@pytest.mark.parametrize("count", [0, 1, 5, 30])
@pytest.mark.parametrize("seed", range(3))
def test_peaks_are_those_of_the_whole_map(seed, count):
    maps = bumps(seed, count, noise=0)
    assert pixels(fine_peaks(maps, TAPS, 0.1)) == pixels(whole_peaks(maps, 4, 0.1))


@pytest.mark.parametrize("seed", range(5))
def test_of_noisy_maps_only_ripples_at_the_foot_of_slopes_are_left_out(seed):
    maps = bumps(seed, 30)
    ours, whole = pixels(fine_peaks(maps, TAPS, 0.1)), pixels(whole_peaks(maps, 4, 0.1))
    assert ours <= whole
    assert len(whole - ours) <= 0.05 * len(whole)
    for p, x, y in whole - ours:
        assert enlarged(maps[p], 4)[y, x] < 0.25


def test_a_peak_at_the_border_is_found():
    maps = np.zeros((1, 6, 6), np.float32)
    maps[0, 0, 5] = maps[0, 5, 0] = 1
    assert fine_peaks(maps, TAPS, 0.1).tolist() == [[0, 23, 0], [0, 0, 23]]


@pytest.mark.parametrize("shape", [(1, 1), (3, 2)])
def test_of_a_plateau_the_first_pixel_is_the_peak_unless_all_are_asked_for(shape):
    plateau = np.ones((1, *shape), np.float32)
    assert fine_peaks(plateau, TAPS, 0.1).tolist() == [[0, 0, 0]]
    assert len(whole_peaks(plateau, 4, 0.1)) == 16 * plateau.size


def test_centroid_of_a_gaussian_is_its_centre():
    y, x = np.mgrid[:32, :32]
    centre = np.array([60.3, 49.8])
    cell = (centre + 0.5) / 4 - 0.5
    plane = np.exp(-((x - cell[0]) ** 2 + (y - cell[1]) ** 2) / (2 * 2.25**2)).astype(np.float32)
    maps = plane[None]
    peaks = fine_peaks(maps, TAPS, 0.1)
    step, mean = centroids(maps, TAPS, peaks, 2)
    assert len(peaks) == 1
    # The window is narrow beside the Gaussian, so its centroid goes only part of the way.
    assert np.sign(step[0]).tolist() == [1, -1]
    assert (np.abs(peaks[0, 1:] + step[0] - centre) < 0.5).all()
    assert mean[0] == pytest.approx(0.975, abs=0.01)


def test_pixels_at_the_border_stay_and_keep_their_value():
    maps = bumps(0, 3, (1, 8, 8))
    y, x = np.array([1, 30, 16]), np.array([16, 16, 31])
    step, mean = centroids(maps, TAPS, np.stack([0 * x, x, y], axis=1), 2)
    assert not step.any()
    assert mean == pytest.approx(enlarged(maps[0], 4)[y, x], abs=1e-6)


LIMBS = np.array([[0, 1], [1, 2], [2, 3]])
RULE = {"samples": 20, "floor": 0.1, "agree": 0.8, "reach": 60.0}


def plain_scores(maps, factor, xy, first, samples, floor, agree, reach):
    """Sample by sample on the enlarged maps."""
    fine, found = [enlarged(plane, factor) for plane in maps], []
    for e, (a, b) in enumerate(LIMBS.tolist()):
        for i, j in product(range(first[a], first[a + 1]), range(first[b], first[b + 1])):
            length = float(np.linalg.norm(xy[j] - xy[i]))
            if length == 0:
                continue
            count = min(round(length + 1), samples)
            x, y = (np.rint(np.linspace(xy[i][k], xy[j][k], count)).astype(int) for k in (0, 1))
            values = fine[e][y, x]
            score = values.mean() + min(reach / length - 1, 0)
            if (values > floor).sum() >= agree * count and score > 0:
                found.append(([e, i, j], score, length))
    return found


@pytest.mark.parametrize("seed", range(4))
def test_scores_are_those_of_samples_on_the_enlarged_maps(seed):
    rng = np.random.default_rng(seed)
    maps = bumps(seed, 25, (3, 32, 32))
    xy = np.concatenate([rng.uniform(2, 125, (30, 2)), rng.uniform(60, 64, (10, 2))])
    first = np.arange(0, 41, 10)

    found, score, length = score_pairs(maps, TAPS, xy, first, LIMBS, *RULE.values())

    expected = plain_scores(maps, 4, xy, first, **RULE)
    assert len(expected) > 5
    assert found.tolist() == [ends for ends, _, _ in expected]
    assert score == pytest.approx([s for _, s, _ in expected], abs=1e-6)
    assert length == pytest.approx([n for _, _, n in expected])


def test_a_pair_without_length_is_no_limb():
    maps, xy = np.ones((1, 8, 8), np.float32), np.array([[8.0, 8.0], [8.0, 8.0]])
    found, _, _ = score_pairs(maps, TAPS, xy, np.array([0, 1, 2]), LIMBS[:1], *RULE.values())
    assert len(found) == 0
