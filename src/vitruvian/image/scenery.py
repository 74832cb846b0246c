"""What is around people: floor, wall or sky, things, cast shadows, and what a camera does to it."""

import cv2
import numpy as np
from jaxtyping import Float32, Float64

from vitruvian.core.types import Image
from vitruvian.image.render import NEAR, Camera, Solids


def backdrop(
    camera: Camera, size: tuple[int, int], behind: float, rng: np.random.Generator
) -> Float32[np.ndarray, "H W 3"]:
    """Floor up to the horizon or a wall, above it a wall or a sky, RGB in [0, 1].

    Args:
        camera: Where it is seen from.
        size: (H, W) of the picture.
        behind: Where along z a wall may be, metres: behind everybody.
        rng: Source of every choice.
    """
    across, down = camera.rays(size)
    x, y = np.broadcast_arrays(across[None, :], down[:, None])
    turn = camera.turn.astype(np.float32)
    way = [turn[0, k] * x + turn[1, k] * y + turn[2, k] for k in range(3)]
    wall = behind + float(rng.uniform(0.2, 6)) if rng.random() < 0.6 else np.inf
    with np.errstate(divide="ignore", invalid="ignore"):
        to_floor = np.where(
            way[1] < -1e-4, np.float32(-camera.position[1]) / way[1], np.float32(np.inf)
        )
        to_wall = np.where(way[2] > 1e-4, np.float32(wall) / way[2], np.float32(np.inf))
    on_floor = to_floor < np.minimum(to_wall, 200.0)
    t = np.where(on_floor, to_floor, np.where(np.isfinite(to_wall), to_wall, 0))
    t = np.minimum(t, np.float32(300))
    place = [np.float32(camera.position[k]) + t * way[k] for k in range(3)]
    fade = np.exp(-t / 12)
    floor = _surface(place[0], place[2], rng, fade, on_floor)
    if np.isfinite(wall):
        back = _surface(place[0], place[1], rng, fade, ~on_floor)
        back = _panels(back, camera, wall, rng)
    else:
        back = _sky(size, rng)
    return np.where(on_floor[..., None], floor, back).astype(np.float32)


def _colour(rng: np.random.Generator) -> np.ndarray:
    grey = rng.uniform(0.15, 0.9)
    return np.asarray(grey + (rng.random(3) - grey) * rng.uniform(0, 1) ** 2 * 0.7, np.float32)


def _surface(
    u: np.ndarray, v: np.ndarray, rng: np.random.Generator, fade: np.ndarray, wanted: np.ndarray
) -> Float32[np.ndarray, "H W 3"]:
    """A plane's colours at metres (u, v): plain, checks, planks or tiles, stained; far is plain."""
    from vitruvian.kernels.noise import paint

    first, second = _colour(rng), _colour(rng)
    second = first + (second - first) * np.float32(rng.uniform(0.1, 1))
    kind, period = int(rng.integers(4)), float(np.exp(rng.uniform(np.log(0.15), np.log(1.5))))
    angle = float(rng.uniform(0, np.pi))
    planks = rng.random(64).astype(np.float32)
    cells = np.array([0.5, 2, 8], np.float32)
    grids = np.stack([_noise(rng) for _ in cells])
    strength = np.float32(rng.uniform(0.03, 0.25))
    out = np.zeros((*u.shape, 3), np.float32)
    turn = (np.float32(np.cos(angle) / period), np.float32(np.sin(angle) / period))
    paint(
        u,
        v,
        fade,
        wanted,
        np.stack([first, second]),
        (kind, *turn, planks),
        (grids, cells, strength),
        out,
    )
    return out


def _noise(rng: np.random.Generator) -> Float32[np.ndarray, "65 65"]:
    """Noise of unit deviation that repeats every 64."""
    grid = rng.normal(size=(65, 65)).astype(np.float32)
    grid[-1], grid[:, -1] = grid[0], grid[:, 0]
    return grid


def _sky(size: tuple[int, int], rng: np.random.Generator) -> Float32[np.ndarray, "H W 3"]:
    """A gradient with clouds of noise, and at times blocks along the horizon."""
    high, low = _colour(rng), _colour(rng)
    ramp = np.linspace(0, 1, size[0], dtype=np.float32)[:, None, None]
    sky = high + (low - high) * ramp + np.zeros((*size, 3), np.float32)
    for cells in (3, 7, 17):
        grid = rng.normal(size=(cells, cells, 3)).astype(np.float32)
        grey = grid.mean(2, keepdims=True)
        noise = cv2.resize(
            grey + np.float32(0.15) * (grid - grey), size[::-1], interpolation=cv2.INTER_CUBIC
        )
        sky += np.float32(rng.uniform(0, 0.12)) * noise
    for _ in range(int(rng.integers(0, 14))):
        _block(sky, rng)
    return np.asarray(np.clip(sky, 0, 1), np.float32)


def _block(picture: np.ndarray, rng: np.random.Generator) -> None:
    """A rectangle, round or straight, of one colour with a grid of another."""
    height, width = picture.shape[:2]
    h, w = int(height * rng.uniform(0.05, 0.6)), int(width * rng.uniform(0.04, 0.35))
    top, left = int(rng.integers(-h // 2, height)), int(rng.integers(-w // 2, width))
    colour = [float(c) for c in _colour(rng)]
    if rng.random() < 0.3:
        turn = float(rng.uniform(0, 180))
        cv2.ellipse(picture, ((left + w, top + h), (w, h), turn), colour, -1, cv2.LINE_AA)
        return
    cv2.rectangle(picture, (left, top), (left + w, top + h), colour, -1)
    step = max(4, int(rng.uniform(0.1, 0.4) * w))
    other = [float(c) for c in _colour(rng)]
    if rng.random() < 0.5:
        for y in range(top + step // 2, top + h - step // 2, step):
            for x in range(left + step // 2, left + w - step // 2, step):
                cv2.rectangle(picture, (x, y), (x + step // 2, y + step // 2), other, -1)


def _panels(
    picture: np.ndarray, camera: Camera, wall: float, rng: np.random.Generator
) -> np.ndarray:
    """Doors, windows, shelves and pictures on the wall, as upright quadrilaterals."""
    out = np.ascontiguousarray(picture)
    for _ in range(int(rng.integers(0, 9))):
        w, h = rng.uniform(0.3, 2.5, 2)
        x, y = rng.uniform(-6, 6), rng.uniform(0, 2.8)
        corners = np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]])
        xy, depth = camera.project(np.column_stack([corners, np.full(4, wall)]))
        if (depth > NEAR).all() and np.abs(xy).max() < 1e4:
            points = np.round(xy * 16).astype(np.int32)
            rim = int(rng.integers(0, 4))
            colours = [[float(c) for c in _colour(rng)] for _ in range(2)]
            cv2.fillConvexPoly(out, points, colours[0], cv2.LINE_AA, 4)
            if rim:
                cv2.polylines(out, [points], True, colours[1], rim, cv2.LINE_AA, 4)
    return out


def shadow(
    solids: Solids, camera: Camera, size: tuple[int, int], light: Float64[np.ndarray, "3"]
) -> Float32[np.ndarray, "H W"]:
    """Share of the light that the solids keep from the floor, in [0, 1], with a soft rim.

    Args:
        solids: What casts it; only their outlines as balls joined by straight lines.
        camera: Where it is seen from.
        size: (H, W) of the picture.
        light: Unit world direction towards the light; from above.
    """
    mask = np.zeros(size, np.uint8)
    ends = [
        solids.origin,
        solids.origin + solids.axes[:, :, 1] * (solids.length * solids.stretch[:, 1])[:, None],
    ]
    around = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    ring = np.stack([np.cos(around), np.zeros(12), np.sin(around)], 1)
    wide = solids.radii * solids.stretch[:, [0, 2]].mean(1, keepdims=True)
    rims = [
        (end - light * (end[:, 1] / light[1])[:, None])[:, None] + wide[:, k, None, None] * ring
        for k, end in enumerate(ends)
    ]
    points = np.concatenate(rims, 1)
    xy, depth = camera.project(points.reshape(-1, 3))
    xy, near = xy.reshape(len(solids), -1, 2), depth.reshape(len(solids), -1).min(1)
    for i in np.flatnonzero((near > 0.3) & (np.abs(xy).max((1, 2)) < 20 * max(size))):
        hull = cv2.convexHull(xy[i].astype(np.float32))
        cv2.fillConvexPoly(mask, np.round(hull * 16).astype(np.int32), 255, cv2.LINE_AA, 4)
    soft = cv2.GaussianBlur(mask, (0, 0), 0.008 * max(size))
    return soft.astype(np.float32) / 255


def things(where: Float64[np.ndarray, "T 2"], rng: np.random.Generator) -> Solids:
    """Posts, balls and drums that stand on the floor at (x, z)."""
    count = len(where)
    kind = rng.integers(0, 3, count)
    radius = np.where(kind == 0, rng.uniform(0.03, 0.12, count), rng.uniform(0.1, 0.4, count))
    tall = np.where(kind == 0, rng.uniform(0.6, 2.5, count), rng.uniform(0.05, 0.5, count))
    length = np.where(kind == 1, 0.0, tall)
    return _standing(where, radius, length, rng)


def stool(where: tuple[float, float], height: float, rng: np.random.Generator) -> Solids:
    """A seat whose top is so high."""
    radius = float(rng.uniform(0.12, 0.2))
    flat = 0.25
    made = _standing(
        np.array([where]),
        np.array([radius]),
        np.array([max(height / flat - 2 * radius, 0.01)]),
        rng,
    )
    made.stretch[:, 1] = flat
    made.origin[:, 1] = radius * flat
    return made


def held(keypoints: Float64[np.ndarray, "17 3"], rng: np.random.Generator) -> Solids:
    """Something in a person's hand or on the back: a stick, a ball, a bag, a box or a rucksack.

    Args:
        keypoints: Of COCO, world metres.
        rng: Source of every choice.
    """
    side = int(rng.integers(2))
    elbow, wrist = keypoints[7 + side], keypoints[9 + side]
    reach = wrist - elbow
    palm = wrist + 0.09 * reach / max(float(np.linalg.norm(reach)), 1e-6)
    kind = int(rng.choice(5, p=[0.3, 0.2, 0.2, 0.2, 0.1]))
    frame, stretch = _random_frame(rng), np.ones(3)
    radius, length = 0.0, 0.0
    if kind == 0:
        radius, length = float(rng.uniform(0.008, 0.03)), float(rng.uniform(0.2, 1.0))
        palm = palm - frame[:, 1] * length * rng.uniform(0, 0.6)
    elif kind == 1:
        radius = float(rng.uniform(0.04, 0.13))
        palm = palm + (radius + 0.02) * frame[:, 0]
    elif kind == 2:
        radius, frame = float(rng.uniform(0.1, 0.2)), np.eye(3)
        stretch = np.array([1.0, rng.uniform(0.9, 1.3), rng.uniform(0.25, 0.5)])
        palm = palm - np.array([0.0, radius * stretch[1] + 0.08, 0.0])
    elif kind == 3:
        radius = float(rng.uniform(0.05, 0.15))
        stretch = np.array([0.7, 1.0, 0.15])
    else:
        hips, arms = keypoints[11:13].mean(0), keypoints[5:7].mean(0)
        up, left = arms - hips, keypoints[5] - keypoints[6]
        radius = 0.33 * float(np.linalg.norm(up))
        front = np.cross(left, up)
        front /= max(float(np.linalg.norm(front)), 1e-6)
        up = up / max(float(np.linalg.norm(up)), 1e-6)
        frame = np.stack([np.cross(up, front), up, front], 1)
        stretch = np.array([0.85, 1.25, 0.5])
        palm = (0.4 * hips + 0.6 * arms) - front * (0.1 + 0.5 * radius)
    made = _standing(np.zeros((1, 2)), np.array([radius]), np.array([length]), rng)
    made.origin[0], made.axes[0], made.stretch[0] = palm, frame, stretch
    return made


def _random_frame(rng: np.random.Generator) -> np.ndarray:
    """A rotation."""
    made, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return np.asarray(made * np.sign(np.linalg.det(made)))


def _standing(
    where: np.ndarray, radius: np.ndarray, length: np.ndarray, rng: np.random.Generator
) -> Solids:
    count = len(radius)
    colours = np.array([[_colour(rng) for _ in range(3)] for _ in range(count)], float)
    return Solids(
        origin=np.column_stack([where[:, 0], radius, where[:, 1]]),
        axes=np.tile(np.eye(3), (count, 1, 1)),
        stretch=np.ones((count, 3)),
        radii=np.repeat(radius[:, None], 2, 1),
        length=length,
        owner=np.full(count, -1),
        colours=colours.reshape(-1, 3, 3),
        cut=np.ones(count),
        pattern=rng.integers(0, 4, count),
        period=rng.uniform(0.05, 0.4, count),
    )


def photograph(picture: Float32[np.ndarray, "H W 3"], rng: np.random.Generator) -> Image:
    """Tone, blur and noise of a camera.

    Args:
        picture: RGB in [0, 1]; more is overexposed.
        rng: Source of every choice.
    """
    gain = np.exp(rng.normal(0, 0.15)) * (1 + rng.normal(0, 0.05, 3))
    out = np.clip(picture * gain.astype(np.float32), 0, 1)
    out = cv2.pow(out, float(np.exp(rng.normal(0, 0.2))))  # five times as fast as NumPy's
    if rng.random() < 0.35:
        out = cv2.GaussianBlur(out, (0, 0), float(rng.uniform(0.3, 1.3)))
    noise = rng.standard_normal(out.shape, np.float32) * np.float32(rng.uniform(0, 0.035))
    made: np.ndarray = np.clip((out + noise) * 255 + 0.5, 0, 255).astype(np.uint8)
    return made
