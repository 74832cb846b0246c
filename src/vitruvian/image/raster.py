"""Triangles in front of a camera: scan conversion of whole meshes at once, and their colours.

Every triangle is cut into the spans of its rows, every span into samples, and each sample keeps the
nearest triangle: one pass over flat arrays, exact depth, no loop over triangles. The depth buffer
is that of :mod:`vitruvian.image.render`, so that meshes and solids hide one another.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Float64, Int8, Int32, Int64

from vitruvian.image.render import NEAR, Camera

GRAIN = 0.006
"""Metres of cloth to a cell of the noise that makes it look woven."""

_NOBODY = np.uint64(0xFFFFFFFF)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mesh:
    """Triangles with their looks.

    Attributes:
        points: V 3, world metres.
        normals: V 3, unit, outwards.
        colours: V 3, RGB in [0, 1].
        cloth: V 2, place on the cloth before it is worn, metres.
        gloss: V, strength of the highlight, from 0.
        faces: F 3, corners, anticlockwise seen from outside.
        open: F, whether both sides are seen.
        style: F, row of the following.
        others: S 3, RGB of the pattern.
        pattern: S, 0 plain, 1 rings, 2 stripes, 3 checks, 4 blots, 5 strands of hair.
        period: S, of the pattern, metres.
        owner: Number of the person.
    """

    points: Float32[np.ndarray, "V 3"]
    normals: Float32[np.ndarray, "V 3"]
    colours: Float32[np.ndarray, "V 3"]
    cloth: Float32[np.ndarray, "V 2"]
    gloss: Float32[np.ndarray, " V"]
    faces: Int32[np.ndarray, "F 3"]
    open: Bool[np.ndarray, " F"]
    style: Int32[np.ndarray, " F"]
    others: Float32[np.ndarray, "S 3"]
    pattern: Int64[np.ndarray, " S"]
    period: Float32[np.ndarray, " S"]
    owner: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """Which of T triangles the samples see.

    Attributes:
        number: h w, of the triangle, -1 where none is nearest.
        planes: T 3 3, share of each corner in 1 / z at (x - x_0, y - y_0, 1).
        origin: T 2, (x_0, y_0), samples.
        mesh: T, which mesh a triangle is of.
        face: T, which of its triangles.
    """

    number: Int32[np.ndarray, "h w"]
    planes: Float32[np.ndarray, "T 3 3"]
    origin: Float32[np.ndarray, "T 2"]
    mesh: Int8[np.ndarray, " T"]
    face: Int64[np.ndarray, " T"]


def unit_normals(
    points: Float32[np.ndarray, "V 3"], faces: Int32[np.ndarray, "F 3"]
) -> Float32[np.ndarray, "V 3"]:
    """Normals of the vertices: the triangles' around them, weighed by their areas."""
    a, b, c = (points[faces[:, k]] for k in range(3))
    across = _cross(b - a, c - a)
    out = np.empty_like(points)
    corners = faces.ravel()
    for axis in range(3):
        weight = np.repeat(across[:, axis], 3)
        out[:, axis] = np.bincount(corners, weight, len(points))
    length = np.sqrt(np.einsum("ij,ij->i", out, out))
    out /= np.maximum(length, np.float32(1e-12))[:, None]
    return out


def of_one_colour(mesh: Mesh, colour: Float64[np.ndarray, "3"]) -> Mesh:
    """The mesh as a statue: one plain colour (RGB in [0, 1]), a little gloss."""
    return replace(
        mesh,
        colours=np.tile(colour.astype(np.float32), (len(mesh.points), 1)),
        gloss=np.full(len(mesh.points), 0.1, np.float32),
        pattern=np.zeros_like(mesh.pattern),
    )


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cross products of rows; several times as fast as NumPy's own."""
    out = np.empty_like(a)
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        np.multiply(a[:, j], b[:, k], out=out[:, i])
        out[:, i] -= a[:, k] * b[:, j]
    return out


def draw(
    meshes: Sequence[Mesh],
    camera: Camera,
    samples: int,
    depth: Float32[np.ndarray, "h w"],
) -> tuple[Float32[np.ndarray, "h w"], Hits]:
    """Depth buffer with the meshes (at least one) in it and which triangles the samples see.

    A triangle with a corner nearer than ``NEAR`` is left out.

    Args:
        meshes: What is in the scene.
        camera: Where it is seen from.
        samples: Samples to a pixel's side.
        depth: Metres of what is there already, inf where there is nothing; not modified.
    """
    size = (depth.shape[0], depth.shape[1])
    with np.errstate(divide="ignore"):
        near = (np.float32(1) / depth).astype(np.float32)
    best = (near.view(np.uint32).astype(np.uint64).ravel() << np.uint64(32)) | _NOBODY
    found = [_in_front(mesh, camera, samples, size) for mesh in meshes]
    corners, faces = (np.concatenate(parts) for parts in zip(*found, strict=True))
    planes = _planes(corners)
    _scan(corners, planes, size, best)
    number = (best & _NOBODY).astype(np.uint32).view(np.int32).reshape(size)
    inverse = (best >> np.uint64(32)).astype(np.uint32).view(np.float32).reshape(size)
    with np.errstate(divide="ignore"):
        seen = np.float32(1) / inverse
    counts = [len(kept) for _, kept in found]
    return seen, Hits(
        number=number,
        planes=planes,
        origin=corners[:, 0, :2],
        mesh=np.repeat(np.arange(len(found), dtype=np.int8), counts),
        face=faces,
    )


def _in_front(
    mesh: Mesh, camera: Camera, samples: int, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Corners (x, y in samples, 1 / z) of the triangles that may be seen, F' 3 3, and their rows.

    Triangles that are seen from their other side are turned around, so that all areas are negative
    (y goes down).
    """
    seen = (mesh.points - camera.position.astype(np.float32)) @ camera.turn.T.astype(np.float32)
    z = np.maximum(seen[:, 2], np.float32(1e-6))
    at = np.empty_like(seen)
    scale = np.float32(camera.focal * samples)
    for k in range(2):
        at[:, k] = seen[:, k] / z * scale + np.float32((camera.centre[k] + 0.5) * samples - 0.5)
    at[:, 2] = 1 / z
    ax, ay, bx, by, cx, cy = (at[mesh.faces[:, k], axis] for k in range(3) for axis in range(2))
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    good = (mesh.open & (area != 0)) | (area < 0)
    good &= np.maximum(np.maximum(ax, bx), cx) >= 0
    good &= np.maximum(np.maximum(ay, by), cy) >= 0
    good &= np.minimum(np.minimum(ax, bx), cx) <= size[1] - 1
    good &= np.minimum(np.minimum(ay, by), cy) <= size[0] - 1
    if (seen[:, 2] < NEAR).any():
        good &= (seen[:, 2] >= NEAR)[mesh.faces].all(1)
    kept = np.flatnonzero(good)
    return at[mesh.faces[kept]], kept


def _planes(corners: np.ndarray) -> np.ndarray:
    """F 3 3: corner i's share of 1 / z at sample (x, y) is p[i] · (x - x_0, y - y_0, 1).

    It is linear in the picture, unlike the share of the surface (Heckbert 1989).
    """
    x, y, near = corners[:, :, 0], corners[:, :, 1], corners[:, :, 2]
    x, y = x - x[:, :1], y - y[:, :1]
    out = np.zeros((len(corners), 3, 3), np.float32)
    area = x[:, 1] * y[:, 2] - y[:, 1] * x[:, 2]
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        weight = near[:, i] / area
        out[:, i, 0] = (y[:, j] - y[:, k]) * weight
        out[:, i, 1] = (x[:, k] - x[:, j]) * weight
    out[:, 0, 2] = near[:, 0]
    return out


def _ranges(first: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which entry, and first + 0, 1, … for every one of its ``count``."""
    which = np.repeat(np.arange(len(count), dtype=np.int32), count)
    begin = np.cumsum(count) - count
    along = np.arange(len(which), dtype=np.int32) - np.repeat((begin - first), count)
    return which, along.astype(np.int32, copy=False)


def _scan(corners: np.ndarray, planes: np.ndarray, size: tuple[int, int], best: np.ndarray) -> None:
    """Every sample of every triangle competes for its place in ``best``: 1 / z, then number."""
    h, w = size
    x, y = corners[:, :, 0], corners[:, :, 1]
    first = np.clip(np.ceil(y.min(1)), 0, h).astype(np.int32)
    count = np.clip(np.floor(y.max(1)), -1, h - 1).astype(np.int32) - first + 1
    face, row = _ranges(first, np.maximum(count, 0))
    low = np.zeros(len(row), np.float32)
    high = np.full(len(row), w - 1, np.float32)
    below, above = np.float32(-1), np.float32(w)
    turned = (x[:, 1] - x[:, 0]) * (y[:, 2] - y[:, 0]) > (y[:, 1] - y[:, 0]) * (x[:, 2] - x[:, 0])
    for i in range(3):
        j = (i + 1) % 3
        drop = y[:, j] - y[:, i]
        flat = drop == 0
        slope = (x[:, j] - x[:, i]) / np.where(flat, 1, drop)
        left = (drop > 0) != turned
        start = x[:, i] - slope * y[:, i]
        cut = slope[face] * row + start[face]
        np.maximum(low, np.where((left & ~flat)[face], cut, below), out=low)
        np.minimum(high, np.where((~left & ~flat)[face], cut, above), out=high)
    begin = np.ceil(low).astype(np.int32)
    count = np.floor(high).astype(np.int32) - begin + 1
    span = np.flatnonzero(count > 0)
    face, row, begin, count = face[span], row[span], begin[span], count[span]
    near = planes.sum(1)
    base = near[:, 1][face] * (row - y[:, 0][face]) + near[:, 2][face]
    base += near[:, 0][face] * (begin - x[:, 0][face])
    which, column = _ranges(begin, count)
    value = near[:, 0][face][which]
    value *= column - begin[which]
    value += base[which]
    np.clip(value, np.float32(1e-6), np.float32(1 / NEAR), out=value)
    key = value.view(np.uint32).astype(np.uint64)
    key <<= np.uint64(32)
    key |= face[which].astype(np.uint64)
    place = (row * np.int32(w))[which]
    place += column
    np.maximum.at(best, place, key)


def shade_meshes(
    meshes: Sequence[Mesh],
    hits: Hits,
    samples: int,
    camera: Camera,
    light: Float64[np.ndarray, "3"],
    ambient: float,
    out: Float32[np.ndarray, "h w 3"],
) -> None:
    """Colours of the surfaces that the samples see, written into ``out``.

    Lambert's law under one far light and a pale sky, with a highlight (Blinn 1977), at the
    vertices; patterns of cloth at the samples, or once for a pixel all of whose samples see the
    same piece.

    Args:
        meshes: What is in the scene.
        hits: What :func:`draw` gave for them.
        samples: Samples to a pixel's side.
        camera: Where it is seen from.
        light: Unit world direction towards the light.
        ambient: Share of light that comes from everywhere, in [0, 1].
        out: Colours of the scene so far, RGB; changed where a mesh is seen.
    """
    whole, single = _grouped(meshes, hits, samples)
    middle = (samples - 1) / 2
    row, column = (np.concatenate(both) for both in zip(whole, single, strict=True))
    first = len(whole[0])
    number = hits.number[row, column]
    x, y = column.astype(np.float32), row.astype(np.float32)
    x[:first] += np.float32(middle)
    y[:first] += np.float32(middle)
    share = _shares(hits, number, x, y)
    colours = np.empty((len(row), 3), np.float32)
    for n, mesh in enumerate(meshes):
        chosen = np.flatnonzero(hits.mesh[number] == n)
        if not len(chosen):
            continue
        level, shine = _lit(mesh, camera, light, ambient)
        face = hits.face[number[chosen]]
        looks = np.concatenate([mesh.colours, level[:, None], shine[:, None], mesh.cloth], 1)
        mixed = _mixed(looks, mesh.faces[face], share[chosen])
        colour = _patterned(mesh, mesh.style[face], mixed[:, :3], mixed[:, 5:])
        colours[chosen] = colour * mixed[:, 3:4] + mixed[:, 4:5]
    for i in range(samples):
        for j in range(samples):
            out[whole[0] + i, whole[1] + j] = colours[:first]
    out[single] = colours[first:]


Places = tuple[np.ndarray, np.ndarray]


def _grouped(meshes: Sequence[Mesh], hits: Hits, samples: int) -> tuple[Places, Places]:
    """First samples of the pixels that are of one piece, and samples of all other pixels."""
    starts = np.cumsum([0, *(len(mesh.period) for mesh in meshes)])
    styles = [mesh.style + np.int32(start) for mesh, start in zip(meshes, starts, strict=False)]
    firsts = np.cumsum([0, *(len(mesh.faces) for mesh in meshes)])
    piece = np.concatenate([*styles, [np.int32(-1)]])
    own = np.append(piece[firsts[hits.mesh] + hits.face], np.int32(-1))
    seen = own[hits.number].astype(np.int16)
    h, w = seen.shape
    blocks = seen.reshape(h // samples, samples, w // samples, samples)
    alike = blocks[:, 0, :, 0] >= 0
    for i, j in np.ndindex(samples, samples):
        alike &= blocks[:, i, :, j] == blocks[:, 0, :, 0]
    row, column = np.nonzero(alike)
    np.copyto(blocks, np.int16(-1), where=alike[:, None, :, None])
    rows, columns = np.nonzero(seen >= 0)
    return (row * samples, column * samples), (rows, columns)


def _shares(hits: Hits, number: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Shares of the triangles' corners in the surface at samples (x, y), N 3."""
    own, origin = hits.planes[number], hits.origin[number]
    out: np.ndarray = own[:, :, 0] * (x - origin[:, 0])[:, None]
    out += own[:, :, 1] * (y - origin[:, 1])[:, None]
    out += own[:, :, 2]
    np.maximum(out, 0, out=out)  # slivers, and pixels' middles beside their triangle
    out /= out.sum(1, keepdims=True) + np.float32(1e-12)
    return out


def _mixed(values: np.ndarray, corners: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Values of the vertices at points inside of triangles."""
    out: np.ndarray = values[corners[:, 0]] * share[:, :1]
    for k in (1, 2):
        out += values[corners[:, k]] * share[:, k : k + 1]
    return out


def _lit(
    mesh: Mesh, camera: Camera, light: np.ndarray, ambient: float
) -> tuple[np.ndarray, np.ndarray]:
    """Light that falls on every vertex, and its highlight."""
    normals = mesh.normals
    away = mesh.points - camera.position.astype(np.float32)
    away /= np.sqrt(np.einsum("ij,ij->i", away, away))[:, None]
    facing = -np.einsum("ij,ij->i", away, normals)
    inside = np.zeros(len(normals), bool)
    inside[mesh.faces[mesh.open].ravel()] = True
    sign = np.where(inside & (facing < 0), np.float32(-1), np.float32(1))
    toward = light.astype(np.float32)
    lit = np.maximum(normals @ toward * sign, 0)
    edge = 0.8 + 0.2 * np.abs(facing)
    level = ambient * (1 + 0.2 * normals[:, 1] * sign) * edge + (1 - ambient) * lit
    half = toward - away
    half /= np.sqrt(np.einsum("ij,ij->i", half, half))[:, None]
    bright = np.maximum(np.einsum("ij,ij->i", half, normals) * sign, 0) ** 16
    shine = mesh.gloss * bright * np.float32(1 - ambient)
    return level.astype(np.float32), shine.astype(np.float32)


def _patterned(
    mesh: Mesh, style: np.ndarray, colour: np.ndarray, cloth: np.ndarray
) -> Float32[np.ndarray, "N 3"]:
    """Colours of the cloth with its pattern and weave."""
    kind = mesh.pattern[style]
    worn = np.flatnonzero(kind >= 0)
    if not len(worn):
        return colour
    which, place = style[worn], cloth[worn]
    mix = _pattern(kind[worn], place / mesh.period[which][:, None])
    rough = np.float32(1) + np.float32(0.05) * _noise(place / np.float32(GRAIN))
    out = colour.copy()
    out[worn] += (mesh.others[which] - out[worn]) * mix[:, None]
    out[worn] *= rough[:, None]
    return out


def _pattern(kind: np.ndarray, at: np.ndarray) -> Float32[np.ndarray, " N"]:
    """Share of the pattern's colour, for places in periods."""
    x, y = at[:, 0] - np.floor(at[:, 0]) < 0.5, at[:, 1] - np.floor(at[:, 1]) < 0.5
    blots = _noise(at * np.float32(2.5))
    strands = _noise(at * np.array([14.0, 1.0], np.float32))
    chosen = [y, x, (x.astype(np.float32) + y) / 2, blots > 0, 0.5 + 0.4 * strands]
    mix = np.select([kind == k for k in range(1, 6)], chosen, 0.0)
    return np.asarray(np.clip(mix, 0, 1), np.float32)


_GRID = np.random.default_rng(1).normal(size=(65, 65)).astype(np.float32)
_GRID[-1], _GRID[:, -1] = _GRID[0], _GRID[:, 0]


def _noise(at: np.ndarray) -> np.ndarray:
    """Smooth noise of unit cells and unit deviation that repeats every 64."""
    count = len(at)
    rows = -(-count // 1024)  # OpenCV takes no more than 32767 rows
    wrapped = np.zeros((2, rows * 1024), np.float32)
    wrapped[:, :count] = (at - 64 * np.floor(at / 64)).T
    across, down = wrapped.reshape(2, rows, 1024)
    found: np.ndarray = cv2.remap(_GRID, across, down, cv2.INTER_LINEAR)
    return found.ravel()[:count]
