"""PoseTrack 2017 and 2018 (Andriluka et al. 2018): labelled frames of videos, 15 joints.

``posetrack:WHERE[@ROOT]`` where WHERE is the JSON of one video or a folder of them, and ROOT is
what the file names in them start from (the folder above ``annotations`` when not given). Both
releases are told apart by their content. Frames that nobody labelled are left out. A region to
ignore becomes a crowd row. ``person_fields`` has ``track`` (-1 for a region) and ``head`` (xyxy),
``picture_fields`` has ``video``, ``frame`` and ``ignore`` (the polygons).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vitruvian.core.errors import InputError
from vitruvian.core.skeleton import skeleton
from vitruvian.datasets.bad import Bad
from vitruvian.datasets.table import Table, boxes_of, parse_where, people_table, read_json

_OURS = {"head_bottom": "neck"}
_MARGIN = 0.1


_Person = tuple[np.ndarray, list[float] | None, list[float], int]
"""Joints 15 3 (x, y, labelled), box and head xyxy, track."""

_Frame = tuple[str, int, list[_Person], list[Any]]
"""File name, number, people, polygons of the regions to ignore."""


@dataclass(slots=True)
class _Rows:
    """Labelled frames and their people as they are read; a region is a person of no joints."""

    names: list[str] = field(default_factory=list)
    videos: list[str] = field(default_factory=list)
    frames: list[int] = field(default_factory=list)
    picture_of: list[int] = field(default_factory=list)
    points: list[np.ndarray] = field(default_factory=list)
    boxes: list[list[float]] = field(default_factory=list)
    heads: list[list[float]] = field(default_factory=list)
    tracks: list[int] = field(default_factory=list)
    regions: list[list[np.ndarray]] = field(default_factory=list)

    def frame(self, name: str, video: str, number: int) -> None:
        """A frame; people and regions that follow are in it."""
        self.regions.append([])
        self.names.append(name)
        self.videos.append(video)
        self.frames.append(number)

    def person(
        self, points: np.ndarray, box: list[float] | None, head: list[float], track: int
    ) -> None:
        """Somebody of the last frame; ``points`` 15 3, boxes xyxy."""
        tight = boxes_of(_xy(points)[None], _MARGIN)[0].tolist()
        self.picture_of.append(len(self.names) - 1)
        self.points.append(points)
        self.boxes.append(box or tight)
        self.heads.append(head)
        self.tracks.append(track)

    def region(self, polygon: np.ndarray) -> None:
        """A polygon V 2 of the last frame."""
        self.regions[-1].append(polygon)
        box = [*polygon.min(0).tolist(), *polygon.max(0).tolist()]
        self.person(np.zeros((15, 3), np.float32), box, [np.nan] * 4, -1)


def posetrack(argument: str, bad: Bad | None = None) -> Table:
    """Data set of ``WHERE[@ROOT]``."""
    where, bad = parse_where(argument), bad or Bad()
    files = sorted(where.path.glob("**/*.json")) if where.path.is_dir() else [where.path]
    if not files:
        raise InputError(f"{where.path}: no JSON of a video in this folder")
    rows = _Rows()
    for file in files:
        with bad.record():
            _read(file, rows)
    points = np.array(rows.points, np.float32).reshape(-1, 15, 3)
    crowd = np.array(rows.tracks) < 0
    return people_table(
        folder=where.images or _root(files[0]),
        names=rows.names,
        picture_of=np.array(rows.picture_of, np.int64),
        skeleton=skeleton("posetrack15"),
        xy=_xy(points),
        visible=np.where(points[:, :, 2] > 0, 2, 0).astype(np.uint8),
        boxes=np.array(rows.boxes, np.float32).reshape(-1, 4),
        source="posetrack",
        crowd=crowd,
        fully_annotated=np.ones(len(rows.names), bool),
        person_fields={
            "track": np.array(rows.tracks, np.int64),
            "head": np.array(rows.heads, np.float32).reshape(-1, 4),
        },
        picture_fields={
            "video": np.array(rows.videos),
            "frame": np.array(rows.frames, np.int64),
            "ignore": _objects(rows.regions),
        },
    )


def _read(file: Path, rows: _Rows) -> None:
    data = read_json(file)
    kind = next((k for k in _READERS if isinstance(data, dict) and k in data), None)
    if kind is None:
        raise InputError(f"{file}: neither 'annolist' (2017) nor 'annotations' (2018)")
    frames: list[_Frame] = []
    try:
        for name, number, people, regions in _READERS[kind](data):
            polygons = [np.array(polygon, np.float64).reshape(-1, 2) for polygon in regions]
            frames.append((name, number, people, polygons))
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        at = f"after {frames[-1][0]}" if frames else "first frame"
        raise InputError(f"{file}: {at}: not the published layout ({error!r})") from error
    for name, number, people, polygons in frames:
        rows.frame(name, file.stem, number)
        for person in people:
            rows.person(*person)
        for polygon in polygons:
            rows.region(polygon)


def _frames_2018(data: dict[str, Any]) -> Iterator[_Frame]:
    """COCO-like: 17 slots by name, regions as separate lists of x and y."""
    names = [_OURS.get(name, name) for name in data["categories"][0]["keypoints"]]
    columns = [names.index(name) for name in skeleton("posetrack15").keypoints]
    people: dict[int, list[_Person]] = {}
    for row in data["annotations"]:
        points = np.array(row["keypoints"], np.float32).reshape(len(names), 3)[columns]
        box = _xyxy(row["bbox"]) if row.get("bbox") else None
        head = _xyxy(row["bbox_head"]) if row.get("bbox_head") else [np.nan] * 4
        people.setdefault(row["image_id"], []).append((points, box, head, int(row["track_id"])))
    for image in data["images"]:
        if image.get("is_labeled", True):
            xs, ys = (image.get(f"ignore_regions_{axis}") or [] for axis in "xy")
            regions = [np.stack([x, y], 1) for x, y in zip(xs, ys, strict=True)]
            number = int(image["id"]) % 10_000
            yield image["file_name"], number, people.get(image["id"], []), regions


def _frames_2017(data: dict[str, Any]) -> Iterator[_Frame]:
    """MPII-like: every scalar in a list of one, joints by id, head boxes as x1 … y2."""
    for at, image in enumerate(data["annolist"]):
        if not image.get("is_labeled", [1])[0]:
            continue
        people = [_person_2017(row) for row in image.get("annorect", [])]
        regions = [
            [(p["x"][0], p["y"][0]) for p in region["point"]]
            for region in image.get("ignore_regions", [])
        ]
        number = int(image.get("imgnum", [at])[0])
        yield image["image"][0]["name"], number, people, regions


_READERS = {"annolist": _frames_2017, "annotations": _frames_2018}


def _person_2017(row: dict[str, Any]) -> _Person:
    points = np.zeros((15, 3), np.float32)
    for joint in (row.get("annopoints") or [{"point": []}])[0]["point"]:
        points[joint["id"][0]] = joint["x"][0], joint["y"][0], 1
    head = [float(row[side][0]) for side in ("x1", "y1", "x2", "y2")]
    return points, None, head, int(row["track_id"][0])


def _objects(rows: list[list[np.ndarray]]) -> np.ndarray:
    """A column of lists."""
    column = np.empty(len(rows), object)
    column[:] = rows
    return column


def _xy(points: np.ndarray) -> np.ndarray:
    xy: np.ndarray = np.where(points[..., 2:] > 0, points[..., :2], np.float32(np.nan))
    return xy


def _xyxy(xywh: Any) -> list[float]:
    x, y, width, height = map(float, xywh)
    return [x, y, x + width, y + height]


def _root(file: Path) -> Path:
    """The folder above ``annotations``; that of the file where there is none."""
    parents = [folder for folder in file.parents if folder.name == "annotations"]
    return parents[0].parent if parents else file.parent
