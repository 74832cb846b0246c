"""What a body of the MakeHuman base mesh wears and shows: clothes, hair, skin and eyes, by lot."""

from functools import lru_cache

import numpy as np

from vitruvian.image.anatomy import Anatomy, Figure, anatomy
from vitruvian.image.garments import Look, Part, bound_weights, clipped, folded, pieces, without
from vitruvian.image.makehuman import Assets
from vitruvian.image.mannequin import random_dye, random_hair, random_skin


def dressed(
    assets: Assets,
    where: Anatomy,
    figure: Figure,
    points: np.ndarray,
    rng: np.random.Generator,
) -> tuple[list[Part], list[str]]:
    """Skin, eyes, brows, hair, clothes, shoes and hat, and their names."""
    skin, hair = random_skin(rng, 1 - figure.origins[0]), random_hair(rng, figure.age > 0.72)
    wardrobe = Wardrobe(assets, where, points, rng)
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


class Wardrobe:
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
        self._hidden |= (cover > 0.1) & ~self._where.places.head  # it ends below the head

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
        self, rows: slice, faces: np.ndarray, points: np.ndarray, cover: np.ndarray, look: Look
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
        points = self._points[rows]
        colours = skin * (1 + 0.02 * self._rng.normal(size=(len(points), 1)))
        for share, other in (
            (self._where.mouth[rows], lips),
            (self._where.scalp[rows] * 0.92 * cropped, hair),
        ):
            colours += (other - colours) * share[:, None]
        whole = Part(
            points=points,
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
            colours = np.full((len(points), 3), 0.88)
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
def _helper(assets: Assets, name: str) -> tuple[slice, np.ndarray]:
    """Vertices of a group of the base mesh, and its triangles among them.

    A group's vertices are one after the other; if not, those between are without triangles.
    """
    faces = assets.base.group(name)
    first, last = int(faces.min()), int(faces.max()) + 1
    return slice(first, last), faces - np.int32(first)


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
