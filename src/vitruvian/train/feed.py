"""The training feed: an order of draws, items made by threads ahead of the device, batches.

Every item is a pure function of (seed, epoch, position), so neither the number of threads nor a
resumed run changes what the network sees. OpenCV and NumPy release the interpreter lock in the
calls that cost something, so threads suffice and pictures are decoded once into a shared cache.
"""

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol

import numpy as np

from vitruvian.core.convert import convert, missing
from vitruvian.core.errors import ConfigError, InputError
from vitruvian.core.sample import Sample
from vitruvian.core.skeleton import Skeleton
from vitruvian.core.types import Image, Target
from vitruvian.core.view import View
from vitruvian.datasets import Dataset
from vitruvian.datasets.synthetic import streamed
from vitruvian.image.augment import distort, halves_of, random_view
from vitruvian.image.proposals import proposed, upright
from vitruvian.image.read import read
from vitruvian.image.warp import warp
from vitruvian.systems.spec import System

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one optimiser step sees.

    Attributes:
        images: B H W 3 uint8 RGB views.
        values: Field name -> B C h w float32 targets.
        weights: Field name -> weights that broadcast to the targets.
        rows: The draws, for naming the culprits of a bad batch.
        given: What else the network is given, by name; B … each.
    """

    images: np.ndarray
    values: dict[str, np.ndarray]
    weights: dict[str, np.ndarray]
    rows: np.ndarray
    given: dict[str, np.ndarray] = field(default_factory=dict)


Item = tuple[Image, dict[str, Target]] | tuple[Image, dict[str, Target], dict[str, np.ndarray]]
"""View, targets by field name and, for some networks, what else they are given, by name."""


class Pictures:
    """Decoded pictures by path, kept until ``limit`` bytes are held."""

    def __init__(self, limit: int = 6 << 30) -> None:
        self._limit, self._held, self._lock = limit, 0, Lock()
        self._kept: dict[str, Image] = {}

    def __call__(self, path: str) -> Image:
        """RGB uint8 H W 3; never write into it."""
        image = self._kept.get(path)
        if image is None:
            image = streamed(path) if path.startswith("synthetic:") else read(path)
            with self._lock:
                if self._held + image.nbytes <= self._limit and path not in self._kept:
                    self._kept[path], self._held = image, self._held + image.nbytes
        return image


class Source(Protocol):
    """Items to draw from."""

    @property
    def groups(self) -> Sequence[str]:
        """Name of the data set of every row, for weighted draws."""
        ...

    def item(self, row: int, rng: np.random.Generator) -> Item:
        """View and targets of one row, with every random choice from ``rng``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One person as a view shows them.

    Attributes:
        image: The view.
        view: How it shows the picture.
        sample: Labels of the picture.
        person: Position of the person among them.
        xy: K 2 float32, view pixels; left and right as the view shows them.
        visible: K uint8, of the same keypoints.
    """

    image: Image
    view: View
    sample: Sample
    person: int
    xy: np.ndarray
    visible: np.ndarray


class People:
    """One row per labelled person; items are views around the person (top-down training)."""

    def __init__(
        self, datasets: Sequence[Dataset], system: System, *, min_keypoints: int = 1
    ) -> None:
        self._system, self._pictures = system, Pictures()
        self._samples: list[Sample] = []
        self._rows: list[tuple[int, int]] = []
        for dataset in datasets:
            bones = check_skeleton(dataset.skeleton, system)
            alike = dataset.skeleton == bones  # names, and which of them a mirror exchanges
            for original in dataset:
                sample = original if alike else convert(original, bones)
                people = _trainable(sample, min_keypoints)
                self._rows += [(len(self._samples), int(person)) for person in people]
                self._samples.append(sample)
        if not self._rows:
            raise InputError("the training data hold no person with labelled keypoints")
        self.groups = [self._samples[at].source for at, _ in self._rows]
        self._halves = halves_of(bones.keypoints)

    def item(self, row: int, rng: np.random.Generator) -> Item:
        """View of one person and its targets."""
        seen = self.seen(row, rng)
        return seen.image, self._system.codec.encode(seen.xy, seen.visible, seen.view.size)

    def seen(self, row: int, rng: np.random.Generator) -> Seen:
        """A random view of one person."""
        at, person = self._rows[row]
        sample, rule, augment = self._samples[at], self._system.input, self._system.recipe.augment
        xy, visible = sample.xy[person], sample.visible[person]
        box = sample.boxes[person]
        if augment.proposals is not None:
            box = self._proposed(box, xy, sample.size, rng)
        view = random_view(
            box,
            xy,
            visible,
            self._halves,
            rule.size,
            augment,
            rng,
            padding=rule.padding,
            align=rule.align,
        )
        image = distort(warp(self._pictures(sample.path), view), augment, rng)
        xy = view.to_view(xy)
        if view.flipped:
            order = sample.skeleton.flip_index
            xy, visible = xy[order], visible[order]
        return Seen(image=image, view=view, sample=sample, person=person, xy=xy, visible=visible)

    def _proposed(
        self, box: np.ndarray, xy: np.ndarray, size: tuple[int, int], rng: np.random.Generator
    ) -> np.ndarray:
        """A box as a detector draws them around people in such a pose."""
        rule, bones = self._system.recipe.augment.proposals, self._system.skeleton
        pose = upright(xy[None], bones)[0] if len(rule.atoms) > 1 else None
        return proposed(box, size, rule, rng, pose=pose)


def check_skeleton(theirs: Skeleton, system: System) -> Skeleton:
    """The system's skeleton, to which data of ``theirs`` can be converted."""
    ours = system.skeleton
    lost = missing(theirs, ours) if ours else ()
    if ours is None or len(lost) == len(ours):
        raise InputError(
            f"the data have the keypoints of {theirs.name!r}, the system {system.name!r} those of "
            f"{ours and ours.name!r}, which have nothing in common; choose another system"
        )
    if lost:
        _log.warning("%s data teach nothing of %s", theirs.name, ", ".join(lost))
    return ours


def _trainable(sample: Sample, min_keypoints: int) -> np.ndarray:
    labelled = (sample.visible > 0).sum(axis=1) >= min_keypoints
    extent = sample.boxes[:, 2:] - sample.boxes[:, :2]
    return np.flatnonzero(labelled & ~sample.crowd & (extent > 1).all(axis=1))


def epoch_order(
    groups: Sequence[str], weights: dict[str, float], count: int, rng: np.random.Generator
) -> np.ndarray:
    """Rows of one epoch, ``count`` draws (0: as many as there are rows), shuffled.

    Args:
        groups: Data set of every row.
        weights: Share of the draws by data set; the others share the rest by their size.
        count: Number of draws.
        rng: Source of the order.

    Raises:
        ConfigError: A name that is not among the groups, or shares above 1.
    """
    count = count or len(groups)
    names = np.array(groups)
    unknown = sorted(set(weights) - set(groups))
    if unknown or sum(weights.values()) > 1 + 1e-9:
        raise ConfigError(
            f"recipe.weights {weights}: shares must sum to at most 1 and name data among "
            f"{sorted(set(groups))}"
        )
    rest = np.flatnonzero(~np.isin(names, list(weights)))
    parts = [(np.flatnonzero(names == name), share) for name, share in weights.items()]
    parts.append((rest, 1 - sum(weights.values())))
    chosen = [_cycle(rows, round(share * count), rng) for rows, share in parts if len(rows)]
    return rng.permutation(np.concatenate(chosen))


def _cycle(rows: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """``count`` rows, every row as often as any other (give or take one)."""
    rounds = -(-count // len(rows))
    return np.concatenate([rng.permutation(rows) for _ in range(rounds)] or [rows[:0]])[:count]


class Feed:
    """Batches of a source, made ahead by threads."""

    def __init__(self, source: Source, system: System, *, workers: int = 1, ahead: int = 4) -> None:
        self._source, self._recipe = source, system.recipe
        self._workers, self._ahead = workers, ahead
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="feed")

    @property
    def steps(self) -> int:
        """Optimiser steps of an epoch; an incomplete last batch is dropped."""
        draws = self._recipe.samples_per_epoch or len(self._source.groups)
        return max(1, draws // self._recipe.batch)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """Batches ``first``, ``first + 1``, … of one epoch."""
        recipe = self._recipe
        order = epoch_order(
            self._source.groups,
            recipe.weights,
            recipe.samples_per_epoch,
            np.random.default_rng([recipe.seed, epoch]),
        )
        order = np.resize(order, max(len(order), recipe.batch))
        waiting: deque = deque()
        for step in range(first, self.steps + self._ahead):
            if step < self.steps:
                waiting.append(self._pool.submit(self._batch, order, epoch, step))
            if step >= first + self._ahead or step >= self.steps:
                if not waiting:
                    return
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _batch(self, order: np.ndarray, epoch: int, step: int) -> Batch:
        size, seed = self._recipe.batch, self._recipe.seed
        positions = range(step * size, (step + 1) * size)
        rows = order[positions.start : positions.stop]
        items = [
            self._source.item(int(row), np.random.default_rng([seed, epoch, position]))
            for row, position in zip(rows, positions, strict=True)
        ]
        targets = [item[1] for item in items]
        given = [item[2] for item in items if len(item) == 3]
        return Batch(
            images=np.stack([item[0] for item in items]),
            values={n: np.stack([t[n].value for t in targets]) for n in targets[0]},
            weights={n: np.stack([t[n].weight for t in targets]) for n in targets[0]},
            rows=rows,
            given={n: np.stack([g[n] for g in given]) for n in (given[0] if given else ())},
        )
