"""Targets, decodes and views of the two public ports of Stacked Hourglass.

Both count cells from the corner of the crop and truncate: a point lies in cell int(x / 4). That is
the nearest cell of the ``centre`` alignment. Where a port rounds image pixels to whole numbers,
our answer is rounded too.
"""

from pathlib import Path

import numpy as np

from tests.parity.kinds import PIXELS, Check, Pair, Row, compared, numbered
from vitruvian.codecs.heatmap import Heatmap
from vitruvian.core.view import View
from vitruvian.kernels.peaks import highest


def _load(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def _maps(cells: np.ndarray, shape: tuple[int, int], *, sigma: float, cutoff: float) -> np.ndarray:
    """Our targets K h w of points given in the ports' cells."""
    codec = Heatmap(skeleton=numbered(len(cells)), sigma=sigma, cutoff=cutoff, encoding="quantised")
    visible, size = np.full(len(cells), 2, np.uint8), (4 * shape[0], 4 * shape[1])
    return codec.encode((4 * cells - 0.5).astype(np.float32), visible, size)["heatmap"].value


def _decoded(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """View pixels B K 2 and scores B K."""
    codec = Heatmap(skeleton=numbered(maps.shape[1]), decoding="quarter")
    found = codec.decode({"heatmap": maps}, (4 * maps.shape[2], 4 * maps.shape[3]))
    return found.xy, found.scores


def _away(cell: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Cells at least two from every side, which is where all programs go a quarter cell on."""
    h, w = shape[-2:]
    return ((cell > 1) & (cell < np.array([w, h]) - 2)).all(axis=-1)


def _princeton(path: Path) -> Row:
    data = _load(path)
    theirs = data["heatmaps"]
    shape = theirs.shape[1:]
    people = data["kps"]
    drawn = np.zeros_like(theirs)
    for person in people[..., :2]:
        inside = ((person > 0) & (person < shape[::-1])).all(axis=1)
        maps = _maps(person, shape, sigma=shape[0] / 64, cutoff=4.0)
        drawn = np.maximum(drawn, maps * inside[:, None, None])
    pairs = [Pair(ours=drawn, theirs=theirs), *_princeton_decode(data)]
    for row in data["transform_rows"]:
        pairs += _princeton_view(row)
    return compared(path, pairs, note="without crops, which are cut at whole pixels and resized")


def _princeton_decode(data: dict[str, np.ndarray]) -> list[Pair]:
    """Of two equal neighbours they go to the first, we to none: their step is taken back."""
    maps = data["det"]
    count, h, w = maps.shape
    xy, scores = _decoded(maps[None])
    cell, at = highest(maps)[0], np.arange(count)
    x, y = cell.T
    right, left = maps[at, y, np.minimum(x + 1, w - 1)], maps[at, y, np.maximum(x - 1, 0)]
    below, above = maps[at, np.minimum(y + 1, h - 1), x], maps[at, np.maximum(y - 1, 0), x]
    tie = np.stack([right == left, below == above], axis=1)
    inner = _away(cell, maps.shape)
    ours = np.where(inner[:, None], (xy[0] + 0.5) / 4 - 0.25 * tie, cell)
    theirs = np.where(inner[:, None], data["parsed"][0, :, :2], data["parsed_noadjust"][0, :, :2])
    return [
        Pair(ours=4 * ours, theirs=4 * theirs, scale=PIXELS),
        Pair(ours=cell, theirs=data["parsed_noadjust"][0, :, :2], scale=PIXELS),
        Pair(ours=scores[0], theirs=data["parsed"][0, :, 2].clip(0, 1)),
    ]


def _princeton_view(row: np.ndarray) -> list[Pair]:
    """Columns: centre (2), scale, turn, matrix (9), a point (2), where it goes (2), back (2)."""
    side, matrix = 200 * float(row[2]), row[4:13].reshape(3, 3)[:2]
    pixels = round(float(np.hypot(*matrix[0, :2])) * side)
    view = View.around(
        row[:2], (side, side), (pixels, pixels), rotation=float(row[3]), align="legacy"
    )
    return [
        Pair(ours=view.matrix, theirs=matrix),
        Pair(ours=np.trunc(view.to_view(row[13:15])), theirs=row[15:17], scale=PIXELS),
        Pair(ours=np.trunc(view.to_image(row[13:15] / 3)), theirs=row[17:19], scale=PIXELS),
    ]


def _bearpaw(path: Path) -> Row:
    data = _load(path)
    theirs, pairs = data["labelmaps"], []
    for sigma, maps in zip(data["sigmas"], np.split(theirs, len(data["sigmas"])), strict=True):
        pairs.append(Pair(ours=_windows(data["pts"], float(sigma), maps.shape[1:]), theirs=maps))
    maps = data["heatmaps"]
    batch, count, h, w = maps.shape
    cell = highest(maps.reshape(-1, h, w))[0].reshape(batch, count, 2)
    pairs.append(Pair(ours=cell + 1, theirs=data["get_preds_1based"], scale=PIXELS))
    inner = _away(cell, maps.shape)
    for person, xy in enumerate(_decoded(maps)[0]):
        side = 200 * float(data["scale"][person])
        centre = data["center"][person].astype(float)
        view = View.around(centre, (side, side), (4 * h, 4 * w))
        ours, known = np.trunc(view.to_image(xy)) + 1, data["final_preds"][person]
        kept = inner[person]
        pairs.append(Pair(ours=ours[kept], theirs=known[kept], scale=PIXELS))
    return compared(path, pairs, note="without their accuracy, a diagnostic of training")


def _windows(points: np.ndarray, sigma: float, shape: tuple[int, int]) -> np.ndarray:
    """Our targets with the port's corners: both ends of a window are truncated towards zero.

    A window that begins left of the map is so drawn one cell to the right, and every window ends at
    its own corner.
    """
    first, end = np.trunc(points - 3 * sigma), np.trunc(points + 3 * sigma + 1)
    maps = _maps(first + 3 * sigma, shape, sigma=sigma, cutoff=3.0)
    columns, rows = np.arange(shape[1]) < end[:, :1], np.arange(shape[0]) < end[:, 1:]
    return maps * columns[:, None, :] * rows[:, :, None]


CHECKS: dict[str, Check] = {
    r"fn-hourglass-princeton": _princeton,
    r"fn-hourglass-bearpaw": _bearpaw,
}
"""Start of a fixture's file name -> what runs it."""
