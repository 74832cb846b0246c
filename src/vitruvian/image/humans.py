"""People from the MakeHuman base mesh: a shape, clothes, a pose, and the 17 keypoints of COCO.

A character is drawn by lot once; it can then be posed as often as it takes to find a pose that goes
through nothing, and only then is its skin made. Where it stands, how it moves, what it meets and
what is labelled is the same as for the mannequin.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Int32

from vitruvian.image.garments import (
    Look,
    Part,
    Places,
    bound_weights,
    clipped,
    folded,
    pieces,
    places,
    without,
)
from vitruvian.image.makehuman import Assets
from vitruvian.image.mannequin import KEYPOINTS, Person, random_dye, random_hair, random_skin
from vitruvian.image.postures import Turns, turn
from vitruvian.image.raster import Mesh, unit_normals
from vitruvian.image.render import Solids
from vitruvian.image.rigging import Stance, stance

SIDES = ("left", "right")
THICK = 0.015
"""Metres of cloth."""

RAISED, SPREAD, LOWERED = 0.45, 0.06, 0.006
"""Where people click: shoulders this share of the way from the joint to the skin above it, hips
this share of their distance outwards and this share of the height below the joints. Chosen so that
heights and the ratio of widths agree better with those of 702 upright people of COCO."""

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
    line = level + 0.045 + np.clip(points[:, 2] + 0.0, -0.12, 0.09) * 0.75
    return np.where(head, np.clip((points[:, 1] - line) * 60, 0, 1), 0).astype(np.float32)


_JOINTS = ("upperarm", "lowerarm", "hand", "thigh", "calf", "foot")


def _rings(assets: Assets, skin: np.ndarray) -> dict[str, np.ndarray]:
    """Skin within 2 cm of the plane through a joint, across the bone after it."""
    rig, points = assets.rig, assets.base.points
    row = {name: n for n, name in enumerate(rig.names)}
    joints = rig.joints(points)
    out = {}
    for bone in _JOINTS:
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


class Character:
    """Somebody drawn by lot: :meth:`stand` poses the joints, :meth:`finish` makes the skin."""

    def __init__(self, assets: Assets, rng: np.random.Generator) -> None:
        self._assets, self._rig = assets, assets.rig
        self._anatomy = anatomy(assets)
        self.figure = random_figure(rng)
        self._points = shaped(assets, self.figure)
        self._heads = self._rig.joints(self._points).astype(float)
        self._curls = (float(abs(rng.normal(15, 15))), float(abs(rng.normal(15, 15))))
        self._wrists = (_wrist(rng), _wrist(rng))
        self._parts, self.wears = _dressed(assets, self._anatomy, self.figure, self._points, rng)
        body = self._points[: self._anatomy.outline.max() + 1, 1]
        self.tall = float(body.max() - body.min())

    @property
    def about(self) -> dict[str, Any]:
        """What was drawn, JSON."""
        names = ("sex", "age", "muscle", "weight", "height", "proportions", "origins")
        told = {name: getattr(self.figure, name) for name in names}
        return {**told, "metres": round(self.tall, 3), "wears": self.wears}

    def stand(self, parts: Turns, owner: int, at: tuple[float, float], lift: float) -> Person:
        """The joints and a body of round cones, on the ground; no skin yet."""
        posed = stance(self._rig, self._heads, parts, curls=self._curls, wrists=self._wrists)
        outline = self._anatomy.outline
        low = posed.skin(self._points[outline], self._rig.weights[outline])[:, 1].min()
        offset = np.array([at[0], lift - float(low), at[1]])
        radii = self._radii()
        return Person(
            solids=_cones(posed, parts, radii, self.tall, owner, offset),
            keypoints=self._keypoints(posed, parts) + offset,
            radii=np.array([radii[name.split("_")[-1]] for name in KEYPOINTS]),
            posed=(posed, offset),
        )

    def finish(self, one: Person, lift: float) -> Person:
        """With its skin and clothes, whose lowest point is on the ground."""
        posed, offset = one.posed
        mesh = _mesh(self._parts, posed, offset, int(one.solids.owner[0]))
        up = np.array([0.0, lift - float(mesh.points[:, 1].min()), 0.0])
        mesh.points[:] += up.astype(np.float32)
        one.solids.origin[:] += up
        return Person(
            solids=one.solids, keypoints=one.keypoints + up, radii=one.radii, meshes=(mesh,)
        )

    def _radii(self) -> dict[str, float]:
        """Metres of body around the keypoints, by kind."""
        out = {"nose": 0.015, "eye": 0.02, "ear": 0.03}
        names = zip(("shoulder", "elbow", "wrist", "hip", "knee", "ankle"), _JOINTS, strict=True)
        for kind, bone in names:
            ring = self._points[self._anatomy.rings[f"{bone}_l"]]
            joint = self._heads[self._rig.names.index(f"{bone}_l")]
            around = np.linalg.norm(ring - joint, axis=1)
            out[kind] = float(np.percentile(around, 75)) + THICK
        return out

    def _keypoints(self, posed: Stance, parts: Turns) -> Float64[np.ndarray, "17 3"]:
        def mean(rows: np.ndarray) -> np.ndarray:
            skin = posed.skin(self._points[rows], self._rig.weights[rows])
            return np.asarray(skin.mean(0), float)

        found = {"nose": mean(self._anatomy.nose)}
        for k, side in enumerate(SIDES):
            found[f"{side}_eye"] = mean(self._anatomy.eyes[k])
            found[f"{side}_ear"] = mean(self._anatomy.ears[k])
            for kind, bone in zip(
                ("shoulder", "elbow", "wrist", "hip", "knee", "ankle"), _JOINTS, strict=True
            ):
                found[f"{side}_{kind}"] = posed.joints[f"{bone}_{side[0]}"]
            top = mean(self._anatomy.tops[k])
            found[f"{side}_shoulder"] += RAISED * (top - found[f"{side}_shoulder"])
        hips = (found["left_hip"] + found["right_hip"]) / 2
        for side in SIDES:
            found[f"{side}_hip"] += SPREAD * (found[f"{side}_hip"] - hips)
            found[f"{side}_hip"] -= LOWERED * self.tall * parts["pelvis"][:, 1]
        return np.array([found[name] for name in KEYPOINTS])


def _wrist(rng: np.random.Generator) -> np.ndarray:
    """A hand bent, turned and to the side."""
    bent, turned, aside = rng.normal(0, [18.0, 30.0, 10.0])
    return turn(float(bent), float(turned), float(aside))


def _cones(
    posed: Stance,
    parts: Turns,
    radii: dict[str, float],
    tall: float,
    owner: int,
    offset: np.ndarray,
) -> Solids:
    """The body as round cones, in the order of the mannequin's first ones."""
    at = {name: joint + offset for name, joint in posed.joints.items()}
    hips = (at["thigh_l"] + at["thigh_r"]) / 2
    arms = (at["upperarm_l"] + at["upperarm_r"]) / 2
    wide = float(np.linalg.norm(at["upperarm_l"] - at["upperarm_r"])) / 2
    skull = at["head"] + 0.035 * tall * parts["head"][:, 1]
    waist = at["spine_02"]
    rows = [
        (hips, waist, 0.085 * tall, 0.075 * tall),
        (waist, arms - 0.06 * tall * parts["chest"][:, 1], 0.07 * tall, 0.8 * wide),
        (at["upperarm_l"], at["upperarm_r"], radii["shoulder"] * 0.8, radii["shoulder"] * 0.8),
        (at["neck_01"], at["head"], 0.032 * tall, 0.032 * tall),
        (skull, skull + 0.01 * tall * parts["head"][:, 1], 0.055 * tall, 0.055 * tall),
    ]
    for end in ("l", "r"):
        for bone, child, first, last in (
            ("upperarm", "lowerarm", "shoulder", "elbow"),
            ("lowerarm", "hand", "elbow", "wrist"),
            ("hand", "middle_02", "wrist", "wrist"),
            ("thigh", "calf", "hip", "knee"),
            ("calf", "foot", "knee", "ankle"),
            ("foot", "ball", "ankle", "ankle"),
        ):
            big = min(radii[first], 0.055 * tall)
            rows.append((at[f"{bone}_{end}"], at[f"{child}_{end}"], big, radii[last]))
    starts, ends, thick, thin = (np.array(column) for column in zip(*rows, strict=True))
    way = ends - starts
    length = np.linalg.norm(way, axis=1)
    count = len(rows)
    return Solids(
        origin=starts,
        axes=_frames(way / length[:, None]),
        stretch=np.ones((count, 3)),
        radii=np.stack([thick, thin], 1),
        length=length,
        owner=np.full(count, owner),
        colours=np.zeros((count, 3, 3)),
        cut=np.ones(count),
        pattern=np.zeros(count, np.int64),
        period=np.ones(count),
    )


def _frames(long: np.ndarray) -> np.ndarray:
    """Frames whose second axis is given."""
    least = np.eye(3)[np.abs(long).argmin(1)]
    side = np.cross(long, least)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    return np.stack([side, long, np.cross(side, long)], 2)


def _mesh(parts: list[Part], posed: Stance, offset: np.ndarray, owner: int) -> Mesh:
    """All parts, posed, as one mesh."""
    starts = np.cumsum([0, *(len(part.points) for part in parts)])
    points = posed.skin(
        np.concatenate([part.points for part in parts]),
        np.concatenate([part.weights for part in parts]),
    )
    points += offset.astype(np.float32)
    faces = np.concatenate([p.faces + np.int32(s) for p, s in zip(parts, starts, strict=False)])
    counts = [len(part.faces) for part in parts]
    each = [len(part.points) for part in parts]
    looks = [part.look for part in parts]
    colours = [
        np.tile(np.array(part.look.colour, np.float32), (len(part.points), 1))
        if part.colours is None
        else part.colours
        for part in parts
    ]
    return Mesh(
        points=points,
        normals=unit_normals(points, faces),
        colours=np.concatenate(colours),
        cloth=np.concatenate([part.cloth for part in parts]),
        gloss=np.repeat(np.array([look.gloss for look in looks], np.float32), each),
        faces=faces,
        open=np.repeat([part.open for part in parts], counts),
        style=np.repeat(np.arange(len(parts), dtype=np.int32), counts),
        others=np.array([look.other for look in looks], np.float32),
        pattern=np.array([look.pattern for look in looks]),
        period=np.array([look.period for look in looks], np.float32),
        owner=owner,
    )


def _dressed(
    assets: Assets,
    where: Anatomy,
    figure: Figure,
    points: np.ndarray,
    rng: np.random.Generator,
) -> tuple[list[Part], list[str]]:
    """Skin, eyes, brows, hair, clothes, shoes and hat, and their names."""
    skin, hair = random_skin(rng, 1 - figure.origins[0]), random_hair(rng, figure.age > 0.72)
    wardrobe = _Wardrobe(assets, where, points, rng)
    male = figure.sex > 0.5
    suits = [
        n for n in assets.fitted("clothes") if n.startswith("clothes/" + ("female", "male")[male])
    ]
    if suits and rng.random() < 0.4:
        wardrobe.suit(str(rng.choice(suits)))
    else:
        wardrobe.tailored(male)
    shoes = [n for n in assets.fitted("clothes") if n.startswith("clothes/shoes")]
    if shoes and rng.random() < 0.88:
        wardrobe.put_on(str(rng.choice(shoes)), Look(colour=_rgb(random_dye(rng)), gloss=0.1))
    bald = male and rng.random() < 0.12
    hats = [n for n in assets.fitted("clothes") if "fedora" in n]
    hatted = bool(hats) and rng.random() < 0.07
    styles = assets.fitted("hair")
    short = [n for n in styles if n.split("/")[-1].startswith("short")]
    long = [n for n in styles if n not in short]
    if not bald:
        cropped = rng.random() < (0.35 if male else 0.06)
        choice = short if male and rng.random() < 0.93 else long if rng.random() < 0.85 else short
        if choice and not cropped and not hatted:
            wardrobe.hair(str(rng.choice(choice)), hair)
    if hatted:
        wardrobe.put_on(str(rng.choice(hats)), _random_look(rng))
    brows = assets.fitted("eyebrows")
    if brows:
        dark = tuple(0.7 * h + 0.12 * s for h, s in zip(hair, skin, strict=True))
        wardrobe.put_on(str(rng.choice(brows)), Look(colour=_rgb(np.array(dark)), pattern=-1))
    wardrobe.skin(skin, hair, 0.0 if bald else 1.0)
    wardrobe.eyes(rng)
    return wardrobe.parts, wardrobe.names


def _rgb(colour: np.ndarray) -> tuple[float, float, float]:
    red, green, blue = (float(c) for c in colour)
    return red, green, blue


def _random_look(rng: np.random.Generator) -> Look:
    return Look(
        colour=_rgb(random_dye(rng)),
        other=_rgb(random_dye(rng)),
        pattern=int(rng.choice(5, p=[0.55, 0.12, 0.1, 0.11, 0.12])),
        period=float(np.exp(rng.uniform(np.log(0.03), np.log(0.25)))),
    )


class _Wardrobe:
    """Collects the parts of a body at rest, and what of its skin they cover."""

    def __init__(
        self, assets: Assets, where: Anatomy, points: np.ndarray, rng: np.random.Generator
    ) -> None:
        self._assets, self._where, self._points, self._rng = assets, where, points, rng
        self._hidden = np.zeros(len(points), bool)
        self.parts: list[Part] = []
        self.names: list[str] = []

    def put_on(self, name: str, look: Look) -> None:
        """Something fitted, in one look."""
        worn = self._assets.wear(name)
        points = worn.fit(self._points)
        self._hidden[worn.hides] = True
        self.names.append(worn.name)
        self.parts.append(
            Part(
                points=points,
                weights=_bound(self._assets, name),
                faces=worn.faces,
                cloth=self._where.places.cloth[worn.corners[:, 0]],
                look=look,
            )
        )

    def suit(self, name: str) -> None:
        """Fitted clothes: their pieces above and below the hips in two looks."""
        self.put_on(name, _random_look(self._rng))
        whole = self.parts.pop()
        upper, low = _upper(self._assets, name), _random_look(self._rng)
        for look, chosen in ((whole.look, upper), (low, ~upper)):
            faces = whole.faces[chosen[whole.faces[:, 0]]]
            if len(faces):
                self.parts.append(
                    Part(
                        points=whole.points,
                        weights=whole.weights,
                        faces=faces,
                        cloth=whole.cloth,
                        look=look,
                    )
                )

    def hair(self, name: str, colour: np.ndarray) -> None:
        """Hair with strands."""
        other = _rgb(np.clip(colour * 0.55, 0, 1))
        look = Look(colour=_rgb(colour), other=other, pattern=5, period=0.12, gloss=0.12)
        self.put_on(name, look)

    def tailored(self, male: bool) -> None:
        """Shirt or dress, and trousers or skirt, cut from the base mesh's helpers."""
        rng, where = self._rng, self._where.places
        look, below = _random_look(rng), _random_look(rng)
        skirt = not male and rng.random() < 0.3
        dress = skirt and rng.random() < 0.4
        hem, neck = rng.uniform(-0.12, 0.2), rng.uniform(0.075, 0.14)
        sleeve = float(
            rng.choice([0.03, 0.3, 0.5, 0.8, 1.2, 1.92], p=[0.1, 0.22, 0.22, 0.08, 0.06, 0.32])
        )
        waist = max(float(hem) + 0.06, float(rng.uniform(0.15, 0.24)))
        length = float(rng.choice([0.3, 0.6, 0.9, 1.4, 1.9], p=[0.14, 0.13, 0.08, 0.07, 0.58]))
        shirt = np.where(
            where.arm >= 0,
            sleeve - where.arm,
            np.minimum(where.height - hem, 2 * (where.collar - neck)),
        )
        low = np.minimum(waist - where.height, where.height + (0.25 if skirt else length))
        low = np.where(where.arm >= 0, -1, low)
        tucked = hem > 0.02 and rng.random() < 0.3
        loose = float(rng.uniform(0.004, 0.026))
        if not (male and rng.random() < 0.05):
            flare = np.clip(
                np.where(where.arm >= 0, 0.5 + 0.4 * where.arm, 1.2 - where.height), 0.3, 1.4
            )
            self._shell(shirt, look, 0.006 + loose * flare)
            self.names.append("dress" if dress else "shirt")
        wide = float(rng.uniform(0.002, 0.026))
        spread = np.clip(0.3 - 0.5 * where.height, 0.1, 1.0)
        self._shell(low, look if dress else below, (0.012 if tucked else 0.004) + wide * spread)
        if skirt:
            self._skirt(look if dress else below, float(rng.uniform(-1.85, -0.4)))
        self.names.append("skirt" if skirt else "trousers")

    def _shell(self, cover: np.ndarray, look: Look, thick: np.ndarray) -> None:
        """Cloth where ``cover`` of the base mesh's vertices is not negative."""
        rows, faces = _helper(self._assets, "helper-tights")
        points = folded(self._points[rows], faces, thick[rows].astype(np.float32), self._rng)
        self._cut(rows, faces, points, cover[rows], look)
        self._hidden |= cover > 0.1

    def _skirt(self, look: Look, end: float) -> None:
        """A skirt down to a height as in ``Places``, wider below."""
        rows, faces = _helper(self._assets, "helper-skirt")
        points = self._points[rows]
        drop = np.clip(points[:, 1].max() - points[:, 1], 0, None) * self._rng.uniform(0, 0.18)
        points = folded(points, faces, (0.006 + drop).astype(np.float32), self._rng)
        rig = self._assets.rig
        joints = rig.joints(self._points)
        marks = [joints[rig.names.index(f"{b}_l")][1] for b in ("foot", "calf", "thigh")]
        cover = self._points[rows, 1] - np.interp(end, [-2, -1, 0], marks)
        self._cut(rows, faces, points, cover.astype(np.float32), look)

    def _cut(
        self, rows: np.ndarray, faces: np.ndarray, points: np.ndarray, cover: np.ndarray, look: Look
    ) -> None:
        whole = Part(
            points=points,
            weights=self._assets.rig.weights[rows],
            faces=faces,
            cloth=self._where.places.cloth[rows],
            look=look,
        )
        part = clipped(whole, np.asarray(cover, np.float32))
        if len(part.faces):
            self.parts.append(part)

    def skin(self, skin: np.ndarray, hair: np.ndarray, cropped: float) -> None:
        """What is not covered, with lips and the roots of the hair."""
        rows, faces = _helper(self._assets, "body")
        lips = np.clip(skin * [0.85, 0.55, 0.55], 0, 1)
        colours = np.tile(skin, (len(rows), 1))
        colours *= 1 + 0.02 * self._rng.normal(size=(len(rows), 1))
        for share, other in (
            (self._where.mouth[rows], lips),
            (self._where.scalp[rows] * 0.92 * cropped, hair),
        ):
            colours += (other - colours) * share[:, None]
        whole = Part(
            points=self._points[rows],
            weights=self._assets.rig.weights[rows],
            faces=faces,
            cloth=self._where.places.cloth[rows],
            look=Look(colour=_rgb(skin), pattern=-1, gloss=0.1),
            colours=np.clip(colours, 0, 1).astype(np.float32),
            open=False,
        )
        self.parts.append(without(whole, self._hidden[rows]))

    def eyes(self, rng: np.random.Generator) -> None:
        """White, iris and pupil by the angle from straight ahead."""
        iris = np.array(
            [(0.25, 0.15, 0.08), (0.3, 0.4, 0.45), (0.3, 0.35, 0.2)][
                int(rng.choice(3, p=[0.7, 0.18, 0.12]))
            ]
        )
        for end in ("l", "r"):
            rows, faces = _helper(self._assets, f"helper-{end}-eye")
            points = self._points[rows]
            off = points - (points.max(0) + points.min(0)) / 2
            ahead = off[:, 2] / np.linalg.norm(off, axis=1)
            colours = np.full((len(rows), 3), 0.88)
            colours[ahead > 0.8] = iris
            colours[ahead > 0.95] = 0.05
            self.parts.append(
                Part(
                    points=points,
                    weights=self._assets.rig.weights[rows],
                    faces=faces,
                    cloth=self._where.places.cloth[rows],
                    look=Look(colour=(0.9, 0.9, 0.9), pattern=-1, gloss=0.3),
                    colours=colours.astype(np.float32),
                    open=False,
                )
            )


@lru_cache(maxsize=32)
def _helper(assets: Assets, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Vertices of a group of the base mesh, and its triangles among them."""
    faces = assets.base.group(name)
    rows, numbers = np.unique(faces, return_inverse=True)
    return rows, numbers.reshape(faces.shape).astype(np.int32)


@lru_cache(maxsize=128)
def _bound(assets: Assets, name: str) -> np.ndarray:
    return bound_weights(assets.wear(name), assets.rig)


@lru_cache(maxsize=128)
def _upper(assets: Assets, name: str) -> np.ndarray:
    """Which points of a suit belong to pieces most of which is above the hips."""
    worn = assets.wear(name)
    height = anatomy(assets).places.height[worn.corners[:, 0]]
    arm = anatomy(assets).places.arm[worn.corners[:, 0]]
    above = (height > 0.12) | (arm >= 0)
    label = pieces(worn.faces, len(worn.corners))
    share = np.bincount(label, above, len(label)) / np.maximum(
        np.bincount(label, minlength=len(label)), 1
    )
    split = share[label] > 0.5
    return np.asarray(split if split.any() and not split.all() else above)
