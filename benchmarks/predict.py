"""Milliseconds per photograph of 640 x 480: file to poses, stages timed apart, and the overhead.

python benchmarks/predict.py [--repeats 100] [--threads 2] [-o benchmarks/predict.json]

One picture is examples/astronaut.jpg, saved as a 640 x 480 JPEG; the models are the bundled ones.
So that the numbers of people are exact whatever the detector finds, it runs as always and then its
boxes are replaced by 1 or 10 given ones. The network's own time is ``detect`` and ``pose``;
``overhead`` is everything else. Every run is one call of the predictor with the file's name, after
warm-up; each stage has its own median and quartiles, so they need not add up.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from record import keep, quartiles

import vitruvian
from vitruvian.core.types import Boxes, Image
from vitruvian.runtime.detect import Detector

PHOTO = Path(__file__).parents[1] / "examples" / "astronaut.jpg"
WARM_UP = 10


@dataclass(frozen=True, slots=True)
class Counted:
    """A detector that does all its work and then says what it was told."""

    detector: Detector
    boxes: Boxes

    def __call__(self, images: Sequence[Image]) -> list[Boxes]:
        """The told boxes, after the detector has run."""
        self.detector(images)
        return [self.boxes] * len(images)


def people(count: int) -> Boxes:
    """Boxes of standing people side by side, 640 x 480 pixels."""
    width = 600 / max(count, 3)
    left = 20 + width * np.arange(count)
    xyxy = np.stack([left, np.full(count, 30.0), left + width, np.full(count, 450.0)], axis=1)
    return Boxes(xyxy=xyxy.astype(np.float32), scores=np.ones(count, np.float32))


def photograph(folder: Path) -> Path:
    image = cv2.resize(cv2.imread(str(PHOTO)), (640, 480), interpolation=cv2.INTER_AREA)
    path = folder / "photo.jpg"
    cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return path


def measure(pose: vitruvian.Predictor, path: Path, count: int, repeats: int) -> dict[str, object]:
    """Milliseconds of each stage, of the whole and of the overhead."""
    counted = replace(pose, detector=Counted(pose.detector, people(count)))
    runs: list[dict[str, float]] = []
    for _ in range(WARM_UP + repeats):
        pose.watch.reset()
        start = time.perf_counter()
        counted(path)
        total = time.perf_counter() - start
        stages = dict(pose.watch.seconds)
        networks = stages["detect"] + stages["pose"]
        runs.append(stages | {"total": total, "overhead": total - networks})
    kept = runs[WARM_UP:]
    return {name: quartiles([1e3 * run[name] for run in kept]) for name in kept[0]}


def main() -> None:
    """Measure and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--backend", default="openvino")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("-o", "--out", type=Path, default=Path("benchmarks/predict.json"))
    args = parser.parse_args()
    pose = vitruvian.load(backend=args.backend, threads=args.threads, precision=args.precision)
    with tempfile.TemporaryDirectory() as folder:
        path = photograph(Path(folder))
        found = {f"people_{count}": measure(pose, path, count, args.repeats) for count in (1, 10)}
    keep(
        args.out,
        {
            "what": "milliseconds per 640 x 480 JPEG, file to poses",
            "repeats": args.repeats,
            "models": pose.provenance,
            **found,
        },
    )


if __name__ == "__main__":
    main()
