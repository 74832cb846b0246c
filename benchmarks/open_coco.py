"""Seconds and memory to open COCO annotations of 150 000 people, and to walk over their samples.

python benchmarks/open_coco.py [--people 150000] [--repeats 5] [-o benchmarks/open_coco.json]

The file is generated: 64 115 pictures as in train2017, polygons of two dozen corners, 17 keypoints.
``json`` is the bare parser on the same file. CPU seconds are given beside wall seconds, for
machines that do other things too; each run is a process of its own.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from record import keep, quartiles

PROGRAM = """
import gc, json, resource, sys, time
from vitruvian.datasets.coco import coco_keypoints
def clock():
    return time.perf_counter(), time.process_time()
what, file = sys.argv[1:]
start = clock()
if what == "json":
    gc.disable()
    json.loads(open(file, "rb").read())
else:
    data = coco_keypoints(file)
opened = clock()
people = sum(len(sample) for sample in data) if what == "vitruvian" else 0
walked = clock()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(*(b - a for a, b in zip(start + opened, opened + walked)), peak, people)
"""


def write(file: Path, people: int) -> None:
    """COCO's layout, one annotation a line."""
    rng = np.random.default_rng(0)
    pictures = people * 64_115 // 149_813
    names = [f"k{n}" for n in range(17)]
    categories = [{"id": 1, "name": "person", "keypoints": names, "skeleton": []}]
    images = [
        {
            "license": 3, "file_name": f"{n:012}.jpg", "height": 480, "width": 640, "id": n,
            "coco_url": f"http://images.cocodataset.org/train2017/{n:012}.jpg",
            "date_captured": "2013-11-14 16:28:13",
            "flickr_url": "http://farm4.staticflickr.com/3153/2970773875_164f0c0b83_z.jpg",
        }
        for n in range(1, pictures + 1)
    ]  # fmt: skip
    with file.open("w", encoding="utf-8") as out:
        out.write(f'{{"images": {json.dumps(images)}, "categories": {json.dumps(categories)}, ')
        out.write('"annotations": [')
        kinds = [annotation(rng) for _ in range(1000)]
        of = rng.integers(1, pictures + 1, people).tolist()
        rows = (f'{kinds[n % 1000]}, "image_id": {of[n]}, "id": {n}}}' for n in range(people))
        out.write(", ".join(rows))
        out.write("]}")


def annotation(rng: np.random.Generator) -> str:
    """JSON of a person, open at its end."""
    flags = rng.integers(0, 3, 17)
    points = rng.integers(1, 640, (17, 2)) * (flags > 0)[:, None]
    row = {
        "segmentation": [np.round(rng.uniform(0, 640, 48), 2).tolist()],
        "num_keypoints": int((flags > 0).sum()),
        "area": round(rng.uniform(500, 9e4), 4),
        "iscrowd": 0,
        "keypoints": np.column_stack([points, flags]).ravel().tolist(),
        "bbox": np.round(rng.uniform(1, 300, 4), 2).tolist(),
        "category_id": 1,
    }
    return json.dumps(row)[:-1]


def measured(what: str, file: Path) -> list[float]:
    """Wall and CPU seconds of opening, of walking, peak MiB, people seen."""
    command = [sys.executable, "-c", PROGRAM, what, str(file)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [float(number) for number in done.stdout.split()]


def main() -> None:
    """Measure in turns and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=150_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("-o", "--out", type=Path, default=Path("benchmarks/open_coco.json"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "people.json"
        write(file, args.people)
        size = round(file.stat().st_size / 1e6)
        runs = {what: [] for what in ("json", "vitruvian")}
        for _ in range(args.repeats):
            for what, rows in runs.items():
                rows.append(measured(what, file))
    columns = ("open_wall_s", "open_cpu_s", "walk_wall_s", "walk_cpu_s", "peak_mib", "people")
    found = {
        what: dict(zip(columns, map(quartiles, map(list, zip(*rows, strict=True))), strict=True))
        for what, rows in runs.items()
    }
    about = {"what": "opening generated COCO annotations", "file_mb": size, "repeats": args.repeats}
    keep(args.out, {**about, **found})


if __name__ == "__main__":
    main()
