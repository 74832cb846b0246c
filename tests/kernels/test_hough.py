"""Peaks of votes, beside whole maps of them."""

import cv2
import numpy as np
import pytest

from vitruvian.kernels.hough import Rule, vote_peaks
from vitruvian.kernels.votes import collect


def discs(places, cells, stride, rng):
    """Chances and noisy offsets of discs of two cells and a half around places, one map each."""
    h, w = cells
    x, y = np.meshgrid(np.arange(w) * stride, np.arange(h) * stride)
    chance, offset = (
        rng.uniform(0, 0.05, (len(places), h, w)),
        rng.normal(0, 1, (len(places), 2, h, w)),
    )
    for k, some in enumerate(places):
        for at in some:
            near = np.hypot(at[0] - x, at[1] - y) < 2.5 * stride
            chance[k][near] = 0.9
            offset[k, 0][near] = (at[0] - x)[near] + offset[k, 0][near]
            offset[k, 1][near] = (at[1] - y)[near] + offset[k, 1][near]
    return chance.astype(np.float32), offset.reshape(-1, h, w).astype(np.float32)


def plain(chance, offset, rule):
    """The same by whole maps and the votes of every pixel, in the unit of the rule."""
    h, w = chance.shape[1:]
    size = ((h - 1) * rule.stride + 1, (w - 1) * rule.stride + 1)
    between = [
        np.maximum(0, 1 - np.abs(np.arange(side)[:, None] / rule.stride - np.arange(n)))
        for side, n in zip(size, (h, w), strict=True)
    ]
    found = []
    for k, weak in enumerate(chance):
        weight, dx, dy = (between[0] @ f @ between[1].T for f in (weak, *offset[2 * k : 2 * k + 2]))
        y, x = np.nonzero(weight > rule.floor)
        place = np.stack([x + dx[y, x], y + dy[y, x]], axis=1)
        grid = collect(np.zeros(len(x), np.intp), place, weight[y, x], (1, *size))[0]
        grid /= rule.step**2
        if rule.margin:
            side = (2 * rule.margin + 1,) * 2
            grid = cv2.GaussianBlur(grid, side, rule.blur, borderType=cv2.BORDER_REFLECT)
        near = np.pad(grid, 1, constant_values=-1)
        top = grid > rule.least
        for other in (near[:-2, 1:-1], near[2:, 1:-1], near[1:-1, :-2], near[1:-1, 2:]):
            top &= grid >= other
        found += [(k, x, y, grid[y, x]) for y, x in np.argwhere(top)]
    return np.array(found).reshape(-1, 4)


def scene(stride, rng):
    """Maps without anybody, with one, with six, and with two in the corners."""
    limit = np.array([13, 10]) * stride
    places = [rng.uniform(0, 1, (n, 2)) * limit for n in (0, 1, 6)] + [np.array([[0, 0], limit])]
    return discs(places, (11, 14), stride, rng)


@pytest.mark.parametrize(("stride", "blur"), [(16, 2.0), (8, 2.0), (4, 0.0)])
def test_peaks_are_those_of_the_whole_maps(stride, blur):
    chance, offset = scene(stride, np.random.default_rng(stride))
    rule = Rule(stride=stride, step=1, floor=-1.0, blur=blur, least=13.0)

    owner, xy, votes = vote_peaks(chance, offset, rule)

    wanted = plain(chance, offset, rule)
    assert len(wanted) > 4
    assert np.array_equal(np.column_stack([owner, xy]), wanted[:, :3])
    assert votes == pytest.approx(wanted[:, 3], rel=2e-3)


@pytest.mark.parametrize("step", [2, 4])
def test_fewer_votes_have_the_same_peaks_within_a_pixel(step):
    chance, offset = scene(16, np.random.default_rng(16))
    rule = Rule(stride=16, step=step, floor=-1.0, blur=2.0, least=13.0 / step**2)

    owner, xy, votes = vote_peaks(chance, offset, rule)

    wanted = plain(chance, offset, rule)
    wanted = wanted[wanted[:, 3] > 2 * rule.least]
    assert len(wanted) > 4
    for k, x, y, height in wanted:
        near = (owner == k) & (np.abs(xy - [x, y]) <= 1).all(axis=1)
        assert votes[near].max() == pytest.approx(height, rel=0.15)


def test_nothing_votes_and_nothing_is_found():
    chance, offset = np.zeros((2, 5, 5), np.float32), np.zeros((4, 5, 5), np.float32)

    owner, xy, votes = vote_peaks(
        chance, offset, Rule(stride=8, step=1, floor=0.1, blur=2.0, least=1.0)
    )

    assert (len(owner), xy.shape, len(votes)) == (0, (0, 2), 0)
