import cv2
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from vitruvian.kernels.cubic import enlarged, peaks, sample


def axes(cells, steps, blur=0.0):
    return [enlarged(n, tuple(s[i] for s in steps), blur) for i, n in enumerate(cells)]


def whole(one, steps, blur=0.0):
    """The enlarged map, made in full."""
    for height, width in steps:
        one = cv2.resize(one, (width, height), interpolation=cv2.INTER_CUBIC)
    return gaussian_filter(one, blur) if blur else one


def tops(fine, floor, *, strict):
    around = np.pad(fine, 1, constant_values=-np.inf)
    sides = np.stack([around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:]])
    better = fine > sides if strict else fine >= sides
    rows, columns = np.nonzero(better.all(0) & (fine > floor))
    return {*zip(columns.tolist(), rows.tolist(), strict=True)}


def found(one, steps, floor, *, strict=True, blur=0.0):
    down, across = axes(one.shape, steps, blur)
    owner, x, y = peaks(one[None], down, across, floor, strict=strict)
    assert (owner == 0).all()
    return set(zip(x.tolist(), y.tolist(), strict=True))


def noise(seed, shape, smooth):
    one = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    one = gaussian_filter(one, smooth) if smooth else one
    return (one / one.max()).astype(np.float32)


def bumps(seed, shape, count):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    one = np.zeros(shape)
    for cx, cy in rng.uniform(0, 1, (count, 2)) * [shape[1] - 1, shape[0] - 1]:
        bump = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 0.875**2))
        one = np.maximum(one, rng.uniform(0.3, 1) * bump)
    return (one + rng.normal(size=shape) * 0.02).astype(np.float32)


STEPS = {
    "x8": [(96, 80)],
    "x4": [(48, 40)],
    "x8 and on to another size": [(96, 80), (131, 117)],
    "smaller again": [(96, 80), (70, 61)],
}
every_step = pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)


@every_step
@pytest.mark.parametrize("blur", [0.0, 3.0])
def test_a_sampled_point_is_that_of_the_whole_enlarged_map(steps, blur):
    one = noise(0, (12, 10), 0)
    expected = whole(one, steps, blur)
    y, x = (n.ravel() for n in np.mgrid[: expected.shape[0], : expected.shape[1]])
    down, across = axes(one.shape, steps, blur)

    value = sample(one[None], down, across, np.zeros((1, x.size), int), x, y)

    assert value[0] == pytest.approx(expected.ravel(), abs=2e-6)


def test_several_maps_are_sampled_together():
    maps = np.stack([noise(seed, (12, 10), 0) for seed in (1, 2)])
    down, across = axes((12, 10), STEPS["x8"])
    x, y = np.array([0, 40, 79]), np.array([95, 33, 0])

    value = sample(maps, down, across, np.array([[0, 1, 0], [1, 1, 1]]), x, y)

    first, second = (whole(one, STEPS["x8"])[y, x] for one in maps)
    assert value[0] == pytest.approx([first[0], second[1], first[2]], abs=2e-6)
    assert value[1] == pytest.approx(second, abs=2e-6)


@every_step
@pytest.mark.parametrize("smooth", [0, 0.7, 1.5])
@pytest.mark.parametrize("seed", range(3))
def test_peaks_are_those_of_the_whole_enlarged_map(steps, smooth, seed):
    one = noise(seed, (12, 10), smooth)

    assert found(one, steps, 0.1) == tops(whole(one, steps), 0.1, strict=True)


@pytest.mark.parametrize("blur", [0.0, 3.0])
@pytest.mark.parametrize("seed", [0, 1, 2, 22])
def test_peaks_of_bumps_are_those_of_the_whole_blurred_map(blur, seed):
    one, steps = bumps(seed, (30, 26), 12), [(240, 208)]

    expected = tops(whole(one, steps, blur), 0.1, strict=False)

    assert found(one, steps, 0.1, strict=False, blur=blur) == expected
    assert expected


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (3, 1), (2, 2)])
@pytest.mark.parametrize("blur", [0.0, 3.0])
def test_maps_of_a_few_cells_have_their_highest_point_among_the_peaks(shape, blur):
    one, steps = noise(3, shape, 0), [(shape[0] * 8, shape[1] * 8)]
    fine = whole(one, steps, blur)

    points = found(one, steps, 0.1, strict=False, blur=blur)

    assert max(fine[y, x] for x, y in points) == pytest.approx(fine.max(), abs=1e-6)


def test_several_maps_are_told_apart():
    maps = np.stack([np.zeros((12, 10)), bumps(0, (12, 10), 1), bumps(1, (12, 10), 2)])
    maps = maps.astype(np.float32)
    down, across = axes((12, 10), STEPS["x8"])

    owner, x, y = peaks(maps, down, across, 0.2, strict=True)

    for k, one in enumerate(maps):
        mine = x[owner == k].tolist(), y[owner == k].tolist()
        assert {*zip(*mine, strict=True)} == found(one, STEPS["x8"], 0.2)
    assert (np.diff(owner) >= 0).all()


def test_nothing_above_the_floor_gives_no_peak():
    assert found(np.zeros((12, 10), np.float32), STEPS["x8"], 0.1) == set()
