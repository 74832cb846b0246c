"""One synthetic picture from a seed and a number: who, where, seen how, and its exact labels."""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Float64, Int8, UInt8

from vitruvian.core.errors import InputError
from vitruvian.core.skeleton import skeleton
from vitruvian.core.types import Image
from vitruvian.image.boards import framed, free, hang, random_board
from vitruvian.image.bvh import clips, random_pose
from vitruvian.image.humans import Character
from vitruvian.image.makehuman import open_assets
from vitruvian.image.mannequin import KEYPOINTS, Mannequin, Person, clashes
from vitruvian.image.postures import random_angles, turn, turns
from vitruvian.image.raster import draw, of_one_colour, shade_meshes
from vitruvian.image.read import read
from vitruvian.image.render import Camera, Solids, depth_inside, join, lowest, shade, trace
from vitruvian.image.scenery import backdrop, held, photograph, shadow, stool, things

SAMPLES = 2
"""Rays to a pixel's side."""

MARGIN = 0.03
"""Metres that a surface may be before a joint's own flesh without hiding it."""

LEAST = 40
"""Visible pixels below which nobody would label a person's keypoints."""


SEEN = 3
"""Visible keypoints below which nobody could tell where the hidden ones are."""


CAPTURED = 0.35
"""Share of the poses that come from motion capture where there is any."""

STATUES, HOLDING = 0.07, 0.3
"""Shares of the people after the first who are statues, and of those with a thing in the hand."""

POSTERS = 0.06
"""Share of the scenes in which a picture of somebody stands or hangs."""

PHOTOGRAPHS = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What scenes are made from besides what the program brings along.

    Attributes:
        assets: Folder of MakeHuman's files; without, people are mannequins.
        poses: Folder of BVH files; without, those of the assets.
        backgrounds: Folder of photographs without people; without, floors, walls and skies.
    """

    assets: str | None = None
    poses: str | None = None
    backgrounds: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A picture with its people, those of whom at least one pixel is seen.

    Attributes:
        image: RGB.
        xy: N 17 2, pixels; NaN where not labelled.
        visible: N 17; 0 not labelled, 1 hidden, 2 visible.
        masks: N H W, the pixels of each person.
        statue: N; what looks like a person and is none, a statue or a picture, for nobody to learn
            or be scored on.
        about: What was drawn by lot for the picture and for each person; JSON.
        people: The same for each person.
        quality: Of the JPEG.
    """

    image: Image
    xy: Float32[np.ndarray, "N 17 2"]
    visible: UInt8[np.ndarray, "N 17"]
    masks: Bool[np.ndarray, "N H W"]
    statue: Bool[np.ndarray, " N"]
    about: dict[str, Any]
    people: list[dict[str, Any]]
    quality: int


def check_sources(sources: Sources) -> None:
    """Read what every picture needs.

    Raises:
        InputError: Something is missing or cannot be read.
    """
    if sources.assets is not None:
        open_assets(sources.assets).check()
    folder = _clips_of(sources)
    if folder is not None:
        clips(folder)
    if sources.backgrounds is not None:
        _photographs(sources.backgrounds)


@lru_cache(maxsize=4)
def _photographs(folder: str) -> tuple[Path, ...]:
    """The photographs of a folder, sorted."""
    files = sorted(Path(folder).glob("*"))
    found = tuple(file for file in files if file.suffix.lower() in PHOTOGRAPHS)
    if not found:
        raise InputError(
            f"{folder}: no photograph ({', '.join(PHOTOGRAPHS)}) in it; give a folder of pictures "
            "without people"
        )
    return found


def _clips_of(sources: Sources) -> str | None:
    return sources.poses or (f"{sources.assets}/poses" if sources.assets else None)


def scene(seed: int, index: int, size: int, sources: Sources = Sources()) -> Scene:
    """The picture of that number, the same on every call.

    Args:
        seed: Of all pictures.
        index: Of this one.
        size: Side in pixels.
        sources: What it is made from.
    """
    rng = np.random.default_rng([seed, index])
    hw = (size, size)
    camera, aim = _camera(rng, size)
    crowd, about, others = _people(rng, camera, aim, hw, sources)
    light = _light(rng)
    ambient = float(rng.uniform(0.3, 0.65))
    drawn = depth, owner, surfaces = _surfaces(crowd, others, camera, hw, light, ambient)
    apart = np.random.default_rng([seed, index, 1])  # others' lots do not depend on posters
    if apart.random() < POSTERS:
        about += _poster(apart, crowd, camera, sources, light, ambient, drawn)
    cover = np.isfinite(depth).astype(np.uint8) * np.uint8(255)
    front = cv2.resize(surfaces, hw, interpolation=cv2.INTER_AREA)
    alpha = cv2.resize(cover, hw, interpolation=cv2.INTER_AREA)[..., None] / np.float32(255)
    solids = join([*(one.solids for one in crowd), *others])
    dark = shadow(solids, camera, hw, light)[..., None] * np.float32(0.8 * (1 - ambient))
    behind = float(solids.origin[:, 2].max()) + 0.4
    back = (
        backdrop(camera, hw, behind, rng)
        if sources.backgrounds is None
        else _cutting(_photographs(sources.backgrounds), size, rng)
    )
    picture = back * (1 - dark) * (1 - alpha) + front
    masks = _masks(owner, len(about), size)
    seen = np.flatnonzero(masks.any((1, 2))).tolist()
    statue = np.array([about[n].get("statue", False) for n in seen], bool)
    xy = np.full((len(seen), 17, 2), np.nan, np.float32)
    visible = np.zeros((len(seen), 17), np.uint8)
    for k in np.flatnonzero(~statue):
        n = seen[k]
        xy[k], visible[k] = _label(crowd[n], n, camera, depth, owner, masks[n])
    return Scene(
        image=photograph(picture, rng),
        xy=xy,
        visible=visible,
        masks=masks[seen],
        statue=statue,
        about={
            "seed": seed,
            "index": index,
            "bodies": "mannequin" if sources.assets is None else "makehuman",
            "focal": camera.focal,
            "camera": camera.position.tolist(),
            "turn": camera.turn.ravel().tolist(),
            "light": light.tolist(),
            "ambient": ambient,
        },
        people=[about[n] for n in seen],
        quality=int(rng.integers(60, 96)),
    )


def _surfaces(
    crowd: list[Person],
    others: list[Solids],
    camera: Camera,
    size: tuple[int, int],
    light: Float64[np.ndarray, "3"],
    ambient: float,
) -> tuple[Float32[np.ndarray, "h w"], Int8[np.ndarray, "h w"], Float32[np.ndarray, "h w 3"]]:
    """Depth, whose every sample is (-1: nobody's), and colours."""
    drawn = [one.solids for one in crowd if not one.meshes] + others
    meshes = [mesh for one in crowd for mesh in one.meshes]
    if drawn:
        solids = join(drawn)
        depth, index = trace(solids, camera, size, SAMPLES)
        colours = shade(solids, camera, size, SAMPLES, (depth, index), light, ambient)
        owner = np.append(solids.owner, -1).astype(np.int8)[index]
    else:
        depth = np.full((size[0] * SAMPLES, size[1] * SAMPLES), np.inf, np.float32)
        owner = np.full(depth.shape, -1, np.int8)
        colours = np.zeros((*depth.shape, 3), np.float32)
    if meshes:
        depth, hits = draw(meshes, camera, SAMPLES, depth)
        shade_meshes(meshes, hits, SAMPLES, camera, light, ambient, colours)
        owners = np.array([mesh.owner for mesh in meshes], np.int8)[hits.mesh]
        owner = np.where(hits.number >= 0, np.append(owners, np.int8(-1))[hits.number], owner)
    return depth, owner, colours


def _cutting(
    files: tuple[Path, ...], size: int, rng: np.random.Generator
) -> Float32[np.ndarray, "H W 3"]:
    """A square of a photograph, at times mirrored, RGB in [0, 1]."""
    image = read(files[int(rng.integers(len(files)))])
    height, width = image.shape[:2]
    side = max(1, int(min(height, width) * rng.uniform(0.6, 1)))
    top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    square = image[top : top + side, left : left + side]
    shrink = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    out = cv2.resize(square, (size, size), interpolation=shrink)
    return np.asarray(out[:, :: -1 if rng.random() < 0.5 else 1], np.float32) / np.float32(255)


def _camera(rng: np.random.Generator, size: int) -> tuple[Camera, float]:
    """A camera above the origin's floor and the distance at which it looks for somebody."""
    focal = size * float(np.exp(rng.uniform(np.log(0.8), np.log(2.5))))
    height = float(np.clip(rng.normal(1.35, 0.5), 0.25, 3.2))
    share = float(np.exp(rng.uniform(np.log(0.35), np.log(1.5))))
    aim = max(focal * 1.7 / (share * size), 1.2)
    look = float(np.degrees(np.arctan2(height - rng.uniform(0.7, 1.2), aim)) + rng.normal(0, 2))
    roll = float(rng.normal(0, 4))
    world = turn(x=look) @ turn(z=roll)
    camera = Camera(
        position=np.array([0.0, height, 0.0]),
        turn=np.diag([-1.0, -1.0, 1.0]) @ world.T,
        focal=focal,
        centre=((size - 1) / 2, (size - 1) / 2),
    )
    return camera, aim


def _light(rng: np.random.Generator) -> Float64[np.ndarray, "3"]:
    around, high = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(30, 80))
    flat = np.cos(high)
    return np.array([flat * np.cos(around), np.sin(high), flat * np.sin(around)])


def _people(
    rng: np.random.Generator,
    camera: Camera,
    aim: float,
    size: tuple[int, int],
    sources: Sources,
) -> tuple[list[Person], list[dict[str, Any]], list[Solids]]:
    """One to four people on free places; seats for those who sit, and at times things."""
    taken: list[np.ndarray] = []
    crowd: list[Person] = []
    about: list[dict[str, Any]] = []
    groups: list[Solids] = []
    for n in range(int(rng.choice(4, p=[0.35, 0.3, 0.2, 0.15])) + 1):
        place = _place(rng, camera, aim, size, taken, first=n == 0)
        if place is None:
            continue
        one, told = _somebody(rng, crowd, place, sources)
        if n and rng.random() < STATUES:
            one, told["statue"] = _petrified(one, rng), True
        crowd.append(one)
        about.append(told)
        taken.append(place)
        if told["pose"].startswith("sit"):
            base = float(lowest(one.solids)[0])
            if base > 0.15:
                hip = one.solids.origin[0]
                groups.append(stool((float(hip[0]), float(hip[2])), base, rng))
        if rng.random() < HOLDING:
            thing = held(one.keypoints, rng)
            if all((depth_inside(o.solids, thing.origin) <= 0).all() for o in crowd):
                groups.append(thing)
    if rng.random() < 0.4:
        spots = [_place(rng, camera, aim, size, taken) for _ in range(int(rng.integers(1, 4)))]
        free = [spot for spot in spots if spot is not None]
        for stand in [things(spot[None], rng) for spot in free]:
            if all((depth_inside(stand, one.keypoints) <= 0).all() for one in crowd):
                groups.append(stand)
    return crowd, about, groups


def _petrified(one: Person, rng: np.random.Generator) -> Person:
    """A statue of a person: of one stone or metal."""
    grey = rng.uniform(0.15, 0.8)
    stone = np.clip(grey * (1 + rng.normal(0, 0.08, 3)), 0, 1)
    solids = replace(
        one.solids,
        colours=np.broadcast_to(stone, one.solids.colours.shape).copy(),
        pattern=np.zeros(len(one.solids), np.int64),
    )
    meshes = tuple(of_one_colour(mesh, stone) for mesh in one.meshes)
    return replace(one, solids=solids, meshes=meshes)


def _poster(
    rng: np.random.Generator,
    crowd: list[Person],
    camera: Camera,
    sources: Sources,
    light: Float64[np.ndarray, "3"],
    ambient: float,
    drawn: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> list[dict[str, Any]]:
    """Put a picture of somebody into what is drawn; what is told of it, if there is room."""
    hung = rng.random() < 0.5
    behind = max(float(one.solids.origin[:, 2].max()) for one in crowd)
    far = behind + 0.35 if hung else max(1.5, behind * float(rng.uniform(0.6, 1.4)))
    wide = 0.45 * drawn[0].shape[1] / SAMPLES / camera.focal * far
    board = random_board(np.array([rng.uniform(-wide, wide), far]), rng, hung=hung)
    if not all(free(board, one.keypoints) for one in crowd):
        return []
    rows = camera.focal * board.size[0] / far
    tall = int(np.clip(rows, 16, 400))
    picture, whose, told = _print(rng, (tall, int(tall * board.size[1] / board.size[0])), sources)
    bright = ambient + (1 - ambient) * max(0.0, float(board.axes[:, 2] @ light))
    own = np.where(whose, len(crowd), -1).astype(np.int8)
    hang(board, picture * np.float32(bright), own, camera, SAMPLES, drawn)
    place = {"at": board.middle.tolist(), "yaw": board.yaw, "board": list(board.size)}
    return [{**told, **place, "statue": True}]


def _print(
    rng: np.random.Generator, size: tuple[int, int], sources: Sources
) -> tuple[Float32[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"], dict[str, Any]]:
    """A picture of somebody, whole or to the hips, where they are in it, and what is told."""
    one, told = _somebody(rng, [], np.array([0.0, 4.0]), sources)
    points = one.keypoints[: 17 if rng.random() < 0.5 else 13]
    low, high = points.min(0), points.max(0)
    middle, reach = (low + high) / 2, (high - low + 0.3) * rng.uniform(1, 1.3)
    camera = Camera(
        position=np.array([middle[0], middle[1], 0.0]),
        turn=np.diag([-1.0, -1.0, 1.0]),
        focal=4 * float(min(size[0] / reach[1], size[1] / reach[0])),
        centre=((size[1] - 1) / 2, (size[0] - 1) / 2),
    )
    depth, owner, front = _surfaces([one], [], camera, size, _light(rng), 0.5)
    back = cv2.resize(backdrop(camera, size, 5.0, rng), depth.shape[::-1])
    picture = np.where(np.isfinite(depth)[..., None], front, back)
    return *framed(picture, owner == 0, rng), told


def _place(
    rng: np.random.Generator,
    camera: Camera,
    aim: float,
    size: tuple[int, int],
    taken: list[np.ndarray],
    *,
    first: bool = False,
) -> Float64[np.ndarray, "2"] | None:
    """A point of the floor (x, z) in view, an arm's length from all others."""
    for _ in range(12):
        z = aim * (float(np.exp(rng.normal(0, 0.08 if first else 0.35))))
        wide = (0.3 if first else 0.5) * size[1] / camera.focal * z
        spot = np.array([rng.uniform(-wide, wide), z])
        if z > 1 and all(np.linalg.norm(spot - other) > 0.6 for other in taken):
            return spot
    return np.array([0.0, max(aim, 1.2)]) if first else None


def _somebody(
    rng: np.random.Generator, others: list[Person], place: np.ndarray, sources: Sources
) -> tuple[Person, dict[str, Any]]:
    """A person in a pose that goes through neither itself nor others, if one of 12 does not."""
    human = sources.assets is not None
    who = Character(open_assets(sources.assets), rng) if human else Mannequin(rng)
    facing = float(180 + rng.normal(0, 55) if rng.random() < 0.65 else rng.uniform(0, 360))
    high = float(rng.uniform(0.05, 0.5)) if rng.random() < 0.06 else 0.0
    at = (float(place[0]), float(place[1]))
    for _ in range(12):
        told, parts = _pose(rng, facing, sources)
        lying = str(told["pose"]).startswith(("sit", "lie", "crawl", "kneel"))
        lift = 0.0 if lying else high
        made = who.stand(parts, len(others), at, lift)
        if not (clashes(made) or any(_meet(made, other) for other in others)):
            break
    about = {"build": who.about, **told, "yaw": facing, "at": list(at), "lift": lift}
    return who.finish(made, lift), about


def _pose(
    rng: np.random.Generator, facing: float, sources: Sources
) -> tuple[dict[str, Any], dict[str, Float64[np.ndarray, "3 3"]]]:
    """What is told of a pose, and the turns of the parts."""
    folder = _clips_of(sources)
    if folder is not None and rng.random() < CAPTURED:
        name, parts = random_pose(clips(folder), rng)
        around = turn(y=facing)
        return {"pose": name}, {part: around @ matrix for part, matrix in parts.items()}
    name, angles = random_angles(rng)
    return {"pose": name, "angles": angles}, turns(angles, facing)


def _meet(one: Person, other: Person) -> bool:
    """Whether a joint of either person is inside the other."""
    pairs = ((one, other), (other, one))
    return any(bool((depth_inside(a.solids, b.keypoints) > 0).any()) for a, b in pairs)


def _masks(owner: Int8[np.ndarray, "h w"], count: int, size: int) -> Bool[np.ndarray, "N H W"]:
    """Pixels at least half of whose samples are a person's own; never two people's."""
    out = np.zeros((count, size, size), bool)
    for n in range(count):
        own = (owner == n).astype(np.uint8) * np.uint8(255)
        share = cv2.resize(own, (size, size), interpolation=cv2.INTER_AREA)
        out[n] = (share > 127) & ~out[:n].any(0)
    return out


def _label(
    one: Person,
    number: int,
    camera: Camera,
    depth: Float32[np.ndarray, "h w"],
    owner: Int8[np.ndarray, "h w"],
    mask: Bool[np.ndarray, "H W"],
) -> tuple[Float32[np.ndarray, "17 2"], UInt8[np.ndarray, " 17"]]:
    """Where the keypoints are in the picture and whether anything is in front of them.

    Hidden ones are labelled where somebody could tell where they are: next to a visible one, and
    of the face only behind something else than the person's own head.
    """
    size = mask.shape[0]
    xy, far = camera.project(one.keypoints)
    inside = ((xy >= -0.5) & (xy < size - 0.5)).all(1) & (far > 0.05)
    inside &= mask.sum() >= LEAST
    pixel = np.clip(np.floor(np.nan_to_num(xy) + 0.5), 0, size - 1).astype(int)
    sample = np.clip(np.floor((xy + 0.5) * SAMPLES), 0, size * SAMPLES - 1).astype(int)
    at = (sample[:, 1], sample[:, 0])
    own = (owner[at] == number) & mask[pixel[:, 1], pixel[:, 0]]
    before = far - depth[at] <= one.radii + MARGIN
    seen = inside & own & before
    known = (NEIGHBOURS & seen).any(1) & ~(FACE & (owner[at] == number))
    flags = np.where(seen, 2, np.where(inside & known, 1, 0)).astype(np.uint8)
    if seen.sum() < SEEN:
        flags[flags == 1] = 0
    return np.where(flags[:, None] > 0, xy, np.nan).astype(np.float32), flags


def _neighbours() -> Bool[np.ndarray, "17 17"]:
    """Which keypoints a limb joins."""
    bones = skeleton("coco17")
    out = np.zeros((len(bones), len(bones)), bool)
    first, second = bones.limb_index.T
    out[first, second] = out[second, first] = True
    return out


NEIGHBOURS = _neighbours()
FACE = np.array([name.split("_")[-1] in ("nose", "eye", "ear") for name in KEYPOINTS])
