"""COCO keypoint evaluation: ours, bare hotcoco and pycocotools at val2017 size; a million poses.

python benchmarks/coco_eval.py -o benchmarks/coco_eval.json [--repeats 5]

5 000 pictures, 11 004 people and 104 125 detections, drawn with a seed; each tool reads the same
two JSON files and computes the ten numbers, which must agree. Then a million detections, from a
file and from a stream of 50 000 pictures, each in a process of its own whose largest memory is
told. Processor seconds are given beside wall seconds, for machines that do other things too.
"""

import argparse
import contextlib
import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path

import hotcoco
import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from record import keep

from vitruvian.core.skeleton import skeleton
from vitruvian.metrics.oks_ap import oks_ap_of_files

PICTURES, PEOPLE, DETECTIONS = 5_000, 11_004, 104_125
MANY = 1_000_000
BONES = skeleton("coco17")

FROM_FILES = """
import sys
from vitruvian.core.skeleton import skeleton
from vitruvian.metrics.oks_ap import oks_ap_of_files
oks_ap_of_files(*sys.argv[1:], skeleton("coco17").oks_sigmas)
"""

FROM_A_STREAM = """
import numpy as np
from vitruvian.core.poses import Poses
from vitruvian.core.sample import Sample
from vitruvian.core.skeleton import skeleton
from vitruvian.metrics.oks_ap import oks_ap_stream
bones = skeleton("coco17")
def picture(rng, image_id, people=2, poses=20):
    xy = rng.uniform(0, 600, (people, 17, 2)).astype(np.float32)
    sample = Sample(
        path="", size=(640, 640), skeleton=bones, xy=xy, image_id=image_id,
        visible=np.full((people, 17), 2, np.uint8), boxes=np.concatenate([xy.min(1), xy.max(1)], 1),
        area=np.full(people, 2e4, np.float32), crowd=np.zeros(people, bool),
    )
    off = rng.normal(0, rng.choice([1, 3, 10, 30], (poses, 1, 1)), (poses, 17, 2))
    return sample, Poses(
        xy=(xy[rng.integers(0, people, poses)] + off).astype(np.float32),
        scores=np.ones((poses, 17), np.float32), boxes=np.zeros((poses, 4), np.float32),
        score=rng.random(poses).astype(np.float32), skeleton=bones, size=(640, 640),
    )
rng = np.random.default_rng(0)
oks_ap_stream(picture(rng, i) for i in range(1, 50_001))
"""
# Not ru_maxrss, which a process inherits from the one that started it.
TELL = """
import re, time
status = open("/proc/self/status").read()
print(time.process_time(), int(re.search(r"VmHWM:\\s*(\\d+)", status)[1]) / 1024)
"""


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


def in_a_process(program: str, *words: Path) -> dict[str, float]:
    """Processor seconds and largest memory of a program, imports included."""
    command = [sys.executable, "-c", program + TELL, *map(str, words)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, mib = map(float, done.stdout.split())
    return {"processor_s": round(seconds, 2), "peak_mib": round(mib, 1)}


def measure(folder: Path, repeats: int, reference_repeats: int) -> dict[str, object]:
    rng = np.random.default_rng(0)
    truth = people(rng, PICTURES, PEOPLE)
    labels, results, many = (folder / n for n in ("labels.json", "results.json", "many.json"))
    labels.write_text(json.dumps(truth))
    rows = json.dumps(detections(rng, truth, DETECTIONS))[1:-1]
    results.write_text(f"[{rows}]")
    sigmas = BONES.oks_sigmas
    ours = np.array(astuple(oks_ap_of_files(labels, results, sigmas)))
    theirs: list[np.ndarray] = []
    times = {
        "vitruvian": timed(lambda: oks_ap_of_files(labels, results, sigmas), repeats),
        "hotcoco": timed(lambda: bare_hotcoco(labels, results), repeats),
        "pycocotools": timed(lambda: theirs.append(official(labels, results)), reference_repeats),
    }
    median = {name: row["median_s"] for name, row in times.items()}
    busy = {name: row["processor_s"] for name, row in times.items()}
    times_over = -(-MANY // DETECTIONS)
    many.write_text("[" + ", ".join([rows] * times_over) + "]")
    return {
        "evaluate": times,
        "over_hotcoco": round(median["vitruvian"] / median["hotcoco"], 3),
        "over_hotcoco_in_processor_s": round(busy["vitruvian"] / busy["hotcoco"], 3),
        "faster_than_pycocotools": round(median["pycocotools"] / median["vitruvian"], 1),
        "faster_in_processor_s": round(busy["pycocotools"] / busy["vitruvian"], 1),
        "largest_difference_of_ten_numbers": float(np.abs(ours - theirs[0]).max()),
        "a_million_of_a_file": {"detections": times_over * DETECTIONS}
        | in_a_process(FROM_FILES, labels, many),
        "a_million_of_a_stream": {"detections": MANY} | in_a_process(FROM_A_STREAM),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--reference-repeats", type=int, default=1, help="of pycocotools")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), args.repeats, args.reference_repeats)
    keep(args.out, {"hotcoco": hotcoco.__version__, **found})


if __name__ == "__main__":
    main()
