"""Pictures that ``vitruvian synth`` drew or would draw: COCO keypoints with masks.

``synthetic:stream?seed=7&scenes=2000`` draws them when they are needed and writes nothing. Further
settings are ``size`` (320), ``assets``, ``poses`` and ``backgrounds`` (folders); with ``assets``
people are MakeHuman's. The same pictures and labels, to the last bit, as of::

    vitruvian synth -o DIR --seed 7 --scenes 2000

``synthetic:DIR``, the folder that was written::

    DIR/people.json      COCO keypoints, masks as run lengths; "scene" and "person" say the lots
    DIR/images/*.jpg
    DIR/scenes.jsonl     a line for every picture that is done
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import cv2
import numpy as np
from jaxtyping import Bool

from vitruvian.core.errors import ConfigError, InputError
from vitruvian.core.sample import Sample
from vitruvian.core.skeleton import Skeleton, skeleton
from vitruvian.core.types import Image
from vitruvian.datasets.bad import Bad
from vitruvian.datasets.coco import coco_table, load_coco
from vitruvian.datasets.table import Table
from vitruvian.image.scenes import Scene, Sources, check_sources, scene

LABELS, RECORDS, IMAGES = "people.json", "scenes.jsonl", "images"


STREAM = "stream?"


def synthetic(argument: str, bad: Bad | None = None) -> "Table | Stream":
    """Data set of the folder ``DIR``, or of pictures that are drawn when they are needed."""
    if argument.startswith(STREAM):
        return Stream(_settings(argument))
    folder = Path(argument)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give the one that vitruvian synth wrote")
    file = folder / LABELS
    images = folder / IMAGES
    return coco_table(load_coco(file), file, images, source="synthetic", bad=bad)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Which pictures a stream draws.

    Attributes:
        spec: What it was made from, for the names of the pictures.
        seed: Of all pictures.
        scenes: How many.
        size: Side in pixels.
        sources: What they are made from.
    """

    spec: str
    seed: int
    scenes: int
    size: int
    sources: Sources


def _settings(argument: str) -> Settings:
    """The settings of ``stream?name=value&…``."""
    known = {"seed": "0", "scenes": "", "size": "320", "assets": "", "poses": "", "backgrounds": ""}
    given = dict(parse_qsl(argument.removeprefix(STREAM), keep_blank_values=True))
    if unknown := sorted(set(given) - set(known)):
        raise ConfigError(
            f"synthetic:{argument}: no setting {', '.join(unknown)}; there are {', '.join(known)}"
        )
    words = known | given
    try:
        seed, scenes, size = (int(words[name]) for name in ("seed", "scenes", "size"))
    except ValueError as error:
        raise ConfigError(
            f"synthetic:{argument}: seed, scenes and size are whole numbers, e.g. "
            "synthetic:stream?seed=7&scenes=2000"
        ) from error
    if seed < 0 or scenes < 1 or not 64 <= size <= 2048:
        raise ConfigError(f"synthetic:{argument}: seed from 0, scenes from 1, size from 64 to 2048")
    folders = {name: words[name] or None for name in ("assets", "poses", "backgrounds")}
    return Settings(
        spec=f"synthetic:{argument}",
        seed=seed,
        scenes=scenes,
        size=size,
        sources=Sources(**folders),
    )


class Stream:
    """Pictures that exist while they are looked at; their labels are kept once they were drawn."""

    def __init__(self, settings: Settings) -> None:
        check_sources(settings.sources)
        self._settings = settings
        self._known: dict[int, Sample] = {}

    @property
    def skeleton(self) -> Skeleton:
        """COCO's 17 keypoints."""
        return skeleton("coco17")

    def __len__(self) -> int:
        return self._settings.scenes

    def __getitem__(self, index: int) -> Sample:
        if not -len(self) <= index < len(self):
            raise IndexError(f"{self._settings.spec} has {len(self)} pictures: no {index}")
        number = index % len(self)
        if number not in self._known:
            self._known[number] = self._labels(number)
        return self._known[number]

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))

    def _labels(self, number: int) -> Sample:
        """As the reader of the written labels gives them."""
        record = to_record(drawn(self._settings, number))
        data = {
            "images": [record["image"]],
            "annotations": record["annotations"],
            "categories": [category()],
        }
        one = coco_table(data, Path(LABELS), Path(IMAGES), source="synthetic")[0]
        return replace(one, path=f"{self._settings.spec}#{number}")


@lru_cache(maxsize=64)
def drawn(settings: Settings, number: int) -> Scene:
    """A scene; the last ones are kept, since labels and picture are asked for one by one."""
    cv2.setNumThreads(1)
    return scene(settings.seed, number, settings.size, settings.sources)


def streamed(path: str) -> Image:
    """The picture of a sample of a stream, with what JPEG makes of it."""
    spec, _, number = path.rpartition("#")
    made = drawn(_settings(spec.removeprefix("synthetic:")), int(number))
    image = cv2.imdecode(np.frombuffer(to_jpeg(made), np.uint8), cv2.IMREAD_COLOR)
    return np.ascontiguousarray(np.asarray(image, np.uint8)[..., ::-1])


def to_jpeg(made: Scene) -> bytes:
    """The picture's file."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, made.quality]
    _, data = cv2.imencode(".jpg", made.image[..., ::-1], quality)
    return data.tobytes()


def category() -> dict[str, Any]:
    """COCO's entry for people."""
    bones = skeleton("coco17")
    return {
        "id": 1,
        "name": "person",
        "keypoints": list(bones.keypoints),
        "skeleton": (bones.limb_index + 1).tolist(),
    }


def picture_name(index: int) -> str:
    """File name of the picture of that number."""
    return f"{index:07d}.jpg"


def to_record(scene: Scene) -> dict[str, Any]:
    """The labels of one picture as its COCO objects, under ``image`` and ``annotations``."""
    index = scene.about["index"]
    height, width = scene.image.shape[:2]
    image = {
        "id": index + 1,
        "file_name": picture_name(index),
        "height": height,
        "width": width,
        "source": "synthetic",
        "fully_annotated": True,
        "scene": scene.about,
    }
    people = [_annotation(scene, n) for n in range(len(scene.masks))]
    return {"image": image, "annotations": people}


def _annotation(scene: Scene, n: int) -> dict[str, Any]:
    image_id, flags, mask = scene.about["index"] + 1, scene.visible[n], scene.masks[n]
    points = np.column_stack([np.nan_to_num(scene.xy[n]).round(2).astype(float), flags])
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    corner = [int(columns[0]), int(rows[0])]
    return {
        "id": image_id * 10 + n,
        "image_id": image_id,
        "category_id": 1,
        "iscrowd": int(scene.statue[n]),
        "num_keypoints": int((flags > 0).sum()),
        "keypoints": [round(float(v), 2) for v in points.ravel()],
        "bbox": [*corner, int(columns[-1]) + 1 - corner[0], int(rows[-1]) + 1 - corner[1]],
        "area": int(mask.sum()),
        "segmentation": {"size": list(mask.shape), "counts": run_lengths(mask)},
        "person": scene.people[n],
    }


def run_lengths(mask: Bool[np.ndarray, "H W"]) -> list[int]:
    """COCO's uncompressed code: lengths of runs down the columns, the first of zeros."""
    flat = np.concatenate([[False], mask.ravel(order="F")])
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    return [int(n) for n in np.diff(np.concatenate([[0], changes, [mask.size]]))]


def read_records(file: Path) -> Iterator[tuple[int, str]]:
    """Number and JSON line of every picture that is done; a line that was cut off ends them."""
    if not file.exists():
        return
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            if not line.endswith("\n"):
                return
            try:
                yield json.loads(line)["image"]["scene"]["index"], line
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(
                    f"{file}: a line is no record of a scene; delete the file to begin anew"
                ) from error


def write_labels(lines: dict[int, tuple[int, int]], records: Path, target: Path) -> None:
    """The COCO JSON of the given records, in order of their numbers; one record in memory.

    Args:
        lines: Where each record is in the file, first byte and length, by number.
        records: The file of records.
        target: What to write.
    """
    with records.open("rb") as source, target.open("w", encoding="utf-8") as out:
        for kind in ("images", "annotations"):
            out.write(("{" if kind == "images" else ",\n") + f'"{kind}": [')
            comma = "\n"
            for number in sorted(lines):
                first, length = lines[number]
                source.seek(first)
                record = json.loads(source.read(length))
                for row in [record["image"]] if kind == "images" else record["annotations"]:
                    out.write(comma + json.dumps(row))
                    comma = ",\n"
            out.write("]")
        out.write(f',\n"categories": {json.dumps([category()])}}}\n')
