"""Triangles in front of a camera: scan conversion of whole meshes at once, and their colours.

Every triangle is cut into the spans of its rows, every span into samples, and each sample keeps the
nearest triangle. The depth buffer is that of :mod:`vitruvian.image.render`, so that meshes and
solids hide one another. The loops are those of :mod:`vitruvian.kernels.triangles`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int8, Int32, Int64

from vitruvian.image.render import NEAR, Camera

GRAIN = 0.006
"""Metres of cloth to a cell of the noise that makes it look woven."""


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
    from vitruvian.kernels import triangles

    out: Float32[np.ndarray, "V 3"] = triangles.normals(points, faces)
    return out


def of_one_colour(mesh: Mesh, colour: Float64[np.ndarray, "3"]) -> Mesh:
    """The mesh as a statue: one plain colour (RGB in [0, 1]), a little gloss."""
    return replace(
        mesh,
        colours=np.tile(colour.astype(np.float32), (len(mesh.points), 1)),
        gloss=np.full(len(mesh.points), 0.1, np.float32),
        pattern=np.zeros_like(mesh.pattern),
    )


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
    from vitruvian.kernels import triangles

    with np.errstate(divide="ignore"):
        near = np.float32(1) / depth
    number = np.full(depth.shape, -1, np.int32)
    found = [_in_front(mesh, camera, samples, depth.shape) for mesh in meshes]
    corners, faces = (np.concatenate(parts) for parts in zip(*found, strict=True))
    planes = triangles.planes(corners)
    triangles.scan(corners, planes, np.float32(1 / NEAR), near, number)
    with np.errstate(divide="ignore"):
        seen = np.float32(1) / near
    counts = [len(kept) for _, kept in found]
    return seen, Hits(
        number=number,
        planes=planes,
        origin=corners[:, 0, :2],
        mesh=np.repeat(np.arange(len(found), dtype=np.int8), counts),
        face=faces,
    )


def _in_front(
    mesh: Mesh, camera: Camera, samples: int, size: tuple[int, ...]
) -> tuple[Float32[np.ndarray, "T 3 3"], Int64[np.ndarray, " T"]]:
    """Corners (x, y in samples, 1 / z) of the triangles that may be seen, and their rows."""
    from vitruvian.kernels import triangles

    seen = (mesh.points - camera.position.astype(np.float32)) @ camera.turn.T.astype(np.float32)
    z = np.maximum(seen[:, 2], np.float32(1e-6))
    at = np.empty_like(seen)
    scale = np.float32(camera.focal * samples)
    for k in range(2):
        at[:, k] = seen[:, k] / z * scale + np.float32((camera.centre[k] + 0.5) * samples - 0.5)
    at[:, 2] = 1 / z
    kept = triangles.in_front(at, seen[:, 2] < NEAR, mesh.faces, mesh.open, *size)
    return at[mesh.faces[kept]], kept


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
    from vitruvian.kernels import triangles

    points, styles = (
        np.cumsum([0, *(len(values) for values in rows)], dtype=np.int32)
        for rows in ([mesh.points for mesh in meshes], [mesh.period for mesh in meshes])
    )
    seen = [hits.face[hits.mesh == n] for n in range(len(meshes))]
    rows = list(zip(meshes, seen, strict=True))
    corners = [mesh.faces[own] + points[n] for n, (mesh, own) in enumerate(rows)]
    style = [mesh.style[own] + styles[n] for n, (mesh, own) in enumerate(rows)]
    triangles.shade(
        hits.number,
        samples,
        (hits.planes, hits.origin, np.concatenate(corners), np.concatenate(style)),
        np.concatenate([_looks(mesh, camera, light, ambient) for mesh in meshes]),
        tuple(
            np.concatenate([getattr(mesh, name) for mesh in meshes])
            for name in ("others", "pattern", "period")
        ),
        _GRID,
        np.float32(GRAIN),
        out,
    )


def _looks(
    mesh: Mesh, camera: Camera, light: Float64[np.ndarray, "3"], ambient: float
) -> Float32[np.ndarray, "V 7"]:
    """RGB, light, highlight and place on the cloth of the vertices."""
    from vitruvian.kernels import triangles

    inside = np.zeros(len(mesh.points), bool)
    inside[mesh.faces[mesh.open]] = True
    lit = triangles.light_up(
        mesh.points,
        mesh.normals,
        mesh.gloss,
        inside,
        camera.position.astype(np.float32),
        light.astype(np.float32),
        np.float32(ambient),
    )
    return np.concatenate([mesh.colours, lit, mesh.cloth], 1)


_GRID = np.random.default_rng(1).normal(size=(65, 65)).astype(np.float32)
_GRID[-1], _GRID[:, -1] = _GRID[0], _GRID[:, 0]
