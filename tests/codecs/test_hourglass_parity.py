"""Targets, decodes and views of the two public ports of Stacked Hourglass.

Both count cells from the corner of the crop and truncate: a point lies in cell int(x / 4). That is
the nearest cell of the ``centre`` alignment. Where a port rounds image pixels to whole numbers, the
test rounds our answer and asks for equality.
"""

from functools import cache

import numpy as np
import pytest

from vitruvian.codecs.heatmap import Heatmap
from vitruvian.core.skeleton import skeleton
from vitruvian.core.view import View
from vitruvian.kernels.peaks import highest

SIZE = (256, 256)
MPII = skeleton("mpii16")


@pytest.fixture(scope="session")
def load(parity_data):
    return cache(lambda port: dict(np.load(parity_data / f"fn-hourglass-{port}.npz")))


def codec(cutoff=3.0):
    return Heatmap(
        skeleton=MPII, sigma=1.0, encoding="quantised", cutoff=cutoff, decoding="quarter"
    )


def encoded(cutoff, cells):
    """Targets of points given in the ports' cells."""
    visible = np.full(len(cells), 2, np.uint8)
    return codec(cutoff).encode((4 * cells - 0.5).astype(np.float32), visible, SIZE)["heatmap"]


def test_targets_of_every_point_in_the_map_equal_princetons(load):
    data = load("princeton")
    cells = data["kps"][0, :, :2]
    inside = ((cells > 0) & (cells < 64)).all(axis=1)

    ours = encoded(4.0, cells).value

    assert inside.sum() == 13
    assert np.abs(ours - data["heatmaps"])[inside].max() <= 1e-7
    assert not data["heatmaps"][~inside].any()


def test_targets_of_every_window_in_the_map_equal_bearpaws(load):
    data = load("bearpaw")
    cells, theirs = data["pts"], data["labelmaps"][:10]
    inside = (cells >= 3).all(axis=1)

    ours = encoded(3.0, np.pad(cells, ((0, 6), (0, 0)))).value[:10]

    assert inside.sum() == 7
    assert np.abs(ours - theirs)[inside].max() <= 1e-7
    assert np.abs(ours - theirs)[~inside].max() < 0.012


def test_decodes_equal_princetons_but_where_neighbours_tie(load):
    data = load("princeton")
    maps = data["det"]

    decoded = codec().decode({"heatmap": maps[None]}, SIZE)

    (x, y), at = highest(maps)[0].T, np.arange(16)
    right, left = maps[at, y, np.minimum(x + 1, 63)], maps[at, y, np.maximum(x - 1, 0)]
    below, above = maps[at, np.minimum(y + 1, 63), x], maps[at, np.maximum(y - 1, 0), x]
    tie = np.stack([right == left, below == above], axis=1)
    assert tie.sum() == 2
    theirs = data["parsed"][0, :, :2] + 0.25 * tie
    assert (decoded.xy[0] + 0.5) / 4 == pytest.approx(theirs, abs=1e-5)
    assert np.array_equal(decoded.scores[0], data["parsed"][0, :, 2].astype(np.float32))


def test_decodes_equal_bearpaws_final_predictions(load):
    data = load("bearpaw")
    decoded = codec().decode({"heatmap": data["heatmaps"]}, SIZE)

    for person, theirs in enumerate(data["final_preds"]):
        side = 200 * float(data["scale"][person])
        view = View.around(data["center"][person].astype(float), (side, side), SIZE)
        assert np.array_equal(np.trunc(view.to_image(decoded.xy[person])) + 1, theirs)


def test_views_equal_princetons_transform(load):
    for row in load("princeton")["transform_rows"]:
        centre, (scale, rotation), matrix = row[:2], row[2:4], row[4:10].reshape(2, 3)
        side = 200 * float(scale)
        view = View.around(centre, (side, side), SIZE, rotation=float(rotation), align="legacy")
        assert view.matrix == pytest.approx(matrix, abs=1e-6)
        assert np.array_equal(np.trunc(view.to_view(row[13:15])), row[15:17])
