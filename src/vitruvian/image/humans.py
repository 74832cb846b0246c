"""People from the MakeHuman base mesh: a shape, clothes, a pose, and the 17 keypoints of COCO.

A character is drawn by lot once; it can then be posed as often as it takes to find a pose that goes
through nothing, and only then is its skin made. Where it stands, how it moves, what it meets and
what is labelled is the same as for the mannequin.
"""

from typing import Any

import numpy as np
from jaxtyping import Float64

from vitruvian.image.anatomy import BONES, anatomy, random_figure, shaped
from vitruvian.image.garments import Part
from vitruvian.image.makehuman import Assets
from vitruvian.image.mannequin import KEYPOINTS, Person
from vitruvian.image.postures import Turns, turn
from vitruvian.image.raster import Mesh, unit_normals
from vitruvian.image.render import Solids
from vitruvian.image.rigging import Stance, stance
from vitruvian.image.wardrobe import dressed

SIDES = ("left", "right")
THICK = 0.015
"""Metres of cloth."""

RAISED, SPREAD, LOWERED = 0.45, 0.06, 0.006
"""Where people click: shoulders this share of the way from the joint to the skin above it, hips
this share of their distance outwards and this share of the height below the joints. Chosen so that
heights and the ratio of widths agree better with those of 702 upright people of COCO."""


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
        self._parts, self.wears = dressed(assets, self._anatomy, self.figure, self._points, rng)
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
        for kind, bone in BONES.items():
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
            for kind, bone in BONES.items():
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
    points = np.concatenate([posed.skin(part.points, part.weights) for part in parts])
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
