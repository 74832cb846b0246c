"""Items per second and core of the training feed, beside a plain per-sample pipeline.

python benchmarks/feed.py [--repeats 5] [-o benchmarks/feed.json]

The plain pipeline makes the same views the usual way: read the file, colour jitter in float, flip,
rotate and crop as separate passes over the whole picture, one full-map Gaussian per keypoint. Ours:
a picture decoded once, one matrix, one warp, tables for colour, outer products for targets. Both
run on one thread over the same pictures (drawn here) at the default system's settings.
"""

import argparse
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from record import keep, quartiles

from vitruvian.core.sample import Sample
from vitruvian.core.view import View
from vitruvian.datasets import open_dataset
from vitruvian.systems.vitruvian import vitruvian_pose_s
from vitruvian.train.feed import People

PICTURES, SIDE = 60, (480, 640)


def draw_pictures(folder: Path) -> str:
    """A COCO file of noisy JPEG photographs' size with one 17-keypoint person each."""
    import json

    rng = np.random.default_rng(0)
    bones = vitruvian_pose_s().skeleton
    images, people = [], []
    for i in range(PICTURES):
        small = rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{i}.jpg"), cv2.resize(small, SIDE[::-1]))
        points = rng.uniform([200, 100], [400, 400], (17, 2))
        images.append({"id": i, "file_name": f"{i}.jpg", "height": SIDE[0], "width": SIDE[1]})
        flat = [v for x, y in points.tolist() for v in (x, y, 2)]
        box = {"bbox": [190, 90, 220, 320], "area": 40000, "num_keypoints": 17, "iscrowd": 0}
        people.append({"id": i, "image_id": i, "category_id": 1, "keypoints": flat, **box})
    category = {"id": 1, "name": "person", "keypoints": list(bones.keypoints), "skeleton": []}
    data = {"images": images, "annotations": people, "categories": [category]}
    (folder / "people.json").write_text(json.dumps(data))
    return f"coco:{folder / 'people.json'}"


def plain_item(sample: Sample, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One view and its targets, step by step."""
    page = vitruvian_pose_s()
    augment, (height, width) = page.recipe.augment, page.input.size
    image = cv2.cvtColor(cv2.imread(sample.path), cv2.COLOR_BGR2RGB).astype(np.float32) / 255
    xy, box = sample.xy[0].copy(), sample.boxes[0].copy()
    gamma = np.exp(augment.colour * rng.normal() * 0.35)
    image = np.clip(image**gamma * (1 + augment.colour * 0.1 * rng.normal(size=3)), 0, 1)
    if rng.random() < augment.flip:
        image = np.ascontiguousarray(image[:, ::-1])
        xy[:, 0] = image.shape[1] - 1 - xy[:, 0]
        box[[0, 2]] = image.shape[1] - 1 - box[[2, 0]]
        xy = xy[sample.skeleton.flip_index]
    centre = (box[:2] + box[2:]) / 2
    turn = float(np.clip(rng.normal(), -2, 2)) * augment.rotation
    matrix = cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), turn, 1.0)
    image = cv2.warpAffine(image, matrix, (image.shape[1], image.shape[0]))
    xy = xy @ matrix[:, :2].T + matrix[:, 2]
    scale = float(np.clip(1 + augment.scale * rng.normal(), 0.75, 1.25)) * page.input.padding
    view = View.crop(box, page.input.size, padding=scale)
    low, high = (
        view.to_image(np.array([[0.0, 0.0], [width - 1.0, height - 1.0]])).round().astype(int)
    )
    border = int(max(0, -low.min(), high[0] - image.shape[1], high[1] - image.shape[0])) + 1
    image = cv2.copyMakeBorder(image, border, border, border, border, cv2.BORDER_CONSTANT)
    y, x = slice(low[1] + border, high[1] + border), slice(low[0] + border, high[0] + border)
    image = (cv2.resize(image[y, x], (width, height)) * 255).astype(np.uint8)
    cells = (view.to_view(xy) + 0.5) / 4 - 0.5
    rows, columns = np.mgrid[: height // 4, : width // 4].astype(np.float32)
    maps = [np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 2) for x, y in cells]
    return image, np.stack(maps).astype(np.float32)


def rate(item: object, count: int) -> float:
    """Items per second of processor time."""
    began = time.process_time()
    for i in range(count):
        item(i % PICTURES, np.random.default_rng(i))  # type: ignore[operator]
    return count / (time.process_time() - began)


def main() -> None:
    """Alternate the two, so that both see the same machine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("-o", "--out", type=Path, default=Path(__file__).with_suffix(".json"))
    args = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        data = open_dataset(draw_pictures(Path(folder)))
        source, samples = People([data], vitruvian_pose_s()), list(data)
        ours, plain = [], []
        rate(source.item, PICTURES)  # fills the cache: the first epoch also decodes
        for _ in range(args.repeats):
            ours.append(rate(source.item, 4 * PICTURES))
            plain.append(rate(lambda i, rng: plain_item(samples[i], rng), PICTURES))
    result = {
        "items_per_core_second": {"ours": quartiles(ours), "plain": quartiles(plain)},
        "ratio": quartiles([a / b for a, b in zip(ours, plain, strict=True)]),
    }
    keep(args.out, result)


if __name__ == "__main__":
    main()
