"""What covers a body of the base mesh: its skin, clothes cut from its helper meshes, fitted ones.

A part is made on the body at rest and posed with it. Cloth is cut from the tights and the skirt
that the base mesh brings along: blown up, cut where sleeves, necks and hems end, and folded.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int32

from vitruvian.image.makehuman import Fitted, Rig
from vitruvian.image.raster import unit_normals


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Colours of a piece.

    Attributes:
        colour: RGB in [0, 1].
        other: RGB of its pattern.
        pattern: As in ``Mesh``; -1 for skin, which has not even a weave.
        period: Of the pattern, metres.
        gloss: Strength of the highlight.
    """

    colour: tuple[float, float, float]
    other: tuple[float, float, float] = (0.0, 0.0, 0.0)
    pattern: int = 0
    period: float = 1.0
    gloss: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A piece on the body at rest.

    Attributes:
        points: N 3, metres.
        weights: N B, of the bones.
        faces: F 3.
        cloth: N 2, metres on the cloth.
        look: Its colours.
        colours: N 3 instead of the look's own, or None.
        open: Whether both sides are seen.
    """

    points: Float32[np.ndarray, "N 3"]
    weights: Float32[np.ndarray, "N B"]
    faces: Int32[np.ndarray, "F 3"]
    cloth: Float32[np.ndarray, "N 2"]
    look: Look
    colours: Float32[np.ndarray, "N 3"] | None = None
    open: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where vertices of the base mesh are on a body, whatever its shape.

    Attributes:
        arm: V, 0 at the shoulder, 1 at the elbow, 2 at the wrist; -1 away from the arms.
        height: V, 0 at the hips, 1 at the neck, -1 at the knees, -2 at the ankles.
        cloth: V 2, unrolled to the front, metres.
        collar: V, metres from the neck's lower end.
        head: V, whether it moves with the head alone.
    """

    arm: Float32[np.ndarray, " V"]
    height: Float32[np.ndarray, " V"]
    cloth: Float32[np.ndarray, "V 2"]
    collar: Float32[np.ndarray, " V"]
    head: np.ndarray


def places(points: Float32[np.ndarray, "V 3"], rig: Rig) -> Places:
    """Places of the vertices of the base mesh, from its bones and their weights."""
    row = {name: n for n, name in enumerate(rig.names)}
    joints = rig.joints(points)
    low, high = joints[row["thigh_l"]][1], joints[row["neck_01"]][1]
    height = (points[:, 1] - low) / (high - low)
    arm = np.full(len(points), -1, np.float32)
    for end in ("l", "r"):
        held = _held(rig, end, ("upperarm", "lowerarm", "hand", "thumb", "index", "middle",
                                "ring", "pinky"))  # fmt: skip
        along = _along(points, *(joints[row[f"{b}_{end}"]] for b in ("upperarm", "lowerarm",
                                                                      "hand")))  # fmt: skip
        arm = np.where(held > 0.45, np.maximum(along, 0), arm)
        held = _held(rig, end, ("thigh", "calf", "foot", "ball"))
        along = _along(points, *(joints[row[f"{b}_{end}"]] for b in ("thigh", "calf", "foot")))
        height = np.where((held > 0.5) & (along > 0.12), -along, height)
    cloth = np.stack([points[:, 0] + 0.6 * points[:, 2], points[:, 1]], 1)
    return Places(
        arm=arm.astype(np.float32),
        height=height.astype(np.float32),
        cloth=cloth.astype(np.float32),
        collar=np.linalg.norm(points - joints[row["neck_01"]], axis=1).astype(np.float32),
        head=rig.weights[:, row["head"]] > 0.6,
    )


def _held(rig: Rig, end: str, names: tuple[str, ...]) -> np.ndarray:
    own = [n for n, b in enumerate(rig.names) if b.endswith(f"_{end}") and b.startswith(names)]
    held: np.ndarray = rig.weights[:, own].sum(1)
    return held


def _along(points: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """0 at a, 1 at b, 2 at c and more beyond, along the two bones."""
    first = (points - a) @ (b - a) / ((b - a) @ (b - a))
    second = (points - b) @ (c - b) / ((c - b) @ (c - b))
    return np.asarray(np.where(second > 0, 1 + second, np.minimum(first, 1)))


def clipped(part: Part, cover: Float32[np.ndarray, " N"]) -> Part:
    """The piece of a part where ``cover``, linear over its triangles, is not negative."""
    inside = cover >= 0
    count = inside[part.faces].sum(1)
    whole = part.faces[count == 3]
    cut = part.faces[(count > 0) & (count < 3)]
    if not len(cut):
        return _kept(part, whole)
    odd = np.where(inside[cut].sum(1) == 1, 1, 0)  # the corner on its own: inside, or outside
    first = (inside[cut] == odd[:, None]).argmax(1)
    a, b, c = (cut[np.arange(len(cut)), (first + k) % 3] for k in range(3))
    edges = np.concatenate([np.stack([a, b], 1), np.stack([a, c], 1)])
    edges.sort(axis=1)
    keys = edges[:, 0].astype(np.int64) * len(cover) + edges[:, 1]
    _, at, new = np.unique(keys, return_index=True, return_inverse=True)
    edges = edges[at]
    p, q = (len(cover) + new).reshape(2, -1)
    tip = odd == 1
    faces = np.concatenate([
        whole,
        np.stack([a, p, q], 1)[tip],
        np.stack([p, b, c], 1)[~tip],
        np.stack([p, c, q], 1)[~tip],
    ])  # fmt: skip
    share = cover[edges[:, 0]] / (cover[edges[:, 0]] - cover[edges[:, 1]])
    return _kept(_extended(part, edges, share.astype(np.float32)), faces)


def _extended(part: Part, edges: np.ndarray, share: np.ndarray) -> Part:
    """A part with new points on its edges."""

    def more(values: np.ndarray) -> np.ndarray:
        start, end = values[edges[:, 0]], values[edges[:, 1]]
        return np.concatenate([values, start + (end - start) * share[:, None]])

    return Part(
        points=more(part.points),
        weights=more(part.weights),
        faces=part.faces,
        cloth=more(part.cloth),
        look=part.look,
        colours=None if part.colours is None else more(part.colours),
        open=part.open,
    )


def _kept(part: Part, faces: np.ndarray) -> Part:
    """A part of some triangles, without points that they do not use."""
    used = np.zeros(len(part.points), bool)
    used[faces.ravel()] = True
    number = np.cumsum(used, dtype=np.int32) - 1
    return Part(
        points=part.points[used],
        weights=part.weights[used],
        faces=number[faces].astype(np.int32),
        cloth=part.cloth[used],
        look=part.look,
        colours=None if part.colours is None else part.colours[used],
        open=part.open,
    )


def without(part: Part, hidden: np.ndarray) -> Part:
    """A part without the triangles all of whose corners are hidden (N bool)."""
    return _kept(part, part.faces[~hidden[part.faces].all(1)])


def folded(
    points: Float32[np.ndarray, "N 3"],
    faces: Int32[np.ndarray, "F 3"],
    thick: Float32[np.ndarray, " N"],
    rng: np.random.Generator,
) -> Float32[np.ndarray, "N 3"]:
    """Cloth so far off the skin (metres), in folds of a third of that."""
    waves = np.zeros(len(points), np.float32)
    for wide in (9.0, 21.0):
        way = rng.normal(size=3) * wide * np.array([1.0, 0.45, 1.0])
        waves += np.sin(points @ way.astype(np.float32) + np.float32(rng.uniform(0, 6.3)))
    off = thick * (1 + np.float32(0.17) * waves)
    moved: np.ndarray = points + unit_normals(points, faces) * off[:, None]
    return moved


def bound_weights(worn: Fitted, rig: Rig) -> Float32[np.ndarray, "N B"]:
    """Weights of the points of something fitted: those of what they hang on."""
    share = np.maximum(worn.shares, 0)
    out: np.ndarray = sum(share[:, k : k + 1] * rig.weights[worn.corners[:, k]] for k in range(3))
    total = out.sum(1, keepdims=True)
    own = rig.weights[worn.corners[:, 0]]
    return np.asarray(np.where(total > 1e-6, out / np.maximum(total, 1e-6), own))


def pieces(faces: Int32[np.ndarray, "F 3"], count: int) -> Int32[np.ndarray, " N"]:
    """Number of the connected piece of every point: that of its least point."""
    label = np.arange(count, dtype=np.int32)
    while True:
        least = label[faces].min(1)
        new = label.copy()
        for k in range(3):
            np.minimum.at(new, faces[:, k], least)
        new = new[new]
        if (new == label).all():
            return label
        label = new
