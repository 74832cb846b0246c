"""COCO keypoint evaluation at val2017 size: ours, bare hotcoco and pycocotools, files included.

python benchmarks/coco_eval.py -o benchmarks/coco_eval.json [--repeats 5]

5 000 pictures, 11 004 people and 104 125 detections, drawn with a seed; each tool reads the same
two JSON files and computes the ten numbers, which must agree. Also: opening labels of 150 000
people.
"""

import argparse
import contextlib
import io
import json
import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path

import hotcoco
import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from vitruvian.core.skeleton import skeleton
from vitruvian.datasets.coco import coco_keypoints
from vitruvian.metrics.oks_ap import oks_ap_of_files

PICTURES, PEOPLE, DETECTIONS = 5_000, 11_004, 104_125
TRAIN_PICTURES, TRAIN_PEOPLE = 64_115, 150_000
BONES = skeleton("coco17")


def people(rng: np.random.Generator, pictures: int, count: int) -> dict[str, object]:
    """COCO annotations: a body of 17 points per person, polygons as long as the real ones."""
    side = np.exp(rng.uniform(np.log(20), np.log(500), count))
    corner = rng.uniform(0, 300, (count, 2))
    points = corner[:, None] + rng.random((count, 17, 2)) * side[:, None, None]
    flags = rng.choice([0, 1, 2], (count, 17), p=[0.35, 0.1, 0.55])
    flags[rng.random(count) < 0.4] = 0
    rows = np.where(flags[..., None] > 0, np.concatenate([points.round(), flags[..., None]], 2), 0)
    polygon = (rng.random(60) * 640).round(2).tolist()
    annotations = [
        {
            "segmentation": [polygon],
            "num_keypoints": int((flags[n] > 0).sum()),
            "area": round(float(0.5 * side[n] ** 2), 4),
            "iscrowd": int(rng.random() < 0.01),
            "keypoints": rows[n].astype(int).ravel().tolist(),
            "image_id": int(rng.integers(1, pictures + 1)),
            "bbox": [*corner[n].round(2).tolist(), round(side[n], 2), round(side[n], 2)],
            "category_id": 1,
            "id": n + 1,
        }
        for n in range(count)
    ]
    images = [
        {"id": i + 1, "file_name": f"{i:012}.jpg", "height": 480, "width": 640}
        for i in range(pictures)
    ]
    person = {"id": 1, "name": "person", "keypoints": list(BONES.keypoints), "skeleton": []}
    return {"images": images, "annotations": annotations, "categories": [person]}


def detections(rng: np.random.Generator, truth: dict[str, object], count: int) -> list[object]:
    """Results: each a labelled person with noise, so that all OKS from 0 to 1 occur."""
    annotations = truth["annotations"]
    rows = []
    for _ in range(count):
        person = annotations[rng.integers(len(annotations))]
        points = np.array(person["keypoints"], float).reshape(17, 3)
        spread = rng.choice([0.01, 0.03, 0.1, 0.3]) * person["bbox"][2]
        points[:, :2] = (points[:, :2] + rng.normal(0, spread, (17, 2))).round(2)
        points[:, 2] = 0.9
        rows.append(
            {
                "image_id": person["image_id"],
                "category_id": 1,
                "keypoints": points.ravel().tolist(),
                "score": round(float(rng.random()), 5),
            }
        )
    return rows


def bare_hotcoco(labels: Path, results: Path) -> np.ndarray:
    truth = hotcoco.COCO(str(labels))
    run = hotcoco.COCOeval(truth, truth.load_res(str(results)), "keypoints")
    run.evaluate()
    run.accumulate()
    precision, recall = run.eval["precision"][:, :, 0, 0, 0], run.eval["recall"][:, 0, 0, 0]
    return np.array([precision.mean(), recall.mean()])


def official(labels: Path, results: Path) -> np.ndarray:
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(labels))
        run = COCOeval(truth, truth.loadRes(str(results)), "keypoints")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return run.stats


def timed(work: Callable[[], object], repeats: int) -> dict[str, object]:
    """Wall and processor seconds, after a run that is thrown away where there are several."""
    wall, processor = [], []
    for _ in range(repeats + (repeats > 1)):
        start = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - start[0])
        processor.append(time.process_time() - start[1])
    low, median, high = np.quantile(wall[-repeats:], [0.25, 0.5, 0.75]).round(4).tolist()
    busy = round(float(np.median(processor[-repeats:])), 4)
    return {"median_s": median, "iqr_s": [low, high], "processor_s": busy, "repeats": repeats}


def measure(folder: Path, repeats: int, reference_repeats: int) -> dict[str, object]:
    rng = np.random.default_rng(0)
    truth = people(rng, PICTURES, PEOPLE)
    labels, results, train = (folder / n for n in ("labels.json", "results.json", "train.json"))
    labels.write_text(json.dumps(truth))
    results.write_text(json.dumps(detections(rng, truth, DETECTIONS)))
    train.write_text(json.dumps(people(rng, TRAIN_PICTURES, TRAIN_PEOPLE)))
    sigmas = BONES.oks_sigmas
    ours = np.array(astuple(oks_ap_of_files(labels, results, sigmas)))
    difference = float(np.abs(ours - official(labels, results)).max())
    times = {
        "vitruvian": timed(lambda: oks_ap_of_files(labels, results, sigmas), repeats),
        "hotcoco": timed(lambda: bare_hotcoco(labels, results), repeats),
        "pycocotools": timed(lambda: official(labels, results), reference_repeats),
    }
    median = {name: row["median_s"] for name, row in times.items()}
    return {
        "evaluate": times,
        "over_hotcoco": round(median["vitruvian"] / median["hotcoco"], 3),
        "faster_than_pycocotools": round(median["pycocotools"] / median["vitruvian"], 1),
        "largest_difference_of_ten_numbers": difference,
        "open_150k_people": timed(lambda: coco_keypoints(train), repeats)
        | {"megabytes": round(train.stat().st_size / 1e6, 1)},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--reference-repeats", type=int, default=1, help="of pycocotools")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), args.repeats, args.reference_repeats)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True)
    found["where"] = {
        "commit": commit.stdout.strip(),
        "processors": os.cpu_count(),
        "load": os.getloadavg()[0],
        "machine": platform.machine(),
        "python": platform.python_version(),
        "hotcoco": hotcoco.__version__,
    }
    args.out.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
