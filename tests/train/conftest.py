"""A tiny task that can be learnt in seconds: coloured dots on grey, K = 5."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from vitruvian.codecs.spatial_softmax import SpatialSoftmax
from vitruvian.core.skeleton import Skeleton
from vitruvian.image.augment import Augment
from vitruvian.systems.spec import Input, Recipe, System

NAMES = ("head", "left_hand", "right_hand", "left_foot", "right_foot")
COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255))


@pytest.fixture(scope="session")
def robot() -> Skeleton:
    swaps = (("left_hand", "right_hand"), ("left_foot", "right_foot"))
    return Skeleton(name="robot5", keypoints=NAMES, swaps=swaps, limbs=(("head", "left_hand"),))


@pytest.fixture(scope="session")
def dots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """COCO-keypoints JSON of 12 pictures with one robot each, and one empty picture."""
    folder, rng = tmp_path_factory.mktemp("dots"), np.random.default_rng(0)
    images, annotations = [], []
    for i in range(13):
        picture = np.full((64, 64, 3), 90, np.uint8)
        points = rng.uniform(14, 50, (5, 2)).round()
        if i < 12:
            for (x, y), colour in zip(points, COLOURS, strict=True):
                cv2.circle(picture, (int(x), int(y)), 5, colour[::-1], -1)
            flat = [v for x, y in points.tolist() for v in (x, y, 2)]
            person = {"id": i + 1, "image_id": i + 1, "category_id": 1, "iscrowd": 0}
            person |= {"keypoints": flat, "num_keypoints": 5, "bbox": [8, 8, 48, 48], "area": 2304}
            annotations.append(person)
        cv2.imwrite(str(folder / f"{i}.png"), picture)
        images.append({"id": i + 1, "file_name": f"{i}.png", "width": 64, "height": 64})
    category = {"id": 1, "name": "robot", "keypoints": list(NAMES), "skeleton": [[1, 2]]}
    data = {"images": images, "annotations": annotations, "categories": [category]}
    (folder / "dots.json").write_text(json.dumps(data))
    return folder / "dots.json"


@pytest.fixture(scope="session")
def system(robot: Skeleton) -> System:
    return System(
        name="tiny",
        task="topdown",
        net="hrnet:hrnet",
        net_args={"widths": (8, 8, 8, 8), "channels": 5, "modules": (1, 1, 1), "blocks": 1},
        input=Input(size=(64, 64), padding=1.0),
        codec=SpatialSoftmax(skeleton=robot),
        skeleton=robot,
        recipe=Recipe(
            epochs=2,
            samples_per_epoch=24,
            batch=4,
            optimizer="adamw",
            lr=5e-3,
            schedule="cosine",
            ema=0.9,
            clip_norm=5.0,
            loss="spatial_ce",
            augment=Augment(scale=0.1, rotation=10.0, colour=0.2, occlude=0.2),
        ),
    )
