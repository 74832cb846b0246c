"""Pictures that ``vitruvian synth`` drew: COCO keypoints with masks, and what was drawn by lot.

``synthetic:DIR``, the folder that was written::

    DIR/people.json      COCO keypoints, masks as run lengths; "scene" and "person" say the lots
    DIR/images/*.jpg
    DIR/scenes.jsonl     a line for every picture that is done
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from vitruvian.core.errors import InputError
from vitruvian.core.skeleton import skeleton
from vitruvian.datasets.bad import Bad
from vitruvian.datasets.coco import coco_table, load_coco
from vitruvian.datasets.table import Table
from vitruvian.image.scenes import Scene

LABELS, RECORDS, IMAGES = "people.json", "scenes.jsonl", "images"


def synthetic(argument: str, bad: Bad | None = None) -> Table:
    """Data set of the folder ``DIR``."""
    folder = Path(argument)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give the one that vitruvian synth wrote")
    file = folder / LABELS
    images = folder / IMAGES
    return coco_table(load_coco(file), file, images, source="synthetic", bad=bad)


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
        "iscrowd": 0,
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
    bones = skeleton("coco17")
    category = {
        "id": 1,
        "name": "person",
        "keypoints": list(bones.keypoints),
        "skeleton": (bones.limb_index + 1).tolist(),
    }
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
        out.write(f',\n"categories": {json.dumps([category])}}}\n')
