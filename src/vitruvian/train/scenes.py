"""Scenes for a detector: whole pictures at random scales, alone or in a mosaic.

Most labelled pictures hold one person, and others in them may be unlabelled. So a picture that is
not fully annotated teaches "nobody" fully only around its labelled people, and weakly elsewhere;
what an empty place looks like is learnt from pictures without people and fully labelled scenes.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from vitruvian.core.errors import InputError
from vitruvian.core.protocols import BoxCodec
from vitruvian.core.sample import Sample
from vitruvian.core.types import Image, Target
from vitruvian.core.view import View
from vitruvian.datasets import Dataset
from vitruvian.image.augment import distort
from vitruvian.image.warp import warp
from vitruvian.systems.spec import System
from vitruvian.train.feed import Pictures

GRIDS = (0.5, 0.3, 0.2)
"""Share of the scenes of 1, 2 x 2 and 3 x 3 pictures."""
ZOOM = (0.7, 1.8)
"""Range of a picture's scale; at 1 it just fits its tile."""
UNLABELLED = 0.2
"""Weight of "nobody" away from the labelled people of a picture that is not fully annotated."""


class Scenes:
    """One row per picture; items are scenes that begin with that picture (detector training)."""

    def __init__(self, datasets: Sequence[Dataset], system: System) -> None:
        if not isinstance(system.codec, BoxCodec):
            raise InputError(f"scenes train detectors, whose codec is a BoxCodec: {system.codec!r}")
        self._system, self._codec, self._pictures = system, system.codec, Pictures()
        self._samples = [sample for dataset in datasets for sample in dataset]
        if not any(len(sample) for sample in self._samples):
            raise InputError("the training data hold no person")
        self.groups = [sample.source if len(sample) else "background" for sample in self._samples]
        self._of = {
            name: np.flatnonzero(np.array(self.groups) == name) for name in sorted(set(self.groups))
        }

    def item(self, row: int, rng: np.random.Generator) -> tuple[Image, dict[str, Target]]:
        """A scene and its targets."""
        height, width = self._system.input.size
        image = np.zeros((height, width, 3), np.uint8)
        cells = (-(-height // self._codec.stride), -(-width // self._codec.stride))
        trust, boxes = np.zeros(cells, np.float32), []
        for tile, at in self._tiles(row, rng):
            view, placed = self._place(self._samples[at], tile, rng)
            y0, x0, y1, x1 = tile
            image[y0:y1, x0:x1] = warp(self._pictures(self._samples[at].path), view)
            found, tile_trust = self._label(self._samples[at], placed, view.size)
            s = self._codec.stride
            trust[y0 // s : y1 // s, x0 // s : x1 // s] = tile_trust
            boxes.append(found + np.array([x0, y0, x0, y0], np.float32))
        image = distort(image, self._system.recipe.augment, rng)
        return image, self._codec.encode(np.concatenate(boxes), trust, (height, width))

    def _tiles(
        self, row: int, rng: np.random.Generator
    ) -> list[tuple[tuple[int, int, int, int], int]]:
        """(y0, x0, y1, x1) in view pixels, multiples of the stride, and the picture shown there."""
        count = int(rng.choice(len(GRIDS), p=GRIDS)) + 1
        rows, columns = (self._cuts(side, count, rng) for side in self._system.input.size)
        places = [(y0, x0, y1, x1) for y0, y1 in pairwise(rows) for x0, x1 in pairwise(columns)]
        others = [self._draw(rng) for _ in places[1:]]
        return list(zip(places, [row, *others], strict=True))

    def _cuts(self, side: int, count: int, rng: np.random.Generator) -> list[int]:
        """0, ``count`` - 1 cuts near the even ones, and ``side``; multiples of the stride."""
        even = np.arange(1, count) + rng.uniform(-0.25, 0.25, count - 1)
        step = self._codec.stride
        return [0, *(int(side * c / count) // step * step for c in even), side]

    def _draw(self, rng: np.random.Generator) -> int:
        """A picture by the recipe's shares, like the first one of the scene."""
        shares = self._system.recipe.weights
        names = list(shares) or list(self._of)
        chance = np.array([shares.get(name, 1.0) for name in names])
        return int(rng.choice(self._of[names[rng.choice(len(names), p=chance / chance.sum())]]))

    def _place(
        self, sample: Sample, tile: tuple[int, int, int, int], rng: np.random.Generator
    ) -> tuple[View, np.ndarray]:
        """A view of the tile's size, and the sample's boxes in it (N 4, not yet clipped)."""
        size = (tile[2] - tile[0], tile[3] - tile[1])
        fit = min(size[0] / sample.size[0], size[1] / sample.size[1])
        scale = fit * float(np.exp(rng.uniform(*np.log(ZOOM))))
        extent = (size[0] / scale, size[1] / scale)
        room = np.array([sample.size[1] - extent[1], sample.size[0] - extent[0]])
        corner = room * rng.uniform(0, 1, 2)
        centre = corner + np.array([extent[1], extent[0]]) / 2
        flip = bool(rng.random() < self._system.recipe.augment.flip)
        view = View.around(centre, extent, size, flip=flip)
        corners = view.to_view(sample.boxes.reshape(-1, 2, 2))
        return view, np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)

    def _label(
        self, sample: Sample, placed: np.ndarray, size: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Boxes to learn, clipped to the tile, and how far "nobody" is to be trusted, h w."""
        limit = np.array([size[1], size[0]] * 2, np.float32) - 0.5
        clipped = np.clip(placed, -0.5, limit)
        whole, seen = ((b[:, 2:] - b[:, :2]).prod(axis=1) for b in (placed, clipped))
        side = (
            (clipped[:, 2:] - clipped[:, :2]).min(axis=1, initial=np.inf) if len(placed) else seen
        )
        learn = ~sample.crowd & (seen > 0.3 * whole) & (side >= self._codec.stride)
        s = self._codec.stride
        h, w = -(-size[0] // s), -(-size[1] // s)
        trust = np.full((h, w), 1.0 if sample.fully_annotated else UNLABELLED, np.float32)
        for box, good in zip(clipped, learn, strict=True):
            grow = 0.25 * (box[2:] - box[:2]) if good else np.zeros(2)
            x0, y0 = np.floor((box[:2] - grow) / s).astype(int).clip(0)
            x1, y1 = np.ceil((box[2:] + grow) / s).astype(int).clip(0)
            trust[y0:y1, x0:x1] = 1.0 if good else 0.0
        return clipped[learn].astype(np.float32), trust
