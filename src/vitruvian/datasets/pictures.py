"""Pictures of a data set: which cannot be read, which are of another size, which it shares.

Two pictures are near-duplicates when their perceptual hashes differ in few bits (the signs of the
low frequencies about their median, after Zauner 2010) and their thumbnails correlate: other
compression, size or brightness, but not another moment of a scene that moves.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Int64, UInt8, UInt64

from vitruvian.core.errors import InputError
from vitruvian.core.types import Image
from vitruvian.datasets.problems import Checked, Finding
from vitruvian.datasets.table import Table
from vitruvian.image.read import read

HASH_BITS = 8
"""Bits of 64 in which hashes of near-duplicates may differ."""

ALIKE = 0.96
"""Least correlation of their thumbnails."""

_SIDE = 32
_FLAT = 2.0
"""Grey levels of standard deviation below which a picture has nothing to recognise it by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """What pictures look like.

    Attributes:
        names: Name of each picture.
        hashes: n uint64.
        thumbnails: n 32 32 uint8, grey.
    """

    names: list[str]
    hashes: UInt64[np.ndarray, " n"]
    thumbnails: UInt8[np.ndarray, "n 32 32"]


def look(table: Table, progress: Callable[[int], None] = lambda _: None) -> tuple[Checked, Looks]:
    """Decode every picture; those that cannot be decoded are left out of the repaired table."""
    found: list[Finding] = []
    good, names, small = [], [], []
    sizes = table.sizes.copy()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        files = [table.folder / name for name in table.names]
        for at, (size, thumbnail, error) in enumerate(pool.map(_opened, map(str, files))):
            progress(1)
            name = table.names[at]
            if thumbnail is None:
                found.append(Finding(check="pictures", what=error, fix="left out", picture=name))
                continue
            good.append(at)
            names.append(name)
            small.append(thumbnail)
            if sizes[at, 0] and tuple(sizes[at]) != size:
                given = f"{sizes[at, 0]} x {sizes[at, 1]}"
                what = f"{size[0]} x {size[1]} pixels (H x W), by its labels {given}"
                found.append(Finding(check="sizes", what=what, fix="the picture's", picture=name))
                sizes[at] = size
    if len(table) and not good:
        what = f"none of {len(table)} pictures can be read; the first: {found[0].what}"
        found, good = [Finding(check="pictures", what=what)], list(range(len(table)))
    thumbnails = np.array(small, np.uint8).reshape(-1, _SIDE, _SIDE)
    looks = Looks(names=names, hashes=hashes(thumbnails), thumbnails=thumbnails)
    repaired = replace(table, sizes=sizes)
    return (found, repaired if len(good) == len(table) else repaired.select(good)), looks


def _opened(file: str) -> tuple[tuple[int, int], np.ndarray | None, str]:
    """(H, W), thumbnail, and why there is none."""
    try:
        image = read(file)
    except InputError as error:
        return (0, 0), None, str(error)
    return (image.shape[0], image.shape[1]), thumbnail(image), ""


def thumbnail(image: Image) -> UInt8[np.ndarray, "32 32"]:
    """The picture in grey, 32 32."""
    small = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    grey: np.ndarray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    return grey


def hashes(thumbnails: UInt8[np.ndarray, "n 32 32"]) -> UInt64[np.ndarray, " n"]:
    """Perceptual hash of each thumbnail."""
    waves = np.cos(np.pi / _SIDE * np.outer(np.arange(1, 9), np.arange(_SIDE) + 0.5))
    low = np.einsum("ky,nyx,lx->nkl", waves, thumbnails.astype(np.float64), waves).reshape(-1, 64)
    bits = low > np.median(low, axis=1, keepdims=True)
    found: np.ndarray = np.packbits(bits, axis=1).view(np.uint64).ravel()
    return found


def near_duplicates(one: Looks, two: Looks, *, chunk: int = 256) -> list[tuple[int, int]]:
    """Pairs of pictures of ``one`` and ``two`` that are the same; flat pictures are nobody's."""
    pairs: list[tuple[int, int]] = []
    textured = (two.thumbnails.std((1, 2)) > _FLAT) if len(two.names) else np.zeros(0, bool)
    for first in range(0, len(one.names), chunk):
        some = slice(first, first + chunk)
        bits = np.bitwise_count(one.hashes[some, None] ^ two.hashes[None])
        rows, columns = np.nonzero((bits <= HASH_BITS) & textured)
        alike = _correlation(one.thumbnails[some][rows], two.thumbnails[columns]) > ALIKE
        pairs += zip((rows[alike] + first).tolist(), columns[alike].tolist(), strict=True)
    return pairs


def _correlation(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Of each pair of thumbnails."""
    a, b = (some.reshape(-1, _SIDE**2).astype(np.float64) for some in (one, two))
    a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
    scale = np.sqrt((a**2).sum(1) * (b**2).sum(1))
    return np.asarray((a * b).sum(1) / np.maximum(scale, 1e-9))


def shared(table: Table, looks: Looks, other: Looks, name: str) -> Checked:
    """Pictures of the table that are near-duplicates of those of another split, ``name``."""
    twins = dict(near_duplicates(looks, other)[::-1])
    found = [
        Finding(
            check="splits",
            what=f"the same picture as {other.names[twin]} of {name}",
            fix="left out",
            picture=looks.names[at],
        )
        for at, twin in sorted(twins.items())
    ]
    gone = {looks.names[at] for at in twins}
    kept: Int64[np.ndarray, " n"] = np.array(
        [at for at, picture in enumerate(table.names) if picture not in gone], np.int64
    )
    return found, table.select(kept) if gone else table
