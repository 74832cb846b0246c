import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from vitruvian.core.errors import InputError
from vitruvian.datasets import open_dataset
from vitruvian.systems.spec import System
from vitruvian.systems.vitruvian import vitruvian_person_s
from vitruvian.train import scenes
from vitruvian.train.feed import Feed
from vitruvian.train.scenes import Scenes


@pytest.fixture
def detector() -> System:
    page = vitruvian_person_s()
    quiet = replace(page.recipe.augment, colour=0.0, blur=0.0, occlude=0.0)
    recipe = replace(page.recipe, weights={}, augment=quiet, batch=4, samples_per_epoch=8)
    return replace(page, input=replace(page.input, size=(128, 128)), recipe=recipe)


def _white_people(folder: Path, **flags: object) -> str:
    """One white rectangle, one crowd region and one small white rectangle on black."""
    boxes = [[20, 30, 60, 90], [110, 10, 60, 60], [90, 120, 4, 4]]
    picture = np.zeros((160, 200, 3), np.uint8)
    for x, y, w, h in (boxes[0], boxes[2]):
        picture[y : y + h, x : x + w] = 255
    cv2.imwrite(str(folder / "a.png"), picture)
    people = [
        {"id": i, "image_id": 1, "category_id": 1, "iscrowd": int(i == 1), "bbox": box}
        | {"keypoints": [0] * 6, "num_keypoints": 0, "area": box[2] * box[3]}
        for i, box in enumerate(boxes)
    ]
    image = {"id": 1, "file_name": "a.png", "width": 200, "height": 160, **flags}
    category = {"id": 1, "name": "person", "keypoints": ["a", "b"], "skeleton": []}
    data = {"images": [image], "annotations": people, "categories": [category]}
    (folder / "a.json").write_text(json.dumps(data))
    return f"coco:{folder / 'a.json'}"


def test_boxes_lie_where_the_people_are(
    detector: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scenes, "GRIDS", (1.0, 0.0, 0.0))
    monkeypatch.setattr(scenes, "ZOOM", (0.6, 0.9))
    source = Scenes([open_dataset(_white_people(tmp_path))], detector)
    for seed in range(5):
        image, targets = source.item(0, np.random.default_rng(seed))
        (y,), (x,) = np.nonzero(targets["centre"].value[0] == 1)
        sides = targets["box"].value[:, y, x]
        x0, y0 = 8 * x + 3.5 - sides[0], 8 * y + 3.5 - sides[1]
        x1, y1 = 8 * x + 3.5 + sides[2], 8 * y + 3.5 + sides[3]
        inside = image[int(y0) + 3 : int(y1) - 2, int(x0) + 3 : int(x1) - 2]
        assert inside.min() > 200
        border = [image[int(y0 + y1) // 2, int(x0) - 3], image[int(y0) - 3, int(x0 + x1) // 2]]
        assert np.max(border) < 50


def test_crowds_and_tiny_people_are_ignored_not_negatives(
    detector: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scenes, "GRIDS", (1.0, 0.0, 0.0))
    monkeypatch.setattr(scenes, "ZOOM", (0.79, 0.8))
    source = Scenes([open_dataset(_white_people(tmp_path))], detector)
    _, targets = source.item(0, np.random.default_rng(1))
    assert (targets["centre"].value == 1).sum() == 1
    ignored = (targets["centre"].weight[0] < 0.01).sum()
    assert 9 <= ignored <= 36  # the crowd is 60 of 200 pixels wide: 3.8 cells of 8 at this scale


def test_unlabelled_places_of_partly_labelled_pictures_weigh_little(
    detector: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scenes, "GRIDS", (1.0, 0.0, 0.0))
    data = open_dataset(_white_people(tmp_path, fully_annotated=False))
    _, targets = Scenes([data], detector).item(0, np.random.default_rng(1))
    weight = targets["centre"].weight[0]
    assert weight.min() == 0
    assert np.isclose(weight, scenes.UNLABELLED).any()
    assert weight[targets["centre"].value[0] == 1].tolist() == [1]


def test_mosaics_fill_the_scene_and_are_reproducible(
    detector: System, dots: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scenes, "GRIDS", (0.0, 0.0, 1.0))
    source = Scenes([open_dataset(f"coco:{dots}")], detector)
    first, again = (source.item(0, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(first[0], again[0])
    assert (first[1]["centre"].value == 1).sum() > 1
    batch = next(Feed(source, detector).epoch(0))
    assert batch.images.shape == (4, 128, 128, 3)
    assert batch.values["box"].shape == (4, 4, 16, 16)


def test_data_without_people_are_refused(detector: System, dots: Path, tmp_path: Path) -> None:
    data = json.loads(dots.read_text()) | {"annotations": []}
    (tmp_path / "none.json").write_text(json.dumps(data))
    with pytest.raises(InputError, match="no person"):
        Scenes([open_dataset(f"coco:{tmp_path / 'none.json'}@{dots.parent}")], detector)
