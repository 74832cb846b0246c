import numpy as np
import pytest

from vitruvian.kernels.squares import SIDE, sort_squares


@pytest.mark.parametrize("count", [0, 1, 200])
def test_every_point_is_in_its_square_in_their_order(count):
    rng = np.random.default_rng(count)
    owner, xy = rng.integers(0, 3, count), rng.uniform(-20, 120, (count, 2))

    starts, order, side = sort_squares(owner, xy, (3, 70, 100))

    assert (starts.shape, side) == ((4, 5, 7), SIDE)
    ends = np.append(starts.ravel()[1:], count)
    for place, (first, last) in enumerate(zip(starts.ravel(), ends, strict=True)):
        f, j, i = np.unravel_index(place, starts.shape)
        at = np.clip(xy // SIDE, 0, [6, 4]) == [i, j]
        assert order[first:last].tolist() == np.flatnonzero((owner == f) & at.all(axis=1)).tolist()
