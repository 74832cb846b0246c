"""Motion capture: BVH files as turns of a body's parts, whatever their skeleton's proportions.

A joint's turn is that of its bone away from the file's own rest pose; how the rest pose differs
from ours (which way the limbs point, which axis is up, where left is) is read from the offsets. So
clips of differently named and built skeletons pose the mannequin and the MakeHuman rig alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from vitruvian.core.errors import InputError
from vitruvian.image.postures import PARTS, Turns, mirrored_turns, turn
from vitruvian.image.rigging import DOWN, about, align, part_way

_SIDED = {
    "upper_arm": ("upperarm01.?", "upperarm.?", "UpArm_?", "*Arm", "*UpArm", "*Shoulder_Arm"),
    "forearm": ("lowerarm01.?", "lowerarm.?", "LoArm_?", "*ForeArm", "*LowArm"),
    "hand": ("wrist.?", "hand.?", "Hand_?", "*Hand"),
    "thigh": ("upperleg01.?", "upperleg.?", "UpLeg_?", "*UpLeg", "*Thigh"),
    "shin": ("lowerleg01.?", "lowerleg.?", "LoLeg_?", "*Leg", "*LowLeg", "*Shin"),
    "foot": ("foot.?", "Foot_?", "*Foot"),
}
_MIDDLE = {
    "pelvis": ("root", "Hips", "hips", "pelvis"),
    "chest": ("spine01", "spine02", "Spine3", "Spine2", "Spine1", "Chest2", "Chest", "Spine"),
    "head": ("head", "Head"),
}
ACCEPTED: dict[str, tuple[str, ...]] = dict(_MIDDLE) | {
    f"{side}_{part}": tuple(
        name.replace("?", side[0].upper()).replace("*", side.capitalize()) for name in names
    )
    for part, names in _SIDED.items()
    for side in ("left", "right")
}
"""Names of the joints at which the parts begin: of MakeHuman's default rig, of the rigs of the
Carnegie Mellon clips, and of what Blender writes for them. Other joints move no part of ours."""

_LOWER = {"upperarm01": "upperarm02", "lowerarm01": "lowerarm02",
          "upperleg01": "upperleg02", "lowerleg01": "lowerleg02"}  # fmt: skip
"""MakeHuman's limbs are of two bones, the second of which carries the twist."""

_NEXT = {"upper_arm": "forearm", "forearm": "hand", "thigh": "shin", "shin": "foot"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """A BVH file as it is.

    Attributes:
        names: Of the J joints, parents first.
        parents: Row of each joint's parent; -1 for the root.
        offsets: J 3, from the parent, in the file's unit.
        turns: F J 3 3, of every joint against its parent.
    """

    names: list[str]
    parents: list[int]
    offsets: Float64[np.ndarray, "J 3"]
    turns: Float64[np.ndarray, "F J 3 3"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """Poses of a file.

    Attributes:
        name: Of the file, without its ending.
        turns: F rotations of every part, facing z.
    """

    name: str
    turns: dict[str, Float64[np.ndarray, "F 3 3"]]

    def __len__(self) -> int:
        return len(self.turns["pelvis"])

    def pose(self, frame: float) -> dict[str, Float64[np.ndarray, "3 3"]]:
        """The pose at a frame, between two of them if it is not whole."""
        first = min(int(frame), len(self) - 1)
        last = min(first + 1, len(self) - 1)
        share = float(frame) - first
        return {n: part_way(t[first], t[last], share) for n, t in self.turns.items()}


def read_bvh(file: Path) -> Motion:
    """Joints and motion of a BVH file.

    Raises:
        InputError: It is none.
    """
    words = file.read_text(encoding="utf-8", errors="replace").split()
    try:
        at = words.index("MOTION")
        names, parents, offsets, channels = _hierarchy(words[:at])
        frames = int(words[at + 2])
        values = np.array(words[at + 6 :], float).reshape(frames, -1)
        if values.shape[1] != sum(len(c) for c in channels) or not frames:
            raise ValueError(f"{values.shape[1]} numbers a frame for its channels")
    except (ValueError, IndexError) as error:
        raise InputError(f"{file}: not a BVH file ({error})") from error
    turns, column = np.tile(np.eye(3), (frames, len(names), 1, 1)), 0
    for joint, kinds in enumerate(channels):
        for kind in kinds:
            if kind.endswith("rotation"):
                turns[:, joint] = turns[:, joint] @ _about(kind[0], values[:, column])
            column += 1
    return Motion(names=names, parents=parents, offsets=np.array(offsets), turns=turns)


def _hierarchy(
    words: Sequence[str],
) -> tuple[list[str], list[int], list[np.ndarray], list[list[str]]]:
    names: list[str] = []
    parents: list[int] = []
    offsets: list[np.ndarray] = []
    channels: list[list[str]] = []
    open_: list[int] = []
    n = 0
    while n < len(words):
        word = words[n]
        if word in ("ROOT", "JOINT"):
            parents.append(open_[-1] if open_ else -1)
            names.append(words[n + 1])
            channels.append([])
            n += 1
        elif word == "{":
            open_.append(len(names) - 1 if words[n - 2] != "End" else -1)
        elif word == "}":
            open_.pop()
        elif word == "OFFSET" and open_[-1] >= 0:
            offsets.append(np.array(words[n + 1 : n + 4], float))
        elif word == "CHANNELS":
            count = int(words[n + 1])
            channels[open_[-1]] = list(words[n + 2 : n + 2 + count])
        n += 1
    if not names or len(offsets) != len(names):
        raise ValueError("joints without offsets")
    return names, parents, offsets, channels


def _about(axis: str, degrees: np.ndarray) -> np.ndarray:
    """F rotations about an axis of the file."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    i, j = {"X": (1, 2), "Y": (2, 0), "Z": (0, 1)}[axis.upper()]
    out = np.tile(np.eye(3), (len(degrees), 1, 1))
    out[:, i, i] = out[:, j, j] = cos
    out[:, i, j], out[:, j, i] = -sin, sin
    return out


def retarget(motion: Motion, name: str) -> Clip:
    """Turns of our parts, facing z in the mean of the frames.

    Raises:
        InputError: It has no joint for some part; says what it has and what is accepted.
    """
    row = _rows(motion, name)
    rest = np.zeros((len(motion.names), 3))
    world = np.empty_like(motion.turns)
    for n, parent in enumerate(motion.parents):
        rest[n] = motion.offsets[n] + (rest[parent] if parent >= 0 else 0)
        world[:, n] = (world[:, parent] if parent >= 0 else np.eye(3)) @ motion.turns[:, n]
    frame = _rest_frame(rest, row)
    turns = {}
    for part in PARTS:
        side, _, kind = part.partition("_")
        joint = motion.names.index(_twisted(motion, motion.names[row[part]]))
        to_rest = np.eye(3)
        if kind in _NEXT:
            to_rest = align(DOWN, frame.T @ (rest[row[f"{side}_{_NEXT[kind]}"]] - rest[row[part]]))
        turns[part] = frame.T @ world[:, joint] @ frame @ to_rest
    ahead = turns["pelvis"][:, :, 2].sum(0)
    yaw = float(np.degrees(np.arctan2(ahead[0], ahead[2])))
    return Clip(name=name, turns={part: turn(y=-yaw) @ t for part, t in turns.items()})


def _rows(motion: Motion, name: str) -> dict[str, int]:
    """Joint at which every part begins."""
    at = {joint.rpartition(":")[2]: n for n, joint in enumerate(motion.names)}
    found = {
        part: next((at[joint] for joint in names if joint in at), None)
        for part, names in ACCEPTED.items()
    }
    lost = [part for part, n in found.items() if n is None]
    if lost:
        wanted = "; ".join(f"{part}: {' or '.join(ACCEPTED[part])}" for part in lost)
        raise InputError(
            f"{name}: no joint for {', '.join(lost)} among {', '.join(motion.names[:60])}; "
            f"rename joints: {wanted}"
        )
    return {part: n for part, n in found.items() if n is not None}


def _twisted(motion: Motion, joint: str) -> str:
    for first, second in _LOWER.items():
        other = joint.replace(first, second)
        if other != joint and other in motion.names:
            return other
    return joint


def _rest_frame(rest: np.ndarray, row: dict[str, int]) -> np.ndarray:
    """Columns: the left, the up and the front of the rest pose in the file's axes."""
    left = rest[row["left_thigh"]] - rest[row["right_thigh"]]
    up = rest[row["head"]] - rest[row["pelvis"]]
    left, up = (np.round(v / np.abs(v).max()) for v in (left, up))  # axes of the file, no tilt
    front = np.cross(left, up)
    frame = np.stack([left, up, front], 1)
    if not np.allclose(frame.T @ frame, np.eye(3)):
        raise InputError("the rest pose of a BVH file must stand along its axes, left beside right")
    return frame


@lru_cache(maxsize=4)
def clips(folder: str) -> tuple[Clip, ...]:
    """All clips of a folder's BVH files.

    Raises:
        InputError: There is none, or one cannot be read.
    """
    files = sorted(Path(folder).glob("*.bvh"))
    if not files:
        raise InputError(f"{folder}: holds no .bvh file; give a folder of motion-capture clips")
    return tuple(retarget(read_bvh(file), str(file)) for file in files)


def random_pose(
    found: Sequence[Clip], rng: np.random.Generator
) -> tuple[str, dict[str, Float64[np.ndarray, "3 3"]]]:
    """Name and turns of a frame, at times part of the way to another clip's, shaken and mirrored.

    Args:
        found: Clips.
        rng: Source of every choice.
    """
    clip = found[int(rng.integers(len(found)))]
    frame = float(rng.uniform(0, len(clip) - 1))
    name, parts = f"{Path(clip.name).stem} {frame:.1f}", clip.pose(frame)
    if rng.random() < 0.4:
        other = found[int(rng.integers(len(found)))]
        second, share = float(rng.uniform(0, len(other) - 1)), float(rng.uniform(0, 0.5))
        goal = other.pose(second)
        parts = {part: part_way(t, goal[part], share) for part, t in parts.items()}
        name += f", {share:.2f} to {Path(other.name).stem} {second:.1f}"
    parts = _shaken(parts, rng)
    return name, mirrored_turns(parts) if rng.random() < 0.5 else parts


def _shaken(parts: Turns, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Every part turned by a few degrees about an axis of its own."""
    noise = rng.normal(0, 1, (len(parts), 4))
    return {
        part: about(row[:3], 6 * float(row[3])) @ matrix
        if part not in ("pelvis", "chest")
        else matrix
        for row, (part, matrix) in zip(noise, parts.items(), strict=True)
    }
