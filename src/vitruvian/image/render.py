"""Solids in front of a camera, by exact ray tests and a depth buffer.

A solid is a round cone: two balls and the cone between them, stretched along its own axes. One
ball is an ellipsoid, equal radii make a capsule. World: metres, y up. Camera: x right, y down, z
forward, rays of depth 1, so that the depth buffer holds z in metres.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Float32, Float64, Int16, Int64

NEAR = 0.05
"""Metres in front of the camera before which nothing is seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """A pinhole camera with square pixels.

    Attributes:
        position: 3, world metres.
        turn: 3 3, world directions to camera directions.
        focal: Focal length in pixels.
        centre: Principal point (x, y), pixels.
    """

    position: Float64[np.ndarray, "3"]
    turn: Float64[np.ndarray, "3 3"]
    focal: float
    centre: tuple[float, float]

    def project(
        self, points: Float64[np.ndarray, "N 3"]
    ) -> tuple[Float64[np.ndarray, "N 2"], Float64[np.ndarray, " N"]]:
        """Pixels (x, y) and depth in metres of world points; behind the camera is not sensible."""
        seen = (points - self.position) @ self.turn.T
        depth = seen[:, 2]
        return seen[:, :2] / np.maximum(depth, NEAR)[:, None] * self.focal + self.centre, depth

    def rays(
        self, size: tuple[int, int], samples: int = 1
    ) -> tuple[Float32[np.ndarray, " w"], Float32[np.ndarray, " h"]]:
        """Slopes x/z of the columns and y/z of the rows, ``samples`` to a pixel's side."""
        across, down = (
            ((np.arange(n * samples) + 0.5) / samples - 0.5 - middle) / self.focal
            for n, middle in zip(size[::-1], self.centre, strict=True)
        )
        return across.astype(np.float32), down.astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Solids:
    """P round cones with their looks.

    Attributes:
        origin: P 3, centre of the first ball, world metres.
        axes: P 3 3, unit columns: side, long axis, front.
        stretch: P 3, factors along the axes.
        radii: P 2, metres before stretching.
        length: P, between the balls' centres, metres before stretching; 0 for one ball.
        owner: P, number of the person, -1 for a thing.
        colours: P 3 3, RGB in [0, 1]: of cloth, its pattern, and what is beyond the cloth's end.
        cut: P, share of the length at which the cloth ends.
        pattern: P, 0 plain, 1 rings, 2 stripes, 3 checks.
        period: P, of the pattern, metres.
    """

    origin: Float64[np.ndarray, "P 3"]
    axes: Float64[np.ndarray, "P 3 3"]
    stretch: Float64[np.ndarray, "P 3"]
    radii: Float64[np.ndarray, "P 2"]
    length: Float64[np.ndarray, " P"]
    owner: Int64[np.ndarray, " P"]
    colours: Float64[np.ndarray, "P 3 3"]
    cut: Float64[np.ndarray, " P"]
    pattern: Int64[np.ndarray, " P"]
    period: Float64[np.ndarray, " P"]

    def __len__(self) -> int:
        return len(self.length)


def join(groups: Sequence[Solids]) -> Solids:
    """All solids of several groups, in order."""
    names = [field.name for field in fields(Solids)]
    return Solids(**{name: np.concatenate([getattr(g, name) for g in groups]) for name in names})


def to_local(solids: Solids, points: Float64[np.ndarray, "N 3"]) -> Float64[np.ndarray, "P N 3"]:
    """World points in the unstretched frame of every solid."""
    away = points[None] - solids.origin[:, None]
    local: np.ndarray = np.einsum("pni,pij->pnj", away, solids.axes) / solids.stretch[:, None]
    return local


def depth_inside(solids: Solids, points: Float64[np.ndarray, "N 3"]) -> Float64[np.ndarray, "P N"]:
    """How deep a point is in every solid: 1 on the long axis, 0 on the surface, less outside."""
    local = to_local(solids, points)
    along = np.clip(local[..., 1], 0, solids.length[:, None])
    share = along / np.maximum(solids.length[:, None], 1e-9)
    radius = solids.radii[:, :1] * (1 - share) + solids.radii[:, 1:] * share
    off = local - along[..., None] * np.array([0.0, 1.0, 0.0])
    deep: np.ndarray = 1 - np.linalg.norm(off, axis=2) / radius
    for end, at in ((0, 0.0), (1, solids.length[:, None])):  # the balls stand out of a slim cone
        off[..., 1] = local[..., 1] - at
        ball = 1 - np.linalg.norm(off, axis=2) / solids.radii[:, end, None]
        np.maximum(deep, ball, out=deep)
    return deep


def lowest(solids: Solids) -> Float64[np.ndarray, " P"]:
    """World height of every solid's lowest point: an ellipsoid reaches |S Aᵀ e_y| r down."""
    reach = np.linalg.norm(solids.stretch * solids.axes[:, 1], axis=1)
    far = solids.origin[:, 1] + solids.axes[:, 1, 1] * solids.stretch[:, 1] * solids.length
    ends = np.stack([solids.origin[:, 1], far], 1)
    low: np.ndarray = (ends - reach[:, None] * solids.radii).min(1)
    return low


def trace(
    solids: Solids, camera: Camera, size: tuple[int, int], samples: int = 1
) -> tuple[Float32[np.ndarray, "h w"], Int16[np.ndarray, "h w"]]:
    """Depth of the nearest surface (inf where there is none) and the solid it is of (-1).

    Args:
        solids: What is in the scene.
        camera: Where it is seen from.
        size: (H, W) of the picture.
        samples: Rays to a pixel's side: h = H samples, w = W samples.
    """
    from vitruvian.kernels import cones

    across, down = camera.rays(size, samples)
    depth = np.full((len(down), len(across)), np.inf, np.float32)
    index = np.full(depth.shape, -1, np.int16)
    inward = np.swapaxes(solids.axes / solids.stretch[:, None], 1, 2)
    cones.trace(
        _bounds(solids, camera, size, samples),
        (inward @ camera.turn.T).astype(np.float32),
        np.einsum("pij,pj->pi", inward, camera.position - solids.origin),
        solids.radii,
        solids.length,
        across,
        down,
        np.float32(NEAR),
        depth,
        index,
    )
    return depth, index


def _bounds(
    solids: Solids, camera: Camera, size: tuple[int, int], samples: int
) -> Int64[np.ndarray, "P 4"]:
    """Samples that each solid may cover, xyxy: those of the box around it, projected."""
    reach = solids.radii.max(1)
    side = np.stack([-reach, reach], 1)
    along = np.stack([-reach, solids.length + reach], 1)
    corners = np.stack(
        [
            np.stack([side[:, i], along[:, j], side[:, k]], 1)
            for i in (0, 1)
            for j in (0, 1)
            for k in (0, 1)
        ],
        1,
    )
    away = np.einsum("pij,pcj->pci", solids.axes, corners * solids.stretch[:, None])
    xy, depth = camera.project((solids.origin[:, None] + away).reshape(-1, 3))
    xy, depth = xy.reshape(-1, 8, 2), depth.reshape(-1, 8)
    low, high = xy.min(1), xy.max(1)
    cut = (depth < NEAR).any(1)
    limit = np.array(size[::-1]) * samples
    low[cut], high[cut] = 0, limit
    high[(depth < NEAR).all(1)] = -np.inf
    first = np.clip(np.floor((low + 0.5) * samples) - 1, 0, limit)
    last = np.clip(np.ceil((high + 0.5) * samples) + 1, 0, limit)
    return np.concatenate([first, last], 1).astype(np.int64)


def shade(
    solids: Solids,
    camera: Camera,
    size: tuple[int, int],
    samples: int,
    traced: tuple[Float32[np.ndarray, "h w"], Int16[np.ndarray, "h w"]],
    light: Float64[np.ndarray, "3"],
    ambient: float,
) -> Float32[np.ndarray, "h w 3"]:
    """Colours of the surfaces in [0, 1], Lambert's law under one far light and a pale sky.

    Args:
        solids: What is in the scene.
        camera: Where it is seen from.
        size: (H, W) of the picture.
        samples: Rays to a pixel's side.
        traced: What :func:`trace` gave for these.
        light: Unit world direction towards the light.
        ambient: Share of light that comes from everywhere, in [0, 1].
    """
    from vitruvian.kernels import cones

    depth, index = traced
    out = np.zeros((*depth.shape, 3), np.float32)
    slope = np.where(
        solids.length > 0,
        (solids.radii[:, 1] - solids.radii[:, 0]) / np.maximum(solids.length, 1e-9),
        0,
    )
    end = np.where(solids.cut < 1, solids.cut * solids.length, np.inf)
    frames = (
        np.einsum("pij,pi->pj", solids.axes, camera.position - solids.origin),
        camera.turn @ solids.axes,
        light @ solids.axes,
        solids.axes[:, 1],
    )
    shape = (solids.stretch, solids.radii, solids.length, slope)
    cones.shade(
        depth,
        index,
        *camera.rays(size, samples),
        tuple(np.ascontiguousarray(values, np.float32) for values in frames),
        tuple(values.astype(np.float32) for values in shape),
        (
            solids.colours.astype(np.float32),
            end.astype(np.float32),
            solids.pattern,
            (solids.period / 2).astype(np.float32),
        ),
        np.float32(ambient),
        out,
    )
    return out
