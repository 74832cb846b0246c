"""SLEAP's labels: a project's ``.slp`` or an exported ``.analysis.h5``; nodes of any skeleton.

``sleap:FILE[@FRAMES]``. Frames of a video are looked for as ``STEM/000000.png`` below FRAMES (the
folder ``frames`` beside the file when not given), STEM being the video's and the number that of the
frame, from 0; a video that is a list of pictures gives their paths. Of a project's instances those
that somebody placed are read, of the others none; a point that is not ticked visible is hidden.
Files before format 1.1 have the corner of the first pixel at (0, 0) and lose half a pixel. Pictures
embedded in a package are not read. ``person_fields["track"]`` is -1 where there is no track.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from vitruvian.core.errors import InputError, MissingExtra
from vitruvian.core.skeleton import Skeleton
from vitruvian.datasets.bad import Bad
from vitruvian.datasets.named import MARGIN, skeleton_named
from vitruvian.datasets.table import (
    Table,
    boxes_of,
    parse_where,
    people_table,
    ragged_rows,
    require,
)

_USER = 0
_LIMB, _SYMMETRY = 1, 2
_AXES = {"track": 0, "xy": 1, "space": 1, "node": 2, "frame": 3}


def sleap(argument: str, bad: Bad | None = None) -> Table:
    """Data set of ``FILE[@FRAMES]``."""
    del bad  # tables that refer to each other: they are read whole or not at all
    where = parse_where(argument)
    folder = where.images or where.path.parent / "frames"
    with _opened(where.path) as file:
        read = _from_analysis if "tracks" in file else _from_project
        return read(where.path, file, folder)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The HDF5 file; what is not of the layout is an error about the file."""
    try:
        import h5py
    except ImportError as error:
        raise MissingExtra("h5py", "mat", "reading SLEAP's files") from error
    try:
        with h5py.File(require(path, "SLEAP file")) as file:
            yield file
    except InputError:
        raise
    except (OSError, KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: neither a .slp nor an analysis file ({error})") from error


def _from_analysis(path: Path, file: Any, folder: Path) -> Table:
    """Arrays of one video: tracks (track, xy, node, frame), or in the order that ``dims`` says."""
    tracks = np.asarray(file["tracks"][()], np.float64)
    dims = _json(file["tracks"].attrs.get("dims"))
    if dims:
        axes = [_AXES.get(str(name).removeprefix("n_").removesuffix("s"), -1) for name in dims]
        if sorted(axes) != [0, 1, 2, 3]:
            raise InputError(f"{path}: tracks has dims {dims}; expected track, xy, node and frame")
        tracks = tracks.transpose(np.argsort(axes))
    nodes = [_text(name) for name in file["node_names"][()]]
    if tracks.ndim != 4 or tracks.shape[1:3] != (2, len(nodes)):
        expected = f"tracks x 2 x {len(nodes)} nodes x frames"
        raise InputError(f"{path}: tracks is {tracks.shape}; expected {expected}")
    edges = file["edge_inds"][()].reshape(-1, 2).astype(int) if "edge_inds" in file else ()
    limbs = [(nodes[a], nodes[b]) for a, b in edges]
    bones = skeleton_named(nodes, path, ordered=True, name=path.name.partition(".")[0], limbs=limbs)
    xy: np.ndarray = tracks.transpose(3, 0, 2, 1)
    frame, track = np.nonzero(~np.isnan(xy).any(axis=3).all(axis=2))
    stem = _stem(_text(file["video_path"][()]) if "video_path" in file else path.stem)
    names = [f"{stem}/{n:06}.png" for n in range(len(xy))]
    return _table(bones, folder, names, np.arange(len(xy)), frame, xy[frame, track], track)


def _from_project(path: Path, file: Any, folder: Path) -> Table:
    """Tables of frames, instances and points that refer to each other by row."""
    meta = file["metadata"].attrs
    bones = _project_skeleton(path, json.loads(_text(meta["json"])))
    frames, people, points = (file[name][()] for name in ("frames", "instances", "points"))
    shift = 0.5 if float(meta.get("format_id", 1.0)) < 1.1 else 0.0
    videos = [json.loads(_text(row)) for row in file["videos_json"][()]]
    starts, ends = (frames[f"instance_id_{end}"].astype(np.int64) for end in ("start", "end"))
    of_frame, of_person = (
        np.repeat(np.arange(len(frames)), ends - starts),
        ragged_rows(starts, ends - starts),
    )
    placed = people["instance_type"][of_person] == _USER
    of_frame, chosen = of_frame[placed], people[of_person[placed]]
    first, last = (chosen[f"point_id_{end}"].astype(np.int64) for end in ("start", "end"))
    if (last - first != len(bones)).any():
        at = int(np.argmax(last - first != len(bones)))
        name = int(chosen["instance_id"][at])
        text = f"instance {name} has {last[at] - first[at]} points; its skeleton has {len(bones)}"
        raise InputError(f"{path}: {text}")
    found = points[first[:, None] + np.arange(len(bones))]
    names = [_frame_name(videos[frame["video"]], int(frame["frame_idx"])) for frame in frames]
    return _table(
        bones,
        folder,
        names,
        frames["frame_idx"].astype(np.int64),
        of_frame,
        np.stack([found["x"], found["y"]], 2) - shift,
        chosen["track"].astype(np.int64),
        hidden=~found["visible"].astype(bool),
    )


def _project_skeleton(path: Path, about: dict[str, Any]) -> Skeleton:
    """Points stand in the order of the skeleton's own list, which refers to one of all nodes."""
    if len(about["skeletons"]) != 1:
        raise InputError(f"{path}: {len(about['skeletons'])} skeletons; keep one of them")
    nodes, theirs = about["nodes"], about["skeletons"][0]

    def name(reference: Any) -> str:
        return str(nodes[int(reference)]["name"])

    edges: dict[int, list[tuple[str, str]]] = {_LIMB: [], _SYMMETRY: []}
    kinds: list[int] = []
    for link in theirs.get("links", ()):
        pair = name(link["source"]), name(link["target"])
        edges.setdefault(_kind(link["type"], kinds), []).append(pair)
    return skeleton_named(
        [name(node["id"]) for node in theirs["nodes"]],
        path,
        ordered=True,
        name=str(theirs.get("graph", {}).get("name") or path.stem),
        limbs=edges[_LIMB],
        swaps=list(dict.fromkeys((min(pair), max(pair)) for pair in edges[_SYMMETRY])),
    )


def _kind(kind: dict[str, Any], seen: list[int]) -> int:
    """Kind of a link: said in full the first time, then by the number of that time."""
    if "py/reduce" in kind:
        seen.append(int(kind["py/reduce"][1]["py/tuple"][0]))
        return seen[-1]
    return seen[int(kind["py/id"]) - 1]


def _frame_name(video: dict[str, Any], number: int) -> str:
    """Where the picture of a frame is looked for."""
    backend = video.get("backend", video)
    listed = backend.get("filenames") or backend.get("filename")
    if isinstance(listed, list):
        return str(listed[number]).replace("\\", "/")
    source = video.get("source_video") or {}
    name = source.get("filename") if listed == "." else listed
    return f"{_stem(str(name or 'video'))}/{number:06}.png"


def _table(
    bones: Skeleton,
    folder: Path,
    names: list[str],
    frames: np.ndarray,
    picture_of: np.ndarray,
    points: np.ndarray,
    tracks: np.ndarray,
    *,
    hidden: np.ndarray | None = None,
) -> Table:
    """``points`` P K 2 of people in ascending order of picture."""
    xy = points.astype(np.float32)
    xy[np.isnan(xy).any(2)] = np.nan
    flags = np.full(xy.shape[:2], 2) if hidden is None else np.where(hidden, 1, 2)
    visible = np.where(np.isnan(xy).any(2), 0, flags).astype(np.uint8)
    return people_table(
        folder=folder,
        names=names,
        picture_of=picture_of,
        skeleton=bones,
        xy=xy,
        visible=visible,
        boxes=boxes_of(xy, MARGIN),
        source="sleap",
        person_fields={"track": tracks},
        picture_fields={"frame": frames},
    )


def _json(value: Any) -> Any:
    return None if value is None else json.loads(_text(value))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _stem(video: str) -> str:
    return Path(video.replace("\\", "/")).stem or "video"
