"""A jointed person of round cones: proportions, clothes, and the 17 keypoints of COCO.

Own frame: x to the person's left, y up, z to the front, metres. Lengths are shares of the height
(Winter 2009, table 4.1, rounded), girths were chosen by eye.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from vitruvian.image.postures import Turns, turn
from vitruvian.image.raster import Mesh
from vitruvian.image.render import Solids, depth_inside, lowest

KEYPOINTS = (
    "nose",
    *(
        f"{side}_{part}"
        for part in ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
        for side in ("left", "right")
    ),
)
"""In the order of COCO."""

_SIDES = (("left", 1.0), ("right", -1.0))
_SKIN = np.array(
    [
        (0.96, 0.80, 0.69),
        (0.87, 0.67, 0.53),
        (0.76, 0.55, 0.40),
        (0.55, 0.37, 0.26),
        (0.34, 0.22, 0.16),
    ]
)
_HAIR = np.array(
    [
        (0.08, 0.06, 0.05),
        (0.25, 0.15, 0.08),
        (0.45, 0.28, 0.12),
        (0.75, 0.60, 0.30),
        (0.55, 0.55, 0.55),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """Proportions of one person.

    Attributes:
        height: Metres.
        girth: Factor on the radii of trunk and limbs.
        legs: Factor on the legs' lengths.
        arms: Factor on the arms' lengths.
        shoulders: Factor on the width of the shoulders.
        hips: Factor on the width of the hips.
        head: Factor on the size of the head.
    """

    height: float
    girth: float
    legs: float
    arms: float
    shoulders: float
    hips: float
    head: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloth:
    """What covers some parts.

    Attributes:
        colours: 3 3, RGB of cloth, pattern and what is beyond the cloth's end.
        cut: Share of a part's length that it covers.
        pattern: As in ``Solids``.
        period: Of the pattern, metres.
    """

    colours: Float64[np.ndarray, "3 3"]
    cut: float = 1.0
    pattern: int = 0
    period: float = 1.0


Wardrobe = dict[str, Cloth]
"""Clothes by kind of part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A posed body in the world.

    Attributes:
        solids: Its parts.
        keypoints: 17 3, world metres, in the order of ``KEYPOINTS``.
        radii: 17, metres of body around each keypoint: a surface so far before it does not hide it.
        meshes: What is drawn instead of the solids, if anything.
        posed: What a skin is made from later, if it is.
    """

    solids: Solids
    keypoints: Float64[np.ndarray, "17 3"]
    radii: Float64[np.ndarray, " 17"]
    meshes: tuple[Mesh, ...] = ()
    posed: Any = None


class Mannequin:
    """Somebody drawn by lot, who can then be posed as often as it takes."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._build, self._wardrobe = random_build(rng), random_wardrobe(rng)

    @property
    def about(self) -> dict[str, Any]:
        """What was drawn, JSON."""
        return asdict(self._build)

    def stand(self, parts: Turns, owner: int, at: tuple[float, float], lift: float) -> Person:
        """Posed, above the ground by ``lift`` metres."""
        return person(self._build, parts, self._wardrobe, owner=owner, at=at, lift=lift)

    def finish(self, one: Person, lift: float) -> Person:
        """Nothing is left to do."""
        del lift
        return one


def random_build(rng: np.random.Generator) -> Build:
    """Grown-ups and, one time in six, children of 0.9 to 1.5 m with larger heads."""
    child = rng.random() < 1 / 6
    height = float(rng.uniform(0.9, 1.5) if child else np.clip(rng.normal(1.7, 0.1), 1.45, 2.05))
    return Build(
        height=height,
        girth=float(np.clip(np.exp(rng.normal(0.05, 0.16)), 0.8, 1.5)),
        legs=float(rng.normal(1, 0.03)) * (0.94 if child else 1),
        arms=float(rng.normal(1, 0.03)),
        shoulders=float(rng.normal(1, 0.06)),
        hips=float(rng.normal(1, 0.06)),
        head=float(rng.normal(1, 0.04)) * (1 + 0.35 * max(0.0, 1.55 - height) / 0.65),
    )


def random_wardrobe(rng: np.random.Generator) -> Wardrobe:
    """Long or short sleeves and legs, plain or patterned cloth, shoes, skin and hair."""
    skin = _mixed(_SKIN, rng)
    top, low = _cloth(rng, skin), _cloth(rng, skin)
    sleeves = int(rng.choice(4, p=[0.12, 0.4, 0.13, 0.35]))
    legs = int(rng.choice(3, p=[0.25, 0.12, 0.63]))
    bare = Cloth(colours=np.tile(skin, (3, 1)))
    return {
        "top": top,
        "low": low,
        "sleeve": _until(top, (0.02, 0.6, 1.0, 1.0)[sleeves]),
        "forearm": _until(top, (0.0, 0.0, 0.4, 0.93)[sleeves]) if sleeves > 1 else bare,
        "thigh": _until(low, (float(rng.uniform(0.35, 0.9)), 1.0, 1.0)[legs]),
        "shin": _until(low, (0.0, float(rng.uniform(0.2, 0.6)), 0.95)[legs]) if legs else bare,
        "shoe": Cloth(colours=np.tile(rng.uniform(0.03, 1, 3) ** 1.5, (3, 1))),
        "hair": Cloth(colours=np.tile(_mixed(_HAIR, rng), (3, 1))),
        "calf": low if legs == 2 else bare,
        "skin": bare,
        "white": _plain(0.92, 0.9, 0.88),
        "pupil": _plain(0.06, 0.04, 0.03),
        "mouth": _plain(*(0.75 * skin + (0.12, 0.0, 0.02))),
    }


def random_skin(rng: np.random.Generator, fair: float) -> Float64[np.ndarray, "3"]:
    """A skin's RGB, the fairer the nearer to 1."""
    at = float(np.clip((1 - fair) * 2.6 + rng.uniform(0, 1.6), 0, 3.99))
    share = at - int(at)
    mixed: np.ndarray = _SKIN[int(at)] * (1 - share) + _SKIN[int(at) + 1] * share
    return np.clip(mixed * rng.uniform(0.9, 1.1), 0, 1)


def random_hair(rng: np.random.Generator, grey: bool) -> Float64[np.ndarray, "3"]:
    """A hair's RGB; grey for most of the old."""
    if grey and rng.random() < 0.7:
        return np.full(3, rng.uniform(0.4, 0.8))
    return _mixed(_HAIR, rng)


def random_dye(rng: np.random.Generator) -> Float64[np.ndarray, "3"]:
    """A cloth's RGB."""
    grey = rng.uniform(0.04, 0.95)
    return np.asarray(grey + (rng.uniform(0.02, 1, 3) - grey) * rng.uniform(0.1, 1))


def _plain(red: float, green: float, blue: float) -> Cloth:
    return Cloth(colours=np.tile(np.array([red, green, blue]), (3, 1)))


def _mixed(palette: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    i, share = int(rng.integers(len(palette) - 1)), rng.random()
    mixed: np.ndarray = palette[i] * share + palette[i + 1] * (1 - share)
    return np.clip(mixed * rng.uniform(0.9, 1.1), 0, 1)


def _cloth(rng: np.random.Generator, skin: np.ndarray) -> Cloth:
    return Cloth(
        colours=np.stack([random_dye(rng), random_dye(rng), skin]),
        pattern=int(rng.choice(4, p=[0.55, 0.2, 0.1, 0.15])),
        period=float(np.exp(rng.uniform(np.log(0.03), np.log(0.25)))),
    )


def _until(cloth: Cloth, cut: float) -> Cloth:
    return Cloth(colours=cloth.colours, cut=cut, pattern=cloth.pattern, period=cloth.period)


_FLIP = np.diag([-1.0, -1.0, 1.0])
"""Turns the long axis of a limb down its frame: limbs hang along -y."""


class _Body:
    """Collects parts and keypoints while the joints are walked from the pelvis outwards."""

    def __init__(self, owner: int, wardrobe: Wardrobe) -> None:
        self.owner, self.wardrobe = owner, wardrobe
        self.rows: list[tuple[np.ndarray, np.ndarray, np.ndarray, tuple[float, float], float]] = []
        self.cloth: list[Cloth] = []
        self.keypoints: dict[str, tuple[np.ndarray, float]] = {}

    def add(
        self,
        kind: str,
        origin: np.ndarray,
        axes: np.ndarray,
        radii: tuple[float, float],
        length: float = 0.0,
        stretch: tuple[float, float, float] = (1.0, 1.0, 1.0),
    ) -> None:
        self.rows.append((origin, axes, np.array(stretch), radii, length / stretch[1]))
        self.cloth.append(self.wardrobe[kind])

    def solids(self) -> Solids:
        origin, axes, stretch, radii, length = zip(*self.rows, strict=True)
        return Solids(
            origin=np.array(origin),
            axes=np.array(axes),
            stretch=np.array(stretch),
            radii=np.array(radii),
            length=np.array(length, float),
            owner=np.full(len(length), self.owner),
            colours=np.array([c.colours for c in self.cloth]),
            cut=np.array([c.cut for c in self.cloth], float),
            pattern=np.array([c.pattern for c in self.cloth]),
            period=np.array([c.period for c in self.cloth], float),
        )


def person(
    build: Build,
    parts: Turns,
    wardrobe: Wardrobe,
    *,
    owner: int = 0,
    at: tuple[float, float] = (0.0, 0.0),
    lift: float = 0.0,
) -> Person:
    """A person with the lowest point on the ground.

    Args:
        build: Proportions.
        parts: How the parts are turned.
        wardrobe: Clothes.
        owner: Number of the person in ``Solids.owner``.
        at: Where on the ground the pelvis is above, (x, z), metres.
        lift: Metres above the ground.
    """
    body = _Body(owner, wardrobe)
    root, chest = parts["pelvis"], parts["chest"]
    pelvis = np.array([at[0], 0.0, at[1]])
    neck, spine = _trunk(body, build, root, chest, pelvis)
    _head(body, build, parts["head"], neck)
    for side, sign in _SIDES:
        _arm(body, build, parts, spine, side, sign)
        _leg(body, build, parts, pelvis, side, sign)
    solids = body.solids()
    up = np.array([0.0, lift - lowest(solids).min(), 0.0])
    solids.origin[:] += up
    return Person(
        solids=solids,
        keypoints=np.array([body.keypoints[name][0] for name in KEYPOINTS]) + up,
        radii=np.array([body.keypoints[name][1] for name in KEYPOINTS]),
    )


def _trunk(
    body: _Body, build: Build, root: np.ndarray, chest: np.ndarray, pelvis: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The neck's upper end and the spine's bend."""
    h, g = build.height, build.girth
    wide = build.hips * g
    body.add(
        "low", pelvis - 0.015 * h * root[:, 1], root, (0.064 * h * g, 0.06 * h * g), 0.075 * h,
        (1.3 * wide / g, 1.0, 0.95),
    )  # fmt: skip
    spine = pelvis + 0.07 * h * root[:, 1]
    broad = build.shoulders
    body.add(
        "top", spine, chest, (0.06 * h * g, 0.068 * h * g), 0.14 * h, (1.25 * broad, 1.0, 0.92)
    )
    bar = chest[:, [1, 0, 2]] * np.array([1.0, -1.0, 1.0])
    width = 0.15 * h * broad
    middle = spine + 0.186 * h * chest[:, 1]
    body.add("top", middle - bar[:, 1] * width / 2, bar, (0.042 * h * g,) * 2, width)
    neck = spine + 0.2 * h * chest[:, 1] - 0.005 * h * chest[:, 2]
    body.add("skin", neck, chest, (0.032 * h * g**0.5,) * 2, 0.055 * h)
    return neck + 0.055 * h * chest[:, 1], spine


def _head(body: _Body, build: Build, frame: np.ndarray, base: np.ndarray) -> None:
    size = build.height * build.head

    def at(x: float, y: float, z: float) -> np.ndarray:
        made: np.ndarray = base + size * (frame @ np.array([x, 0.055 + y, 0.008 + z]))
        return made

    def face(x: float, y: float, out: float = 0.0) -> np.ndarray:
        """A point of the skull's front, whose half axes are 0.044, 0.066 and 0.055."""
        return at(x, y, 0.055 * np.sqrt(1 - (x / 0.044) ** 2 - (y / 0.066) ** 2) + out)

    body.add("skin", at(0.0, 0.0, 0.0), frame, (0.066 * size,) * 2, 0.0, (0.667, 1.0, 0.833))
    body.add("hair", at(0.0, 0.016, -0.014), frame, (0.062 * size,) * 2, 0.0, (0.8, 1.0, 0.9))
    nose, mouth = face(0.0, -0.014), face(0.0, -0.036, -0.002)
    body.add(
        "skin",
        face(0.0, 0.0),
        frame @ _FLIP @ turn(-18.0),
        (0.005 * size, 0.009 * size),
        0.02 * size,
    )
    body.add("mouth", mouth, frame, (0.014 * size,) * 2, 0.0, (1.0, 0.3, 0.4))
    body.keypoints["nose"] = nose + 0.008 * size * frame[:, 2], 0.012 * size
    for side, sign in _SIDES:
        eye, ear = face(sign * 0.018, 0.006, -0.002), at(sign * 0.044, -0.004, -0.004)
        body.add("white", eye, frame, (0.0085 * size,) * 2, 0.0, (1.1, 0.7, 0.6))
        body.add("pupil", eye + 0.0035 * size * frame[:, 2], frame, (0.0045 * size,) * 2)
        brow = face(sign * 0.018, 0.02)
        body.add("hair", brow, frame, (0.01 * size,) * 2, 0.0, (1.1, 0.28, 0.4))
        body.add("skin", ear, frame, (0.015 * size,) * 2, 0.0, (0.35, 1.0, 0.65))
        body.keypoints[f"{side}_eye"] = eye, 0.012 * size
        body.keypoints[f"{side}_ear"] = ear, 0.012 * size


def _arm(
    body: _Body,
    build: Build,
    parts: Turns,
    spine: np.ndarray,
    side: str,
    sign: float,
) -> None:
    h, g = build.height, build.girth
    chest, upper, fore = (parts[n] for n in ("chest", f"{side}_upper_arm", f"{side}_forearm"))
    shoulder = spine + chest @ np.array([sign * 0.1 * h * build.shoulders, 0.178 * h, 0.0])
    elbow = shoulder - 0.172 * h * build.arms * upper[:, 1]
    wrist = elbow - 0.148 * h * build.arms * fore[:, 1]
    radii = (0.033 * h * g, 0.024 * h * g, 0.016 * h * g**0.5)
    body.add("sleeve", shoulder, upper @ _FLIP, radii[:2], 0.172 * h * build.arms)
    body.add("forearm", elbow, fore @ _FLIP, (radii[1] * 0.97, radii[2]), 0.148 * h * build.arms)
    palm = wrist - 0.04 * h * fore[:, 1]
    body.add("skin", palm, fore, (0.042 * h,) * 2, 0.0, (0.32, 1.0, 0.55))
    thumb = fore @ _FLIP @ turn(x=-35.0)
    body.add("skin", wrist - 0.015 * h * fore[:, 1], thumb, (0.01 * h, 0.007 * h), 0.035 * h)
    for name, point, radius in zip(
        ("shoulder", "elbow", "wrist"), (shoulder, elbow, wrist), radii, strict=True
    ):
        body.keypoints[f"{side}_{name}"] = point, radius


def _leg(
    body: _Body,
    build: Build,
    parts: Turns,
    pelvis: np.ndarray,
    side: str,
    sign: float,
) -> None:
    h, g = build.height, build.girth
    root, foot = parts["pelvis"], parts[f"{side}_foot"]
    thigh, shin = parts[f"{side}_thigh"], parts[f"{side}_shin"]
    hip = pelvis + root @ np.array([sign * 0.052 * h * build.hips, -0.02 * h, 0.0])
    knee = hip - 0.235 * h * build.legs * thigh[:, 1]
    ankle = knee - 0.235 * h * build.legs * shin[:, 1]
    radii = (0.052 * h * g, 0.034 * h * g, 0.022 * h * g**0.5)
    body.add("thigh", hip, thigh @ _FLIP, radii[:2], 0.235 * h * build.legs)
    body.add("shin", knee, shin @ _FLIP, (radii[1] * 1.02, radii[2]), 0.235 * h * build.legs)
    calf = knee - 0.07 * h * shin[:, 1] - 0.01 * h * shin[:, 2]
    body.add("calf", calf, shin @ _FLIP, (0.03 * h * g, 0.022 * h * g), 0.08 * h)
    sole = foot @ np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0.0]])
    heel = ankle - foot @ np.array([0.0, 0.02 * h, 0.012 * h])
    body.add("shoe", heel, sole, (0.021 * h, 0.017 * h), 0.1 * h, (1.15, 1.0, 1.0))
    for name, point, radius in zip(
        ("hip", "knee", "ankle"), (hip, knee, ankle), (0.075 * h * g, *radii[1:]), strict=True
    ):
        body.keypoints[f"{side}_{name}"] = point, radius


def clashes(one: Person) -> bool:
    """Whether a forearm, a hand or a shin goes through head or trunk, or a leg through a leg."""
    named = dict(zip(KEYPOINTS, one.keypoints, strict=True))
    limbs = []
    for side, _ in _SIDES:
        elbow, wrist = named[f"{side}_elbow"], named[f"{side}_wrist"]
        limbs += [elbow + share * (wrist - elbow) for share in (0.4, 0.7, 1.0, 1.2)]
        knee, ankle = named[f"{side}_knee"], named[f"{side}_ankle"]
        limbs += [knee, ankle]
    core = [0, 1, 2, 4]
    solids = one.solids
    trunk = Solids(**{name: getattr(solids, name)[core] for name in Solids.__dataclass_fields__})
    if (depth_inside(trunk, np.array(limbs)) > 0.15).any():
        return True
    left = np.linspace(named["left_knee"], named["left_ankle"], 5)
    right = np.linspace(named["right_knee"], named["right_ankle"], 5)
    apart = np.linalg.norm(left[:, None] - right[None], axis=2).min()
    return bool(apart < 0.07)
