"""How a rig follows the turns of a body's parts, and its skin the rig (linear blend skinning)."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

from vitruvian.image.makehuman import Rig
from vitruvian.image.postures import Turns

DOWN = np.array([0.0, -1.0, 0.0])
"""Where limbs hang in the zero pose."""

SHRUG = 28.0
"""Degrees that a collar bone rises when its arm points up."""

_LIMBS = (
    ("upper_arm", "upperarm", "lowerarm"),
    ("forearm", "lowerarm", "hand"),
    ("thigh", "thigh", "calf"),
    ("shin", "calf", "foot"),
)
_FINGERS = ("index", "middle", "ring", "pinky")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stance:
    """A posed rig.

    Attributes:
        joints: Where each bone begins, world metres, by name.
        moves: B 3 4, from the shaped body at rest to the world.
    """

    joints: dict[str, Float64[np.ndarray, "3"]]
    moves: Float32[np.ndarray, "B 3 4"]

    def skin(
        self, points: Float32[np.ndarray, "N 3"], weights: Float32[np.ndarray, "N B"]
    ) -> Float32[np.ndarray, "N 3"]:
        """Where points of the body at rest go."""
        from vitruvian.kernels import skinning

        out = np.empty_like(points)
        skinning.skin(points, weights, self.moves, out)
        return out


def _length(v: np.ndarray) -> float:
    """Of one vector; NumPy's own takes ten times as long for three numbers."""
    return math.sqrt(v @ v)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Product of two vectors, likewise."""
    (ax, ay, az), (bx, by, bz) = a.tolist(), b.tolist()
    return np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])


def align(first: Float64[np.ndarray, "3"], second: Float64[np.ndarray, "3"]) -> np.ndarray:
    """The smallest rotation that turns one direction into another (Rodrigues)."""
    a, b = first / _length(first), second / _length(second)
    cos = float(a @ b)
    if cos < -0.9999:
        aside = _cross(a, np.array([1.0, 0.0, 0.0] if abs(a[0]) < 0.9 else [0.0, 1.0, 0.0]))
        aside /= _length(aside)
        return np.asarray(2 * np.outer(aside, aside) - np.eye(3))
    x, y, z = _cross(a, b)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + cross + cross @ cross / (1 + cos))


def about(axis: Float64[np.ndarray, "3"], degrees: float) -> Float64[np.ndarray, "3 3"]:
    """Rotation about an axis."""
    x, y, z = axis / _length(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)


def part_way(
    first: Float64[np.ndarray, "3 3"], second: Float64[np.ndarray, "3 3"], share: float
) -> Float64[np.ndarray, "3 3"]:
    """The rotation a share of the way from one to the other, the shortest way."""
    step = first.T @ second
    cos = np.clip((np.trace(step) - 1) / 2, -1, 1)
    axis = np.array([step[2, 1] - step[1, 2], step[0, 2] - step[2, 0], step[1, 0] - step[0, 1]])
    if _length(axis) < 1e-9:
        return first if cos > 0 or share < 0.5 else second
    made: np.ndarray = first @ about(axis, share * float(np.degrees(np.arccos(cos))))
    return made


def stance(
    rig: Rig,
    heads: Float64[np.ndarray, "B 3"],
    parts: Turns,
    *,
    curls: tuple[float, float] = (15.0, 15.0),
    wrists: tuple[np.ndarray, np.ndarray] = (np.eye(3), np.eye(3)),
) -> Stance:
    """The rig of a shaped body in a pose, the pelvis at the origin.

    Args:
        rig: Its bones.
        heads: Where they begin at rest.
        parts: How the parts are turned.
        curls: Degrees by which the joints of the left and the right hand's fingers are bent.
        wrists: Turns of the hands in the forearms' frames.
    """
    row = {name: n for n, name in enumerate(rig.names)}
    turned = _bones(row, heads, parts, curls, wrists)
    world = np.zeros((len(row), 3, 3))
    at = np.zeros((len(row), 3))
    for n, name in enumerate(rig.names):
        parent = rig.parents[n]
        world[n] = turned.get(name, world[parent] if parent >= 0 else np.eye(3))
        if parent >= 0:
            at[n] = at[parent] + world[parent] @ (heads[n] - heads[parent])
    at -= at[row["pelvis"]]
    moves = np.concatenate([world, (at - np.einsum("nij,nj->ni", world, heads))[..., None]], 2)
    return Stance(joints=dict(zip(rig.names, at, strict=True)), moves=np.asarray(moves, np.float32))


def _bones(
    row: dict[str, int],
    heads: np.ndarray,
    parts: Turns,
    curls: tuple[float, float],
    wrists: tuple[np.ndarray, np.ndarray],
) -> dict[str, np.ndarray]:
    """Turn of every bone that does not just follow its parent, from rest to the world."""
    pelvis, chest, head = parts["pelvis"], parts["chest"], parts["head"]
    out = {"Root": np.eye(3), "pelvis": pelvis, "head": head}
    for n in (1, 2, 3):
        out[f"spine_0{n}"] = part_way(pelvis, chest, n / 3)
    out["neck_01"] = part_way(chest, head, 0.5)
    for k, (side, sign) in enumerate((("left", 1.0), ("right", -1.0))):
        end = side[0]
        own = _rest(row, heads, end)
        for part, bone, _ in _LIMBS:
            out[f"{bone}_{end}"] = parts[f"{side}_{part}"] @ own[bone]
        out[f"foot_{end}"] = parts[f"{side}_foot"]
        raised = chest.T @ parts[f"{side}_upper_arm"] @ DOWN
        high = max(0.0, float(raised[1]) + 0.3)
        out[f"clavicle_{end}"] = chest @ about(np.array([0.0, 0.0, 1.0]), sign * SHRUG * high)
        hand = parts[f"{side}_forearm"] @ wrists[k] @ own["lowerarm"]
        out[f"hand_{end}"] = hand
        out |= _fingers(row, heads, end, hand, curls[k])
    return out


def _rest(row: dict[str, int], heads: np.ndarray, end: str) -> dict[str, np.ndarray]:
    """What turns the limbs of one side from rest to the zero pose."""
    out: dict[str, np.ndarray] = {}
    for _, bone, after in _LIMBS:
        along = heads[row[f"{after}_{end}"]] - heads[row[f"{bone}_{end}"]]
        before = {"lowerarm": "upperarm", "calf": "thigh"}.get(bone)
        base = out[before] if before else np.eye(3)
        out[bone] = align(base @ along, DOWN) @ base
    return out


def _fingers(
    row: dict[str, int], heads: np.ndarray, end: str, hand: np.ndarray, curl: float
) -> dict[str, np.ndarray]:
    """Fingers bent towards the palm, which is down at rest."""
    axis = heads[row[f"pinky_01_{end}"]] - heads[row[f"index_01_{end}"]]
    along = heads[row[f"middle_02_{end}"]] - heads[row[f"middle_01_{end}"]]
    sign = -1.0 if _cross(axis, along)[1] > 0 else 1.0
    return {
        f"{finger}_0{n}_{end}": hand @ about(axis, sign * curl * n)
        for finger in _FINGERS
        for n in (1, 2, 3)
    }
