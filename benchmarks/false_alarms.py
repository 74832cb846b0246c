"""Who is taken for a person: people found, and people seen where nobody is.

python benchmarks/false_alarms.py --data coco:VAL.json@IMAGES --empty FOLDER [--source coco]
    [--models pose.onnx detector.onnx] [-o benchmarks/false_alarms.json]

Every box that scores above ``LOW`` is looked at. Two rules say which of them are people: the box's
score alone, and the product of it and of the mean keypoint score, which asks less of a box that
holds a plain pose. Each is read at the thresholds that let 5, 10, 20 … people be seen in pictures
without people; recall at IoU .5 is that of the labelled people of one source. Then the same for the
models as they ship. "looked at" are boxes of an empty picture whose poses must be found.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from record import keep

import vitruvian
from vitruvian.core.poses import Poses
from vitruvian.core.sample import Sample
from vitruvian.datasets import open_dataset
from vitruvian.kernels.nms import iou
from vitruvian.runtime.predictor import Predictor

LOW = 0.1
ALARMS = (5, 10, 20, 40, 80)
PICTURES = (".jpg", ".jpeg", ".png")


def hits(people: Poses, boxes: np.ndarray) -> np.ndarray:
    """Which people, best first, take a labelled box (IoU .5 or more) that is still free."""
    taken = np.zeros(len(people), bool)
    overlap = iou(people.boxes, boxes)
    for row in np.argsort(-people.score, kind="stable"):
        if len(boxes) and overlap[row].max() >= 0.5:
            taken[row] = True
            overlap[:, overlap[row].argmax()] = 0
    return taken


def labelled(pose: Predictor, samples: Sequence[Sample]) -> Iterator[tuple[Poses, np.ndarray]]:
    """The people found in each picture, and which of them are labelled."""
    for sample in samples:
        (people,) = pose([sample.path])
        yield people, hits(people, sample.boxes[~sample.crowd])


def rules(people: Sequence[Poses]) -> dict[str, np.ndarray]:
    """The score of everybody by each rule."""
    box = np.concatenate([p.score for p in people])
    mean = np.concatenate([p.scores.mean(axis=1) for p in people])
    return {"box": box, "box x keypoints": box * mean}


def main() -> None:
    """Find people twice, count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="labelled people, READER:WHERE")
    parser.add_argument("--source", default="coco", help="the part of the data to use")
    parser.add_argument("--empty", required=True, type=Path, help="pictures without people")
    parser.add_argument("--models", nargs=2, default=("default", "default"), type=str)
    parser.add_argument("-o", "--out", type=Path, default=Path(__file__).with_suffix(".json"))
    args = parser.parse_args()
    samples = [s for s in open_dataset(args.data) if s.source == args.source]
    empty = sorted(p for p in args.empty.iterdir() if p.suffix.lower() in PICTURES)
    wanted = sum(int((~s.crowd).sum()) for s in samples)
    model, detector = args.models

    every = vitruvian.load(model, detector=detector, conf=LOW, changes=["test.rescore=false"])
    found, hit = zip(*labelled(every, samples), strict=True)
    alarms = [people for (people,) in (every([path]) for path in empty)]
    rows = []
    for name, false in rules(alarms).items():
        true = rules(found)[name][np.concatenate(hit)]
        for count in ALARMS:
            least = np.sort(false)[-count]
            looked = rules(alarms)["box"] >= (least if name == "box" else LOW)
            rows.append(
                {
                    "rule": name,
                    "at": round(float(least), 3),
                    "false alarms": count,
                    "recall": round(float((true >= least).sum() / wanted), 3),
                    "looked at": round(float(looked.sum() / len(empty)), 2),
                }
            )

    shipped = vitruvian.load(model, detector=detector)
    _, hit = zip(*labelled(shipped, samples), strict=True)
    seen = [len(people) for (people,) in (shipped([path]) for path in empty)]
    result = {
        "labelled people": wanted,
        "empty pictures": len(empty),
        "models": {
            "recall": round(float(np.concatenate(hit).sum() / wanted), 3),
            "false alarms": sum(seen),
            "pictures with one": sum(n > 0 for n in seen),
        },
        "rules": rows,
    }
    keep(args.out, result)


if __name__ == "__main__":
    main()
