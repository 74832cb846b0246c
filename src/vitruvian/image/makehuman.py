"""The file formats of MakeHuman: base mesh, shape targets, rig, weights and fitted clothes.

Written from the files themselves. Lengths are decimetres, x to the person's left, y up, z to the
front; here everything is in metres. The files are released CC0 by their authors; none ships with
this package (:mod:`vitruvian.image.makehuman_files` names them and where they come from).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float16, Float32, Int32

from vitruvian.core.errors import InputError
from vitruvian.image.makehuman_files import wanted

METRES = np.float32(0.1)
"""Of the unit of the files."""

TARGETS = "mpfb/data/targets/macrodetails/"

VERTICES = 19158
"""Of the base mesh hm08 with its helper geometry and joint cubes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What an .obj file holds that is of use here.

    Attributes:
        points: V 3, metres.
        faces: F 3, triangles.
        groups: Rows of ``faces`` of each group, first and last + 1, by name; a group may be in
            several pieces.
    """

    points: Float32[np.ndarray, "V 3"]
    faces: Int32[np.ndarray, "F 3"]
    groups: dict[str, list[tuple[int, int]]]

    def group(self, name: str) -> Int32[np.ndarray, "F 3"]:
        """Triangles of a group."""
        pieces = [self.faces[first:last] for first, last in self.groups.get(name, [])]
        return np.concatenate([np.zeros((0, 3), np.int32), *pieces])


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """A tree of bones, parents first.

    Attributes:
        names: Of the B bones.
        parents: Row of each bone's parent; -1 for the root.
        heads: Vertices of the base mesh whose mean is where the bone begins.
        weights: V B, share of each bone in the movement of each vertex; rows sum to 1.
    """

    names: list[str]
    parents: list[int]
    heads: list[Int32[np.ndarray, " _"]]
    weights: Float32[np.ndarray, "V B"]

    def joints(self, points: Float32[np.ndarray, "V 3"]) -> Float32[np.ndarray, "B 3"]:
        """Where the bones of a shaped body begin."""
        counts = np.array([len(head) for head in self.heads])
        sums = np.add.reduceat(points[np.concatenate(self.heads)], np.cumsum(counts) - counts)
        return np.asarray(sums / counts[:, None], np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """Something to wear and how it hangs on the base mesh.

    Attributes:
        name: Of the file.
        faces: F 3, triangles.
        corners: N 3, vertices of the base mesh that each of its points hangs on.
        shares: N 3, of these corners.
        offsets: N 3, from there, in units of the following.
        scales: For x, y and z two vertices and the metres between them on which offsets are 1.
        hides: Vertices of the base mesh that are covered.
    """

    name: str
    faces: Int32[np.ndarray, "F 3"]
    corners: Int32[np.ndarray, "N 3"]
    shares: Float32[np.ndarray, "N 3"]
    offsets: Float32[np.ndarray, "N 3"]
    scales: tuple[tuple[int, int, float] | None, ...]
    hides: Int32[np.ndarray, " _"]

    def fit(self, points: Float32[np.ndarray, "V 3"]) -> Float32[np.ndarray, "N 3"]:
        """Its points on a shaped body, metres."""
        scale = np.ones(3, np.float32)
        for axis, rule in enumerate(self.scales):
            if rule is not None:
                first, second, length = rule
                scale[axis] = abs(points[first, axis] - points[second, axis]) / length
        out = self.offsets * scale
        for k in range(3):
            out += self.shares[:, k : k + 1] * points[self.corners[:, k]]
        return out


class Assets:
    """The files of a folder, each read when it is first needed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder; {HOW_TO_GET}")
        self._names: dict[str, list[str]] = {}
        self._fitted: dict[str, Fitted] = {}
        self._targets: dict[str, Float16[np.ndarray, "V 3"]] = {}

    @cached_property
    def base(self) -> Shape:
        """The base mesh with its helper geometry."""
        shape = read_obj(self._file("mpfb/data/3dobjs/base.obj"))
        if len(shape.points) != VERTICES:
            raise InputError(
                f"{self.folder}/mpfb/data/3dobjs/base.obj: {len(shape.points)} vertices, the base "
                f"mesh hm08 has {VERTICES}; {HOW_TO_GET}"
            )
        return shape

    @cached_property
    def rig(self) -> Rig:
        """The rig game_engine."""
        return read_rig(
            self._file("mpfb/rigs/rig.game_engine.json"),
            self._file("mpfb/rigs/weights.game_engine.json"),
            self._file("mpfb/data/mesh_metadata/basemesh_vertex_groups.json"),
        )

    def check(self) -> None:
        """Read what every body needs, and look whether all shape targets are there.

        Raises:
            InputError: Something is missing or cannot be read.
        """
        _ = self.base, self.rig
        for path in wanted():
            if path.startswith(TARGETS):
                self._file(path)

    def target(self, name: str) -> Float16[np.ndarray, "V 3"]:
        """Metres that every vertex moves with all of a target; half precision.

        Args:
            name: Below macrodetails, without the ending, e.g. ``caucasian-male-old``.
        """
        if name not in self._targets:
            path = self._file(f"{TARGETS}{name}.target")
            self._targets[name] = read_target(path).astype(np.float16)
        return self._targets[name]

    def fitted(self, kind: str) -> list[str]:
        """Names of what there is to wear: clothes, hair or eyebrows."""
        if kind not in self._names:
            found = sorted((self.folder / "mh" / kind).glob("*/*.mhclo"))
            self._names[kind] = [f"{kind}/{file.parent.name}/{file.stem}" for file in found]
        return self._names[kind]

    def wear(self, name: str) -> Fitted:
        """One of :meth:`fitted`."""
        if name not in self._fitted:
            self._fitted[name] = read_mhclo(self._file(f"mh/{name}.mhclo"))
        return self._fitted[name]

    def _file(self, path: str) -> Path:
        file = self.folder / path
        if not file.is_file():
            raise InputError(f"{file}: no such file; {HOW_TO_GET}")
        return file


HOW_TO_GET = "vitruvian synth --get-assets DIR fetches the MakeHuman files"


@lru_cache(maxsize=2)
def open_assets(folder: str) -> Assets:
    """The files of a folder; the same object for the same folder, so that they are read once."""
    return Assets(Path(folder))


def read_obj(file: Path) -> Shape:
    """Points and triangles of a Wavefront file; a quadrangle becomes two triangles."""
    text = file.read_text(encoding="utf-8", errors="replace")
    try:
        points = np.array(
            " ".join(re.findall(r"^v\s+(.*)$", text, re.MULTILINE)).split(), np.float32
        ).reshape(-1, 3)
        faces, groups = _faces(text)
    except ValueError as error:
        raise InputError(f"{file}: not a Wavefront .obj file ({error})") from error
    if not len(points) or not len(faces) or faces.min() < 0 or faces.max() >= len(points):
        raise InputError(f"{file}: no points, no faces, or faces of points that are not there")
    return Shape(points=points * METRES, faces=faces, groups=groups)


def _faces(text: str) -> tuple[np.ndarray, dict[str, list[tuple[int, int]]]]:
    out: list[tuple[int, int, int]] = []
    groups: dict[str, list[tuple[int, int]]] = {}
    name, first = "", 0
    for line in re.findall(r"^[fg]\s.*$", text, re.MULTILINE):
        if line[0] == "g":
            groups.setdefault(name, []).append((first, len(out)))
            name, first = line[1:].strip(), len(out)
            continue
        corners = [int(word.partition("/")[0]) - 1 for word in line.split()[1:]]
        out += [(corners[0], corners[k], corners[k + 1]) for k in range(1, len(corners) - 1)]
    groups.setdefault(name, []).append((first, len(out)))
    return np.array(out, np.int32).reshape(-1, 3), groups


def read_target(file: Path) -> Float32[np.ndarray, "V 3"]:
    """Metres that every vertex of the base mesh moves; lines ``vertex x y z``."""
    lines = file.read_text(encoding="utf-8").splitlines()
    text = " ".join(line for line in lines if not line.startswith("#"))
    out = np.zeros((VERTICES, 3), np.float32)
    try:
        rows = np.array(text.split(), np.float32).reshape(-1, 4)
        out[rows[:, 0].astype(int)] = rows[:, 1:] * METRES
    except (ValueError, IndexError) as error:
        raise InputError(f"{file}: not a MakeHuman .target of hm08 ({error})") from error
    return out


def read_rig(bones: Path, weights: Path, groups: Path) -> Rig:
    """The rig of three files of MPFB: bones, weights, and the vertices of the joint cubes."""
    rows, shares, cubes = (_json(file) for file in (bones, weights, groups))
    try:
        rows, shares = rows.get("bones", rows), shares["weights"]
        names = _parents_first(rows)
        heads = [_vertices(rows[name]["head"], cubes) for name in names]
        table = np.zeros((VERTICES, len(names)), np.float32)
        for column, name in enumerate(names):
            pairs = np.array(shares.get(name, []), float).reshape(-1, 2)
            pairs = pairs[pairs[:, 0] < VERTICES]
            table[pairs[:, 0].astype(int), column] = pairs[:, 1]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{bones}, {weights}, {groups}: no rig of MPFB ({error!r})") from error
    total = table.sum(1, keepdims=True)
    table[total[:, 0] <= 0, names.index("head")] = 1
    table /= table.sum(1, keepdims=True)
    parents = [names.index(p) if (p := rows[name]["parent"]) else -1 for name in names]
    return Rig(names=names, parents=parents, heads=heads, weights=table)


def _json(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise InputError(f"{file}: not a JSON object ({error})") from error


def _parents_first(rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    names: list[str] = []
    while len(names) < len(rows):
        ready = [n for n in rows if n not in names and rows[n]["parent"] in ["", None, *names]]
        if not ready:
            raise ValueError("bones without a root")
        names += ready
    return names


def _vertices(end: Mapping[str, Any], cubes: Mapping[str, Any]) -> np.ndarray:
    """Those whose mean is an end of a bone."""
    if end["strategy"] == "CUBE":
        runs = cubes[end["cube_name"]]
        return np.concatenate([np.arange(a, b + 1, dtype=np.int32) for a, b in runs])
    return np.array(end["vertex_indices"], np.int32)


def read_mhclo(file: Path) -> Fitted:
    """Something to wear: its binding, and its triangles from the .obj file that it names."""
    head, rows, hides = _sections(file.read_text(encoding="utf-8", errors="replace"))
    try:
        shape = read_obj(file.with_name(head["obj_file"][0]))
        bound = np.zeros((len(rows), 9))
        for row, words in zip(bound, rows, strict=True):
            row[: len(words)] = [float(word) for word in words]
            if len(words) == 1:
                row[:] = [row[0]] * 3 + [1, 0, 0, 0, 0, 0]
        scales = tuple(_scale(head.get(f"{axis}_scale")) for axis in "xyz")
        hidden = _runs(hides)
    except (KeyError, ValueError, IndexError) as error:
        raise InputError(f"{file}: not a MakeHuman .mhclo file ({error!r})") from error
    corners = bound[:, :3].astype(np.int32)
    if len(bound) != len(shape.points) or (len(corners) and corners.max() >= VERTICES):
        raise InputError(
            f"{file}: binds {len(bound)} points, {head['obj_file'][0]} has {len(shape.points)}"
        )
    return Fitted(
        name=file.stem,
        faces=shape.faces,
        corners=corners,
        shares=bound[:, 3:6].astype(np.float32),
        offsets=bound[:, 6:].astype(np.float32) * METRES,
        scales=scales,
        hides=hidden[hidden < VERTICES],
    )


def _sections(text: str) -> tuple[dict[str, list[str]], list[list[str]], list[str]]:
    """Head by key, words of the lines below ``verts``, and words below ``delete_verts``."""
    head: dict[str, list[str]] = {}
    rows: list[list[str]] = []
    hides: list[str] = []
    section = ""
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if re.match(r"-?[.\d]", words[0]):
            if section == "delete_verts":
                hides += words
            elif "verts" in head:  # other keys may stand between it and the lines
                rows.append(words[:9])
        else:
            section = words[0]
            head[section] = words[1:]
    return head, rows, hides


def _scale(words: list[str] | None) -> tuple[int, int, float] | None:
    return None if words is None else (int(words[0]), int(words[1]), float(words[2]) * 0.1)


def _runs(words: list[str]) -> np.ndarray:
    """Numbers, single or ``first - last``."""
    out: list[int] = []
    for before, word in zip(["", *words], words, strict=False):
        if word == "-":
            continue
        number = int(word)
        out += range(out[-1] + 1, number + 1) if before == "-" else [number]
    return np.array(out, np.int32)
