import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vitruvian.core.errors import ConfigError, InputError
from vitruvian.core.skeleton import Skeleton
from vitruvian.datasets import open_dataset
from vitruvian.image.proposals import Atom, Offsets, Proposals
from vitruvian.systems.simplebaselines import simplebaselines_res50_256x192
from vitruvian.systems.spec import System
from vitruvian.train.feed import Batch, Feed, People, epoch_order


def _feed(dots: Path, system: System, workers: int = 1) -> Feed:
    return Feed(People([open_dataset(f"coco:{dots}")], system), system, workers=workers)


def _same(a: Batch, b: Batch) -> bool:
    return np.array_equal(a.images, b.images) and all(
        np.array_equal(a.values[n], b.values[n]) and np.array_equal(a.weights[n], b.weights[n])
        for n in a.values
    )


def test_batches_do_not_depend_on_the_number_of_threads(dots: Path, system: System) -> None:
    one, three = (list(_feed(dots, system, workers).epoch(1)) for workers in (1, 3))
    assert len(one) == len(three) == 6
    assert all(map(_same, one, three))


def test_an_epoch_can_be_entered_in_the_middle(dots: Path, system: System) -> None:
    feed = _feed(dots, system)
    assert all(map(_same, list(feed.epoch(0))[2:], feed.epoch(0, first=2)))


def test_epochs_and_seeds_differ(dots: Path, system: System) -> None:
    feed = _feed(dots, system)
    other = replace(system, recipe=replace(system.recipe, seed=1))
    first = next(feed.epoch(0))
    assert not _same(first, next(feed.epoch(1)))
    assert not _same(first, next(_feed(dots, other).epoch(0)))


def test_a_mirrored_view_swaps_left_and_right(dots: Path, system: System) -> None:
    still = replace(system.recipe.augment, scale=0.0, rotation_prob=0.0, colour=0.0, occlude=0.0)
    views = []
    for flip in (0.0, 1.0):
        recipe = replace(system.recipe, augment=replace(still, flip=flip))
        people = People([open_dataset(f"coco:{dots}")], replace(system, recipe=recipe))
        views.append(people.item(3, np.random.default_rng(0)))
    (plain, targets), (mirrored, swapped) = views
    assert np.abs(plain[:, ::-1].astype(int) - mirrored).max() <= 2
    value, order = targets["heatmap"].value, [0, 2, 1, 4, 3]
    np.testing.assert_allclose(swapped["heatmap"].value, value[order, :, ::-1], atol=1e-5)


def test_pictures_without_people_give_no_rows(dots: Path, system: System) -> None:
    assert len(People([open_dataset(f"coco:{dots}")], system).groups) == 12


def test_shares_decide_how_often_a_data_set_is_drawn() -> None:
    groups = ["a"] * 10 + ["b"] * 90
    order = epoch_order(groups, {"a": 0.5}, 200, np.random.default_rng(0))
    drawn = np.bincount(order, minlength=100)
    assert drawn[:10].sum() == 100
    assert drawn[:10].min() == drawn[:10].max() == 10
    assert drawn[10:].max() - drawn[10:].min() <= 1


def test_shares_must_name_data_that_are_there() -> None:
    with pytest.raises(ConfigError, match="name data among"):
        epoch_order(["a"], {"c": 0.5}, 4, np.random.default_rng(0))


def test_data_of_a_skeleton_with_the_same_names_are_converted(
    dots: Path, system: System, caplog: pytest.LogCaptureFixture
) -> None:
    data, rng = [open_dataset(f"coco:{dots}")], np.random.default_rng
    other = Skeleton(name="other", keypoints=("tail", "right_hand", "head"))
    codec = replace(system.codec, skeleton=other)
    before = People(data, system).item(3, rng(0))[1]["heatmap"]
    converted = People(data, replace(system, skeleton=other, codec=codec))
    after = converted.item(3, rng(0))[1]["heatmap"]
    assert np.array_equal(after.value[[2, 1]], before.value[[0, 2]])
    assert after.weight.ravel().tolist() == [0, 1, 1]
    assert "teach nothing of tail" in caplog.text


def test_data_of_another_skeleton_are_refused_with_both_names(dots: Path) -> None:
    with pytest.raises(InputError, match="coco17"):
        People([open_dataset(f"coco:{dots}")], simplebaselines_res50_256x192())


def test_data_without_labelled_people_are_refused(
    dots: Path, system: System, tmp_path: Path
) -> None:
    data = json.loads(dots.read_text()) | {"annotations": []}
    (tmp_path / "empty.json").write_text(json.dumps(data))
    with pytest.raises(InputError, match="no person"):
        People([open_dataset(f"coco:{tmp_path / 'empty.json'}@{dots.parent}")], system)


def test_boxes_can_be_drawn_as_a_detector_does(dots: Path, system: System) -> None:
    moved = Offsets(mean=(0.5, 0.0, 0.5, 0.0), deviation=(0.0, 0.0, 0.0, 0.0))
    rule = Proposals(atoms=(Atom(offsets=(moved,)),), patch=0.0)
    still = replace(system.recipe.augment, flip=0.0, scale=0.0, rotation_prob=0.0)
    seen = []
    for proposals in (None, rule):
        recipe = replace(system.recipe, augment=replace(still, proposals=proposals))
        people = People([open_dataset(f"coco:{dots}")], replace(system, recipe=recipe))
        seen.append(people.seen(0, np.random.default_rng(0)).view.to_image(np.zeros(2)))
    np.testing.assert_allclose(seen[1] - seen[0], [17, 2.5], atol=3)  # the picture ends there
