"""A folder like MakeHuman's, with a body of tubes, for tests without the real files."""

import json
from itertools import product
from pathlib import Path

import numpy as np

from vitruvian.image.makehuman import VERTICES

LIMBS = {
    "upperarm": ("lowerarm", "shoulder"),
    "lowerarm": ("hand", "elbow"),
    "hand": ("middle_01", "wrist"),
    "thigh": ("calf", "hip"),
    "calf": ("foot", "knee"),
    "foot": ("ball", "ankle"),
}
JOINTS = {
    "Root": (0, -8, 0, ""),
    "pelvis": (0, 0.7, 0, "Root"),
    "spine_01": (0, 1.2, 0, "pelvis"),
    "spine_02": (0, 1.9, 0, "spine_01"),
    "spine_03": (0, 2.8, 0, "spine_02"),
    "neck_01": (0, 5.9, 0, "spine_03"),
    "head": (0, 7, 0, "neck_01"),
    "clavicle_l": (0.3, 5.2, 0.2, "spine_03"),
    "upperarm_l": (1.7, 5.2, 0.2, "clavicle_l"),
    "lowerarm_l": (3.1, 3.5, 0.2, "upperarm_l"),
    "hand_l": (4.3, 2.4, 1.2, "lowerarm_l"),
    "index_01_l": (4.6, 2.0, 1.7, "hand_l"),
    "middle_01_l": (4.7, 2.0, 1.5, "hand_l"),
    "pinky_01_l": (4.6, 2.0, 1.2, "hand_l"),
    "middle_02_l": (4.9, 1.7, 1.7, "middle_01_l"),
    "thigh_l": (1.1, 0.5, 0, "pelvis"),
    "calf_l": (1.5, -3.7, 0.2, "thigh_l"),
    "foot_l": (1.8, -7.4, 0, "calf_l"),
    "ball_l": (1.9, -8.0, 1.2, "foot_l"),
}
"""Decimetres and parent; the right side is mirrored."""

THICK = {"upperarm": 0.5, "lowerarm": 0.4, "hand": 0.3, "thigh": 0.8, "calf": 0.5, "foot": 0.4}


def bones():
    """Joints of both sides."""
    out = {}
    for name, (x, y, z, parent) in JOINTS.items():
        out[name] = ((x, y, z), parent)
        if name.endswith("_l"):
            other = parent[:-1] + "r" if parent.endswith("_l") else parent
            out[name[:-1] + "r"] = ((-x, y, z), other)
    return out


class _Builder:
    def __init__(self):
        self.points, self.groups, self.weights = [], {}, {}

    def tube(self, group, bone, start, end, thick, grow=0.0):
        """Five rings of eight points, in quadrangles that face outwards, with their ends."""
        start, end = np.array(start, float), np.array(end, float)
        way = (end - start) / np.linalg.norm(end - start)
        side = np.cross(way, np.eye(3)[np.abs(way).argmin()])
        side /= np.linalg.norm(side)
        up = np.cross(way, side)
        first = len(self.points)
        for share in (-0.02, 0.0, 0.5, 1.0, 1.02):
            wide = thick + grow if 0 <= share <= 1 else 0.3 * thick
            for angle in np.linspace(0, 2 * np.pi, 8, endpoint=False):
                rim = wide * (np.cos(angle) * side + np.sin(angle) * up)
                self.points.append(start + share * (end - start) + rim)
        faces = self.groups.setdefault(group, [])
        for ring, k in product(range(4), range(8)):
            a, b = first + 8 * ring + k, first + 8 * ring + (k + 1) % 8
            faces.append((a, b, b + 8, a + 8))
        self.weights.setdefault(bone, []).extend([i, 1.0] for i in range(first, len(self.points)))

    def cube(self, at):
        first = len(self.points)
        for offset in product((-0.05, 0.05), repeat=3):
            self.points.append(np.add(at, offset))
        return [[first, len(self.points) - 1]]


def write_fake(folder: Path) -> Path:
    """The folder, filled."""
    make, rig, cubes = _Builder(), {}, {}
    for name, (at, parent) in bones().items():
        cubes[f"joint-{name}"] = make.cube(at)
        head = {"strategy": "CUBE", "cube_name": f"joint-{name}"}
        rig[name] = {"parent": parent, "head": head, "tail": head}
    at = {name: where for name, (where, _) in bones().items()}
    for group, grow in (("body", 0.0), ("helper-tights", 0.05)):
        make.tube(group, "spine_02", (0, 0, 0), (0, 5.6, 0), 1.3, grow)
        for bone, end in product(LIMBS, "lr"):
            child = f"{LIMBS[bone][0]}_{end}"
            make.tube(group, f"{bone}_{end}", at[f"{bone}_{end}"], at[child], THICK[bone], grow)
    make.tube("body", "head", (0, 6.4, 0.1), (0, 8.4, 0.1), 0.8)
    make.tube("body", "head", (0, 7.0, 0.85), (0, 7.05, 1.05), 0.05)  # the nose
    make.tube("helper-skirt", "pelvis", (0, -5, 0), (0, 1.5, 0), 1.6)
    make.tube("helper-upper-teeth", "head", (-0.2, 6.7, 0.8), (0.2, 6.7, 0.8), 0.05)
    for end, x in (("l", 0.3), ("r", -0.3)):
        make.tube(f"helper-{end}-eye", "head", (x, 7.3, 0.75), (x, 7.3, 0.95), 0.12)
    make.points += [np.zeros(3)] * (VERTICES - len(make.points))
    _obj(folder / "mpfb/data/3dobjs/base.obj", make.points, make.groups)
    _json(folder / "mpfb/rigs/rig.game_engine.json", rig)
    _json(folder / "mpfb/rigs/weights.game_engine.json", {"weights": make.weights})
    _json(folder / "mpfb/data/mesh_metadata/basemesh_vertex_groups.json", cubes)
    _targets(folder / "mpfb/data/targets/macrodetails")
    _hat(folder / "mh/clothes/fedora01")
    _clip(folder / "poses/wave.bvh")
    return folder


def _json(file: Path, value):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value))


def _obj(file: Path, points, groups):
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = ["# a fake", *("v {:.4f} {:.4f} {:.4f}".format(*point) for point in points)]
    for name, faces in groups.items():
        lines += [f"g {name}", *("f " + " ".join(f"{i + 1}/1" for i in face) for face in faces)]
    file.write_text("\n".join(lines) + "\n")


def _targets(folder: Path):
    """Every name; those of races move one vertex, the others nothing."""
    for kind in ("", "height", "proportions"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for sex, age in product(("female", "male"), ("child", "young", "old")):
        for race in ("african", "asian", "caucasian"):
            (folder / f"{race}-{sex}-{age}.target").write_text("# fake\n19157 .5 0 0\n")
        for muscle, weight in product(("min", "average", "max"), repeat=2):
            name = f"{sex}-{age}-{muscle}muscle-{weight}weight"
            (folder / f"universal-{name}.target").write_text("")
            for end in ("height/{}-minheight", "height/{}-maxheight",
                        "proportions/{}-uncommonproportions",
                        "proportions/{}-idealproportions"):  # fmt: skip
                (folder / f"{end.format(name)}.target").write_text("")


def _hat(folder: Path):
    """A tetrahedron that hangs on four vertices of the body, and hides a run of others."""
    _obj(folder / "hat.obj", np.eye(4, 3), {"hat": [(0, 1, 2), (0, 2, 3), (0, 3, 1), (1, 3, 2)]})
    (folder / "fedora.mhclo").write_text(
        "# fake\nname fedora\nobj_file hat.obj\nx_scale 0 4 0.1\nverts 0\nmaterial none\n"
        "700\n701\n700 701 702 0.5 0.25 0.25 0.1 0 0\n703\n"
        "delete_verts\n704 - 706 710\n"
    )


def _clip(file: Path):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(bvh([("Zrotation", {"upperarm01.L": 45.0}), ("Zrotation", {})]))


SKELETON = {
    "root": ("", (0, 0, 0)),
    "spine01": ("root", (0, 3, 0)),
    "head": ("spine01", (0, 3, 0)),
    **{
        name.replace("?", end): (parent.replace("?", end), (sign * x, y, z))
        for end, sign in (("L", 1), ("R", -1))
        for name, parent, x, y, z in (
            ("upperarm01.?", "spine01", 1.5, 2, 0),
            ("lowerarm01.?", "upperarm01.?", 2, 0, 0),
            ("wrist.?", "lowerarm01.?", 2, 0, 0),
            ("upperleg01.?", "root", 1, 0, 0),
            ("lowerleg01.?", "upperleg01.?", 0, -4, 0),
            ("foot.?", "lowerleg01.?", 0, -4, 0),
        )
    },
}
"""Joint: parent and offset; a T pose."""


def bvh(frames, skeleton=None):
    """Text of a BVH file: of every frame the axis and the degrees of some joints."""
    joints = skeleton or SKELETON
    order, lines = [], ["HIERARCHY"]

    def write(name, kind, depth):
        order.append(name)
        tab = "\t" * depth
        lines.append(f"{tab}{kind} {name}")
        lines.append(tab + "{")
        lines.append(f"{tab}\tOFFSET {' '.join(map(str, joints[name][1]))}")
        place = "6 Xposition Yposition Zposition" if kind == "ROOT" else "3"
        lines.append(f"{tab}\tCHANNELS {place} Zrotation Xrotation Yrotation")
        children = [child for child, (parent, _) in joints.items() if parent == name]
        for child in children:
            write(child, "JOINT", depth + 1)
        if not children:
            lines.extend(
                [f"{tab}\tEnd Site", f"{tab}\t{{", f"{tab}\t\tOFFSET 0 -1 0", f"{tab}\t}}"]
            )
        lines.append(tab + "}")

    write(next(iter(joints)), "ROOT", 0)
    lines += ["MOTION", f"Frames: {len(frames)}", "Frame Time: 0.04"]
    for axis, angles in frames:
        row = [0.0, 0.0, 0.0]
        for name in order:
            kinds = ("Zrotation", "Xrotation", "Yrotation")
            row += [angles.get(name, 0.0) if kind == axis else 0.0 for kind in kinds]
        lines.append(" ".join(map(str, row)))
    return "\n".join(lines) + "\n"
