"""A body of the MakeHuman base mesh at rest: its shape, by lot, and what is where on it."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float32, Int32

from vitruvian.image.garments import Places, places
from vitruvian.image.makehuman import Assets

_TOE = 40
"""Every so manieth vertex tells where the body's lowest point is, before its skin is made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anatomy:
    """What is where on the base mesh, found once.

    Attributes:
        places: Where the vertices are.
        nose: Vertices of its tip.
        eyes: Of the left and the right eyeball's front.
        ears: Of the left and the right ear.
        mouth: V, share of lip colour.
        scalp: V, share of hair colour.
        rings: Vertices around the joints, by bone.
        tops: On the left and on the right shoulder.
        outline: Some vertices of all parts.
    """

    places: Places
    nose: Int32[np.ndarray, " _"]
    eyes: tuple[Int32[np.ndarray, " _"], Int32[np.ndarray, " _"]]
    ears: tuple[Int32[np.ndarray, " _"], Int32[np.ndarray, " _"]]
    mouth: Float32[np.ndarray, " V"]
    scalp: Float32[np.ndarray, " V"]
    rings: dict[str, Int32[np.ndarray, " _"]]
    tops: tuple[Int32[np.ndarray, " _"], Int32[np.ndarray, " _"]]
    outline: Int32[np.ndarray, " _"]


@lru_cache(maxsize=2)
def anatomy(assets: Assets) -> Anatomy:
    """What is where on the base mesh."""
    base, rig = assets.base, assets.rig
    points = base.points
    where = places(points, rig)
    skin = np.unique(base.group("body"))
    head = skin[where.head[skin]]
    eyes = [np.unique(base.group(f"helper-{end}-eye")) for end in ("l", "r")]
    fronts = [eye[points[eye, 2] > points[eye, 2].max() - 0.008] for eye in eyes]
    level = float(points[eyes[0], 1].mean())
    low = (points[head, 1] < level) & (points[head, 1] > level - 0.06)
    middle = head[low & (np.abs(points[head, 0]) < 0.006)]
    nose = middle[points[middle, 2] > points[middle, 2].max() - 0.004]
    rings = _rings(assets, skin)
    lips = points[np.unique(base.group("helper-upper-teeth"))]
    return Anatomy(
        places=where,
        nose=nose.astype(np.int32),
        eyes=(fronts[0].astype(np.int32), fronts[1].astype(np.int32)),
        ears=(_ear(points, head, level, 1), _ear(points, head, level, -1)),
        mouth=_mouth(points, where.head, lips),
        scalp=_scalp(points, where.head, level),
        rings=rings,
        tops=(_highest(points, rings["upperarm_l"]), _highest(points, rings["upperarm_r"])),
        outline=skin[::_TOE].astype(np.int32),
    )


def _ear(points: np.ndarray, head: np.ndarray, level: float, sign: int) -> np.ndarray:
    at = points[head] * np.array([sign, 1, 1])
    out = at[:, 0] > at[:, 0].max() - 0.022
    near = (np.abs(at[:, 1] - level + 0.015) < 0.05) & (at[:, 2] < 0.08)
    found: np.ndarray = head[out & near].astype(np.int32)
    return found


def _highest(points: np.ndarray, ring: np.ndarray) -> np.ndarray:
    """Vertices of a ring within 1.5 cm of its top."""
    found: np.ndarray = ring[points[ring, 1] > points[ring, 1].max() - 0.015]
    return found


def _mouth(points: np.ndarray, head: np.ndarray, teeth: np.ndarray) -> np.ndarray:
    """An ellipse in front of the teeth, 5 cm wide."""
    front = teeth[:, 2].max()
    off = (points - [0.0, teeth[:, 1].min(), front]) / np.array([0.026, 0.011, 0.03])
    share = np.clip(1.6 - 1.6 * np.linalg.norm(off, axis=1), 0, 1)
    return np.where(head, share, 0).astype(np.float32)


def _scalp(points: np.ndarray, head: np.ndarray, level: float) -> np.ndarray:
    """Above a line that falls from the forehead to the nape."""
    line = level + 0.045 + np.clip(points[:, 2], -0.12, 0.09) * 0.75
    return np.where(head, np.clip((points[:, 1] - line) * 60, 0, 1), 0).astype(np.float32)


BONES = {
    "shoulder": "upperarm",
    "elbow": "lowerarm",
    "wrist": "hand",
    "hip": "thigh",
    "knee": "calf",
    "ankle": "foot",
}
"""The rig's bone that begins at a joint."""


def _rings(assets: Assets, skin: np.ndarray) -> dict[str, np.ndarray]:
    """Skin within 2 cm of the plane through a joint, across the bone after it."""
    rig, points = assets.rig, assets.base.points
    row = {name: n for n, name in enumerate(rig.names)}
    joints = rig.joints(points)
    out = {}
    for bone in BONES.values():
        child = {"upperarm": "lowerarm", "lowerarm": "hand", "hand": "middle_01",
                 "thigh": "calf", "calf": "foot", "foot": "ball"}[bone]  # fmt: skip
        for end in ("l", "r"):
            at, after = joints[row[f"{bone}_{end}"]], joints[row[f"{child}_{end}"]]
            way = (after - at) / np.linalg.norm(after - at)
            off = points[skin] - at
            along = off @ way
            across = np.linalg.norm(off - along[:, None] * way, axis=1)
            near = (np.abs(along) < 0.02) & (across < (0.2 if bone == "thigh" else 0.1))
            near &= points[skin, 0] * (1 if end == "l" else -1) > 0.01
            out[f"{bone}_{end}"] = skin[near].astype(np.int32)
    return out


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Sex, age and build, each in [0, 1] as MakeHuman scales them.

    Attributes:
        sex: 0 female, 1 male.
        age: 0.1875 a child of about ten, 0.5 twenty-five years, 1 ninety.
        muscle: Least to most.
        weight: Least to most.
        height: Smallest to tallest.
        proportions: Uncommon to ideal.
        origins: Shares of African, Asian and Caucasian; sum to 1.
    """

    sex: float
    age: float
    muscle: float
    weight: float
    height: float
    proportions: float
    origins: tuple[float, float, float]


def random_figure(rng: np.random.Generator) -> Figure:
    """Mostly grown-ups; one in six is a child."""
    drawn = rng.random()
    ages = (0.1875, 0.36) if drawn < 1 / 6 else (0.42, 0.65) if drawn < 0.83 else (0.65, 0.95)
    shares = rng.dirichlet([0.4, 0.4, 0.4])
    shares[shares < 0.1] = 0
    shares /= shares.sum()
    return Figure(
        sex=float(rng.random() < 0.5),
        age=float(rng.uniform(*ages)),
        muscle=float(np.clip(rng.normal(0.5, 0.2), 0, 1)),
        weight=float(np.clip(rng.normal(0.52, 0.2), 0, 1)),
        height=float(np.clip(rng.normal(0.5, 0.12), 0, 1)),
        proportions=float(rng.uniform(0, 0.75)),
        origins=(float(shares[0]), float(shares[1]), float(shares[2])),
    )


def targets(figure: Figure) -> dict[str, float]:
    """Share of every shape target in a figure: products of what they stand for."""
    sexes = {"female": 1 - figure.sex, "male": figure.sex}
    ages = _between(figure.age, {"child": 0.1875, "young": 0.5, "old": 1.0})
    races = dict(zip(("african", "asian", "caucasian"), figure.origins, strict=True))
    muscles = _between(figure.muscle, {"minmuscle": 0.0, "averagemuscle": 0.5, "maxmuscle": 1.0})
    weights = _between(figure.weight, {"minweight": 0.0, "averageweight": 0.5, "maxweight": 1.0})
    tall = _between(figure.height, {"minheight": 0.0, "": 0.5, "maxheight": 1.0})
    even = _between(
        figure.proportions, {"uncommonproportions": 0.0, "": 0.5, "idealproportions": 1.0}
    )
    out: dict[str, float] = {}
    for sex, a in sexes.items():
        for age, b in ages.items():
            out |= {f"{race}-{sex}-{age}": a * b * c for race, c in races.items()}
            for muscle, c in muscles.items():
                for weight, d in weights.items():
                    name, share = f"{sex}-{age}-{muscle}-{weight}", a * b * c * d
                    out[f"universal-{name}"] = share
                    out |= {f"height/{name}-{h}": share * e for h, e in tall.items() if h}
                    out |= {f"proportions/{name}-{p}": share * e for p, e in even.items() if p}
    return {name: share for name, share in out.items() if share > 0.02}


def _between(value: float, marks: dict[str, float]) -> dict[str, float]:
    """Shares of the two marks that a value is between."""
    at = list(marks.values())
    shares = np.interp(value, at, np.arange(len(at)))
    return {name: max(0.0, 1 - abs(float(shares) - n)) for n, name in enumerate(marks)}


def shaped(assets: Assets, figure: Figure) -> Float32[np.ndarray, "V 3"]:
    """The base mesh of a figure, with its helpers, metres."""
    points = assets.base.points.copy()
    for name, share in targets(figure).items():
        points += assets.target(name) * np.float32(share)
    return points
