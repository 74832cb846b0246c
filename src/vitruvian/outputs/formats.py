"""Result files: COCO, OpenPose, CSV, JSON lines, NPZ, annotated pictures and videos.

Every writer is a context manager that gives a function to call with each result; its file appears,
whole, when the block ends well. Keypoints that were not found are 0, 0, 0 in COCO and OpenPose
files, null in JSON lines, empty in CSV and NaN in NPZ.
"""

import csv
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vitruvian.core.convert import convert
from vitruvian.core.errors import ConfigError
from vitruvian.core.poses import Poses
from vitruvian.core.skeleton import skeleton
from vitruvian.outputs.files import replacing
from vitruvian.outputs.pictures import FreeNames, picture, pictures, refuse_own_input
from vitruvian.outputs.result import Result, Write

Provenance = Mapping[str, object]
"""Names and hashes of the models and what ran them, ready for JSON."""

Kind = Literal[
    "picture", "pictures", "video", "coco", "openpose", "openpose_folder", "csv", "jsonl", "npz"
]

_BY_SUFFIX: dict[str, Kind] = {
    **dict.fromkeys((".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"), "picture"),
    **dict.fromkeys((".mp4", ".mov", ".mkv", ".webm"), "video"),
    ".json": "coco",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".npz": "npz",
}
FORMATS = ("coco", "openpose", "openpose18")
"""Meanings of a ``.json`` file; ``openpose`` has 25 keypoints."""


def kind_of(path: str, form: str = "") -> Kind:
    """What to write to ``path``, by its suffix; a folder ends in ``/`` or exists.

    Args:
        path: Where to write.
        form: One of :data:`FORMATS`; "" is ``coco`` for a file and pictures for a folder.

    Raises:
        ConfigError: Nothing is written to such a name, or not in that format.
    """
    if form not in ("", *FORMATS):
        raise ConfigError(f"no format {form!r}; accepted are {', '.join(FORMATS)}")
    suffix, openpose = Path(path).suffix.lower(), form.startswith("openpose")
    if path.endswith(("/", os.sep)) or Path(path).is_dir():
        if form == "coco":
            raise ConfigError(f"COCO results are one file, {path!r} is a folder; give a .json file")
        return "openpose_folder" if openpose else "pictures"
    if suffix not in _BY_SUFFIX:
        raise ConfigError(
            f"cannot tell what to write to {path!r}; "
            f"known are {' '.join(_BY_SUFFIX)} and folders, which end in /"
        )
    kind = _BY_SUFFIX[suffix]
    return "openpose" if openpose and kind == "coco" else kind


@contextmanager
def open_output(
    path: str, *, form: str = "", kpt_thr: float = 0.3, provenance: Provenance | None = None
) -> Iterator[Write]:
    """A writer for ``path``.

    Args:
        path: Where to write; see :func:`kind_of`.
        form: Meaning of JSON; see :func:`kind_of`.
        kpt_thr: Keypoints that score lower are not drawn; result files keep them.
        provenance: Stored where the format has room for it (not in COCO, CSV, pictures, videos).

    Raises:
        ConfigError: Nothing is written to such a name.
        OSError: It cannot be written.
        InputError: It would overwrite what was read.
    """
    origin, target = provenance or {}, Path(path)
    body = "body18" if form == "openpose18" else "body25"
    writers: dict[Kind, Callable[[], AbstractContextManager[Write]]] = {
        "picture": partial(picture, target, kpt_thr),
        "pictures": partial(pictures, target, kpt_thr),
        "video": partial(_video, target, kpt_thr),
        "coco": partial(coco, target),
        "openpose": partial(openpose, target, origin, body),
        "openpose_folder": partial(openpose_folder, target, origin, body),
        "csv": partial(table, target),
        "jsonl": partial(lines, target, origin),
        "npz": partial(arrays, target, origin),
    }
    with writers[kind_of(path, form)]() as write:

        def write_unless_input(result: Result) -> None:
            refuse_own_input(target, result)
            write(result)

        yield write_unless_input


def _video(path: Path, kpt_thr: float) -> AbstractContextManager[Write]:
    from vitruvian.outputs.video import video  # only videos need PyAV

    return video(path, kpt_thr)


@contextmanager
def coco(path: Path) -> Iterator[Write]:
    """COCO keypoint results: a list with one entry per person.

    ``file_name`` (and ``frame`` of a video) is not part of the format; readers ignore it.
    """
    with replacing(path) as part, part.open("w", encoding="utf-8") as file:
        comma = ""

        def write(result: Result) -> None:
            nonlocal comma
            for entry in _coco_entries(result):
                file.write(f"{comma or '['}\n{json.dumps(entry)}")
                comma = ","

        yield write
        file.write("\n]\n" if comma else "[]\n")


def _coco_entries(result: Result) -> Iterator[dict[str, object]]:
    poses = result.poses
    found = _rounded(_triples(poses))
    sides = poses.boxes[:, 2:] - poses.boxes[:, :2]
    boxes = _rounded(np.concatenate([poses.boxes[:, :2], sides], axis=1))
    frame = {} if result.frame is None else {"frame": result.frame}
    for keypoints, box, score in zip(found, boxes, _rounded(poses.score, 5), strict=True):
        yield {
            "image_id": result.image_id,
            "category_id": 1,
            "keypoints": [value for triple in keypoints for value in triple],
            "score": score,
            "bbox": box,
            "file_name": result.source,
        } | frame


@contextmanager
def openpose(path: Path, origin: Provenance, body: str) -> Iterator[Write]:
    """OpenPose JSON of one picture."""

    def write(result: Result) -> None:
        _save_openpose(path, result, origin, body)

    yield write


@contextmanager
def openpose_folder(folder: Path, origin: Provenance, body: str) -> Iterator[Write]:
    """OpenPose JSON, one file per picture or frame, named as OpenPose names them."""
    names = FreeNames()

    def write(result: Result) -> None:
        stem = result.stem if result.frame is None else f"{result.stem}_{result.frame:012d}"
        _save_openpose(folder / names(stem, "_keypoints.json"), result, origin, body)

    yield write


def _save_openpose(path: Path, result: Result, origin: Provenance, body: str) -> None:
    bones = skeleton(body)
    poses = result.poses if result.poses.skeleton == bones else convert(result.poses, bones)
    others = ("face", "hand_left", "hand_right")
    people = [
        {
            "person_id": [-1],
            "pose_keypoints_2d": [value for triple in keypoints for value in triple],
            **{f"{part}_keypoints_2d": [] for part in others},
            **{f"{part}_keypoints_3d": [] for part in ("pose", *others)},
        }
        for keypoints in _rounded(_triples(poses))
    ]
    text = json.dumps({"version": 1.3, "people": people, "vitruvian": dict(origin)})
    with replacing(path) as part:
        part.write_text(text + "\n", encoding="utf-8")


@contextmanager
def table(path: Path) -> Iterator[Write]:
    """CSV with one row per person."""
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        rows, started = csv.writer(file), False
        head = ["source", "frame", "time", "person", "score", "x0", "y0", "x1", "y1"]

        def write(result: Result) -> None:
            nonlocal started
            if not started:
                names = result.poses.skeleton.keypoints
                rows.writerow(
                    head + [f"{name}_{axis}" for name in names for axis in ["x", "y", "score"]]
                )
                started = True
            rows.writerows(_rows(result))

        yield write
        if not started:
            rows.writerow(head)


def _rows(result: Result) -> Iterator[list[object]]:
    poses = result.poses
    place = [result.source, result.frame, None if result.time is None else round(result.time, 6)]
    values = np.concatenate([poses.xy, poses.scores[..., None]], axis=-1)
    people = zip(_rounded(poses.score, 5), _rounded(poses.boxes), _rounded(values), strict=True)
    for n, (score, box, keypoints) in enumerate(people):
        flat = [value for triple in keypoints for value in triple]
        yield [*place, n, score, *box, *("" if v != v else v for v in flat)]


@contextmanager
def lines(path: Path, origin: Provenance) -> Iterator[Write]:
    """JSON lines: one self-contained object per picture or frame."""
    with replacing(path) as part, part.open("w", encoding="utf-8") as file:

        def write(result: Result) -> None:
            file.write(json.dumps(_line(result, origin)) + "\n")

        yield write


def _line(result: Result, origin: Provenance) -> dict[str, object]:
    poses = result.poses
    values = np.concatenate([poses.xy, poses.scores[..., None]], axis=-1)
    people = zip(_rounded(poses.score, 5), _rounded(poses.boxes), _rounded(values), strict=True)
    return {
        "source": result.source,
        "frame": result.frame,
        "time": None if result.time is None else round(result.time, 6),
        "size": list(poses.size),
        "people": [
            {
                "score": score,
                "box": box,
                "keypoints": {
                    name: None if value[0] != value[0] else value
                    for name, value in zip(poses.skeleton.keypoints, keypoints, strict=True)
                },
            }
            for score, box, keypoints in people
        ],
        "vitruvian": dict(origin),
    }


@contextmanager
def arrays(path: Path, origin: Provenance) -> Iterator[Write]:
    """NPZ: all people stacked; ``picture`` says which row of ``source`` each is of."""
    kept: list[Result] = []

    def write(result: Result) -> None:
        kept.append(replace(result, image=np.zeros((1, 1, 3), np.uint8)))  # no pixels

    with replacing(path) as part:
        yield write
        with part.open("wb") as file:
            np.savez_compressed(file, **_stacked(kept, origin))  # type: ignore[arg-type]


def _stacked(kept: list[Result], origin: Provenance) -> dict[str, np.ndarray]:
    columns = {
        name: np.concatenate([getattr(r.poses, name) for r in kept]) if kept else np.zeros(0)
        for name in ("xy", "scores", "boxes", "score")
    }
    names = kept[0].poses.skeleton.keypoints if kept else ()
    return columns | {
        "picture": np.repeat(np.arange(len(kept)), [len(r.poses) for r in kept]),
        "source": np.array([r.source for r in kept], np.str_),
        "frame": np.array([-1 if r.frame is None else r.frame for r in kept], np.int64),
        "time": np.array([np.nan if r.time is None else r.time for r in kept], np.float64),
        "size": np.array([r.poses.size for r in kept], np.int64).reshape(-1, 2),
        "keypoints": np.array(names, np.str_),
        "vitruvian": np.array(json.dumps(dict(origin))),
    }


def _triples(poses: Poses) -> np.ndarray:
    """N K 3: x, y, score; zeros where a keypoint was not found."""
    found = np.isfinite(poses.xy).all(-1, keepdims=True)
    values = np.concatenate([poses.xy, poses.scores[..., None]], axis=-1)
    return np.where(found, values, 0)


def _rounded(values: np.ndarray, digits: int = 3) -> Any:
    """Nested lists of short numbers."""
    return np.round(values.astype(np.float64), digits).tolist()
