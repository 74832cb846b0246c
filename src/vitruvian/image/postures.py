"""How people hold themselves: joint angles within limits, and the turns of the parts they give.

A body is posed by the turns of its parts away from a zero pose: standing, facing z, with hanging
arms, thumbs to the front. Angles give them here, motion capture in :mod:`vitruvian.image.bvh`.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float64

Angles = Mapping[str, float]
"""Degrees by name; what is not named is 0, a person who stands with hanging arms."""

LIMITS = {
    "pitch": (-180, 180),
    "roll": (-180, 180),
    "bend": (-25, 80),
    "side": (-30, 30),
    "twist": (-40, 40),
    "nod": (-40, 45),
    "tilt": (-30, 30),
    "turn": (-70, 70),
    "shoulder_flex": (-45, 175),
    "shoulder_out": (-5, 150),
    "shoulder_twist": (-80, 60),
    "elbow": (0, 145),
    "hip_flex": (-25, 120),
    "hip_out": (-5, 50),
    "hip_twist": (-30, 40),
    "knee": (0, 140),
    "ankle": (-40, 25),
}
"""Degrees. Those of shoulder, elbow, hip, knee and ankle are of either side."""

_SIDED = [name for name in LIMITS if name.split("_")[0] in ("shoulder", "elbow", "hip", "knee")]
_SIDED.append("ankle")
_TURNED = ("roll", "side", "twist", "tilt", "turn")
NAMES = [name for name in LIMITS if name not in _SIDED] + [
    f"{side}_{name}" for side in ("left", "right") for name in _SIDED
]


def _both(**angles: int) -> dict[str, float]:
    """The same angles for both sides where a joint has two."""
    return {
        name: float(angle)
        for key, angle in angles.items()
        for name in ([f"left_{key}", f"right_{key}"] if key in _SIDED else [key])
    }


_CROSSED = _both(shoulder_flex=35, shoulder_out=5, shoulder_twist=-55, elbow=95)
BASES: dict[str, tuple[float, float, dict[str, float]]] = {
    "stand": (5, 7, _both(shoulder_out=9, elbow=12, hip_out=4)),
    "walk": (
        4,
        8,
        {
            **_both(shoulder_out=8, elbow=25, bend=5),
            "left_shoulder_flex": 28.0,
            "right_shoulder_flex": -22.0,
            "left_hip_flex": -14.0,
            "right_hip_flex": 26.0,
            "left_knee": 24.0,
            "right_knee": 10.0,
        },
    ),
    "run": (
        3,
        10,
        {
            **_both(shoulder_out=10, elbow=90, pitch=10),
            "left_shoulder_flex": 45.0,
            "right_shoulder_flex": -35.0,
            "left_hip_flex": -15.0,
            "right_hip_flex": 65.0,
            "left_knee": 75.0,
            "right_knee": 70.0,
        },
    ),
    "sit": (3, 8, _both(hip_flex=88, knee=88, hip_out=8, shoulder_flex=25, elbow=50, bend=6)),
    "arms up": (1.5, 12, _both(shoulder_flex=10, shoulder_out=140, elbow=20, hip_out=7)),
    "reach": (2, 14, _both(shoulder_flex=85, shoulder_out=10, elbow=25, hip_out=5, bend=8)),
    "arms out": (1, 9, _both(shoulder_out=85, elbow=10, hip_out=10)),
    "arms crossed": (1, 5, _CROSSED),
    "hands on hips": (1, 6, _both(shoulder_out=45, shoulder_twist=-70, elbow=95, hip_out=8)),
    "squat": (1, 8, _both(hip_flex=105, knee=115, hip_out=18, bend=30, shoulder_flex=60, ankle=20)),
    "lunge": (
        1,
        8,
        {
            **_both(shoulder_out=20, elbow=40),
            "left_hip_flex": 75.0,
            "left_knee": 80.0,
            "right_hip_flex": -15.0,
            "right_knee": 45.0,
        },
    ),
    "kneel": (1, 7, _both(knee=110, hip_flex=15, shoulder_out=10, elbow=30, ankle=-35)),
    "crawl": (0.7, 7, _both(pitch=80, shoulder_flex=80, hip_flex=80, knee=85, nod=-30, ankle=-35)),
    "lie on back": (0.8, 10, _both(pitch=-88, shoulder_out=35, elbow=30, hip_out=10, knee=8)),
    "lie on front": (0.6, 9, _both(pitch=88, shoulder_out=100, elbow=50, hip_out=9, ankle=-35)),
    "sit on floor": (1, 7, _both(hip_flex=88, knee=18, hip_out=14, bend=4, shoulder_out=12)),
    "kick": (
        1,
        9,
        {**_both(shoulder_out=45, elbow=30), "left_hip_flex": 75.0, "left_knee": 25.0},
    ),
}
"""Weight, noise in degrees and angles of the poses that a person is likely to take."""

FREE = 0.22
"""Share of arms that are anywhere within their joints' limits."""


def random_angles(rng: np.random.Generator) -> tuple[str, dict[str, float]]:
    """Name and angles of a pose: an authored one with noise, at times with a free part, mirrored.

    Args:
        rng: Source of every choice.
    """
    weights = np.array([weight for weight, _, _ in BASES.values()])
    name = list(BASES)[int(rng.choice(len(BASES), p=weights / weights.sum()))]
    _, spread, base = BASES[name]
    noise = dict(zip(NAMES, rng.normal(size=len(NAMES)), strict=True))
    scale = {key: 0.4 if key in ("pitch", "roll", "bend", "side") else 1.0 for key in NAMES}
    scale |= {"turn": 2.5, "nod": 1.2} | {f"{s}_shoulder_twist": 2.0 for s in ("left", "right")}
    angles = {k: base.get(k, 0.0) + spread * scale[k] * noise[k] for k in NAMES}
    for part in ("left_shoulder", "right_shoulder"):
        if rng.random() < FREE:
            name = f"{name}, free arm"
            angles |= _free(part, rng)
    clipped = {key: float(np.clip(angle, *LIMITS[_kind(key)])) for key, angle in angles.items()}
    return name, mirrored(clipped) if rng.random() < 0.5 else clipped


def _free(shoulder: str, rng: np.random.Generator) -> dict[str, float]:
    """An arm anywhere within the limits of its joints."""
    kinds = [key for key in NAMES if key.startswith(shoulder)]
    elbow = shoulder.replace("shoulder", "elbow")
    return {key: float(rng.uniform(*LIMITS[_kind(key)])) for key in [*kinds, elbow]}


def _kind(name: str) -> str:
    return name.removeprefix("left_").removeprefix("right_")


PARTS = (
    "pelvis",
    "chest",
    "head",
    *(
        f"{side}_{part}"
        for part in ("upper_arm", "forearm", "thigh", "shin", "foot")
        for side in ("left", "right")
    ),
)
"""What is turned."""

Turns = Mapping[str, Float64[np.ndarray, "3 3"]]
"""Rotation of every part from the zero pose to the world."""


def turn(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Float64[np.ndarray, "3 3"]:
    """Rotation by degrees about z, then x, then y is R = Ry Rx Rz."""
    (cx, sx), (cy, sy), (cz, sz) = (
        (np.cos(np.radians(a)), np.sin(np.radians(a))) for a in (x, y, z)
    )
    return np.array(
        [
            [cy * cz + sy * sx * sz, -cy * sz + sy * sx * cz, sy * cx],
            [cx * sz, cx * cz, -sx],
            [-sy * cz + cy * sx * sz, sy * sz + cy * sx * cz, cy * cx],
        ]
    )


def turns(angles: Angles, yaw: float = 0.0) -> dict[str, Float64[np.ndarray, "3 3"]]:
    """Turns of the parts.

    Args:
        angles: Of the joints, degrees.
        yaw: Degrees about the vertical; 0 looks along z.
    """

    def a(name: str) -> float:
        return angles.get(name, 0.0)

    root = turn(y=yaw) @ turn(x=a("pitch"), z=a("roll"))
    chest = root @ turn(a("bend"), a("twist"), a("side"))
    out = {
        "pelvis": root,
        "chest": chest,
        "head": chest @ turn(a("nod"), a("turn"), a("tilt")),
    }
    for side, sign in (("left", 1.0), ("right", -1.0)):
        upper = (
            chest
            @ turn(z=sign * a(f"{side}_shoulder_out"))
            @ turn(x=-a(f"{side}_shoulder_flex"))
            @ turn(y=sign * a(f"{side}_shoulder_twist"))
        )
        thigh = (
            root
            @ turn(z=sign * a(f"{side}_hip_out"))
            @ turn(x=-a(f"{side}_hip_flex"))
            @ turn(y=sign * a(f"{side}_hip_twist"))
        )
        shin = thigh @ turn(x=a(f"{side}_knee"))
        out |= {
            f"{side}_upper_arm": upper,
            f"{side}_forearm": upper @ turn(x=-a(f"{side}_elbow")),
            f"{side}_thigh": thigh,
            f"{side}_shin": shin,
            f"{side}_foot": shin @ turn(x=-a(f"{side}_ankle")),
        }
    return out


def mirrored_turns(parts: Turns) -> dict[str, Float64[np.ndarray, "3 3"]]:
    """The pose seen in a mirror that exchanges the sides."""
    swap = {"left": "right", "right": "left"}
    flip = np.array([-1.0, 1.0, 1.0])
    out = {}
    for name, matrix in parts.items():
        side, _, rest = name.partition("_")
        out[f"{swap[side]}_{rest}" if side in swap else name] = flip[:, None] * matrix * flip
    return out


def mirrored(angles: Angles) -> dict[str, float]:
    """The pose seen in a mirror: sides exchanged, turns to the other side."""
    swap = {"left": "right", "right": "left"}
    out = {}
    for key, angle in angles.items():
        side, _, rest = key.partition("_")
        out[f"{swap[side]}_{rest}" if side in swap else key] = -angle if key in _TURNED else angle
    return out
