"""Peaks: the batched steps against one map at a time, blurred as a whole by OpenCV."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitruvian.kernels.peaks import (
    dark_step,
    gaussian_taps,
    highest,
    local_maxima,
    quarter_step,
    udp_step,
)

seeds = st.integers(0, 2**32 - 1)


def bumps(seed, count=6, size=(24, 18)):
    """Noisy Gaussian bumps anywhere on the map, also at its border."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]]
    centre = rng.uniform(-0.5, np.array(size) - 0.5, (count, 2))[:, :, None, None]
    maps = np.exp(-((y - centre[:, 0]) ** 2 + (x - centre[:, 1]) ** 2) / 8)
    return (maps + rng.uniform(0, 0.02, maps.shape)).astype(np.float32)


def newton(gradient, hessian):
    if np.linalg.det(hessian) == 0:
        return np.zeros(2)
    step = -np.linalg.solve(hessian, gradient)
    return step if (np.abs(step) <= 2).all() else np.zeros(2)


def dark_reference(map_, x, y, blur):
    height, width = map_.shape
    if not (1 < x < width - 2 and 1 < y < height - 2):
        return np.zeros(2)
    soft = cv2.GaussianBlur(map_, (blur, blur), 0, borderType=cv2.BORDER_CONSTANT)
    log = np.log(np.maximum(soft, 1e-10))
    gradient = [(log[y, x + 1] - log[y, x - 1]) / 2, (log[y + 1, x] - log[y - 1, x]) / 2]
    dxx = (log[y, x + 2] - 2 * log[y, x] + log[y, x - 2]) / 4
    dyy = (log[y + 2, x] - 2 * log[y, x] + log[y - 2, x]) / 4
    dxy = log[y + 1, x + 1] - log[y - 1, x + 1] - log[y + 1, x - 1] + log[y - 1, x - 1]
    return newton(gradient, np.array([[dxx, dxy / 4], [dxy / 4, dyy]]))


def udp_reference(map_, x, y, blur):
    log = np.log(np.clip(cv2.GaussianBlur(map_, (blur, blur), 0), 1e-3, 50))
    log = np.pad(log, 1, mode="edge")
    x, y = x + 1, y + 1
    gradient = [(log[y, x + 1] - log[y, x - 1]) / 2, (log[y + 1, x] - log[y - 1, x]) / 2]
    dxx = log[y, x + 1] - 2 * log[y, x] + log[y, x - 1]
    dyy = log[y + 1, x] - 2 * log[y, x] + log[y - 1, x]
    dxy = (log[y + 1, x + 1] - log[y, x + 1] - log[y + 1, x] + 2 * log[y, x]) / 2
    dxy += (log[y - 1, x - 1] - log[y, x - 1] - log[y - 1, x]) / 2
    eps = np.finfo(np.float32).eps
    return newton(gradient, np.array([[dxx + eps, dxy], [dxy, dyy + eps]]))


@given(seed=seeds)
@pytest.mark.parametrize("blur", [3, 11])
@pytest.mark.parametrize(
    "step, reference", [(dark_step, dark_reference), (udp_step, udp_reference)]
)
def test_batched_steps_agree_with_the_whole_map_one_at_a_time(step, reference, blur, seed):
    maps = bumps(seed).astype(np.float64)
    xy, _ = highest(maps)

    ours = step(maps, xy, blur)

    for map_, cell, got in zip(maps, xy, ours, strict=True):
        assert got == pytest.approx(reference(map_, *cell, blur), abs=1e-6)


def test_the_first_of_equal_cells_is_the_highest():
    maps = np.zeros((2, 3, 4), np.float32)
    maps[0, 1, 2] = maps[0, 2, 3] = 5
    maps[1] = -1

    xy, value = highest(maps)

    assert xy.tolist() == [[2, 1], [0, 0]]
    assert value.tolist() == [5, -1]


@pytest.mark.parametrize("size", [1, 3, 5, 7, 11, 13, 17])
def test_taps_are_those_of_opencv(size):
    assert gaussian_taps(size) == pytest.approx(cv2.getGaussianKernel(size, 0)[:, 0], abs=1e-9)


def test_flat_maps_do_not_move_the_peak():
    maps = np.ones((1, 16, 16), np.float32)
    xy = np.array([[8, 8]])

    for step in (quarter_step(maps, xy), dark_step(maps, xy, 11), udp_step(maps, xy, 11)):
        assert step.tolist() == [[0, 0]]


@pytest.mark.parametrize("x, moves", [(0, False), (1, False), (2, True), (13, True), (15, False)])
def test_quarter_steps_keep_the_authors_distance_from_the_border(x, moves):
    maps = np.zeros((1, 16, 16))
    maps[0, 8, x], maps[0, 8, max(x - 1, 0)] = 1, 0.5

    assert quarter_step(maps, np.array([[x, 8]]))[0].any() == moves


def test_local_maxima_are_above_the_floor_and_topped_by_no_neighbour():
    field = np.array([[9, 1, 1, 3], [1, 2, 1, 3], [1, 1, 1, 1], [5, 1, 4, 1]], np.float32)

    rows, columns = local_maxima(field, 2.5)

    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == [
        (0, 0),
        (0, 3),
        (1, 3),
        (3, 0),
        (3, 2),
    ]
