import json
from dataclasses import replace

import numpy as np
import pytest

from tests.painted import BONES, paint, person, scene_metadata, scene_model
from vitruvian.core.errors import ConfigError, WeightsError
from vitruvian.core.poses import Poses
from vitruvian.core.types import Keypoints
from vitruvian.runtime.backends import Network
from vitruvian.runtime.bottomup import BottomUp, boxes_around, merged
from vitruvian.runtime.load import load
from vitruvian.runtime.model import load_model
from vitruvian.systems.metadata import Metadata

MODEL = load_model(scene_model(), "scene.onnx", threads=1)
FIRST, SECOND = (20.0, 40.0, 80.0, 150.0), (230.0, 30.0, 290.0, 140.0)
IMAGE = paint((160, 320), FIRST, SECOND)


def procedure(**test) -> BottomUp:
    return BottomUp(model=replace(MODEL, metadata=scene_metadata(**test)))


def right(poses: Poses, *boxes, error=2.5) -> bool:
    """The painted people, from left to right, and nobody else."""
    rows = poses.xy[np.nanmin(poses.xy[..., 0], axis=1).argsort()]
    return rows.shape == (len(boxes), 17, 2) and all(
        np.nanmax(np.abs(row - person(box))) < error for row, box in zip(rows, boxes, strict=True)
    )


def test_everybody_is_found_without_boxes():
    (poses,) = BottomUp(model=MODEL)([IMAGE])
    assert right(poses, FIRST, SECOND)
    assert poses.size == (160, 320)
    assert poses.skeleton is MODEL.metadata.skeleton
    assert (np.diff(poses.score) <= 0).all()
    for box, xy in zip(poses.boxes, poses.xy, strict=True):
        assert (np.nanmin(xy, axis=0) > box[:2]).all()
        assert (np.nanmax(xy, axis=0) < box[2:]).all()


@pytest.mark.parametrize("size", [(160, 320), (320, 160), (300, 640), (80, 100), (161, 333)])
def test_pictures_of_any_size_come_back_in_their_own_pixels(size):
    scale = min(size) / 160
    box = tuple(v * scale for v in (40.0, 20.0, 100.0, 130.0))
    (poses,) = BottomUp(model=MODEL)([paint(size, box)])
    assert right(poses, box, error=3 * max(scale, 1))


def test_views_of_one_size_share_a_call_and_the_order_stays():
    calls = []

    def counted(batch):
        calls.append(batch.shape)
        return MODEL.backend(batch)

    tall = paint((320, 160), FIRST)
    model = replace(MODEL, backend=Network(name="counted", run=counted))
    calls.clear()
    found = BottomUp(model=model)([IMAGE, tall, paint((160, 320)), IMAGE])
    assert calls == [(3, 160, 320, 3), (1, 320, 160, 3)]
    assert [len(p) for p in found] == [2, 1, 0, 2]
    assert right(found[1], FIRST)
    np.testing.assert_array_equal(found[0].xy, found[3].xy)
    calls.clear()
    BottomUp(model=model, batch=2)([IMAGE] * 3)
    assert [shape[0] for shape in calls] == [2, 1]


def test_the_flip_test_looks_twice_and_is_chosen_by_metadata_or_caller():
    swapless = replace(BONES, swaps=())  # a painted left hand keeps its colour in the mirror
    about = replace(scene_metadata(), skeleton=swapless)
    about = replace(about, codec=replace(about.codec, skeleton=swapless))
    runner = BottomUp(model=replace(MODEL, metadata=about))
    (plain,), (flipped,) = runner([IMAGE]), replace(runner, flip=True)([IMAGE])
    assert right(flipped, FIRST, SECOND)
    assert np.abs(flipped.scores - plain.scores).max() > 0
    asked = replace(about, test=replace(about.test, flip=True))
    (same,) = BottomUp(model=replace(MODEL, metadata=asked))([IMAGE])
    np.testing.assert_array_equal(same.xy, flipped.xy)


def test_outputs_of_several_scales_are_merged_into_one_answer():
    sizes = []

    def counted(batch):
        sizes.append(batch.shape[1:3])
        return MODEL.backend(batch)

    model = replace(MODEL, metadata=scene_metadata(scales=(0.4, 1.0, 2.0)))
    model = replace(model, backend=Network(name="counted", run=counted))
    sizes.clear()
    (poses,) = BottomUp(model=model)([IMAGE])
    assert sizes == [(64, 128), (160, 320), (320, 640)]
    assert right(poses, FIRST, SECOND)


class Twice:
    """A codec that finds one person twice and somebody without keypoints, and merges nothing."""

    fields = MODEL.metadata.codec.fields

    def encode(self, xy, visible, size, *, boxes, trust):
        raise NotImplementedError

    def flip(self, fields):
        return fields

    def decode(self, fields, size):
        xy = np.stack([person(FIRST), person(FIRST) + 1, np.full((17, 2), np.nan)])
        scores = np.ones((3, 17), np.float32)
        found = Keypoints(
            xy=xy.astype(np.float32), scores=scores, score=np.array([0.5, 0.9, 1.0], np.float32)
        )
        return [found] * len(fields["heatmap"])


def test_without_a_rule_of_its_own_a_codec_gets_means_at_the_grid_of_scale_one():
    ramp = np.linspace(0, 1, 8, dtype=np.float32) * np.ones((1, 2, 8, 1), np.float32)
    scales = {1.0: {"a": ramp}, 2.0: {"a": np.ones((1, 2, 16, 16), np.float32)}}
    np.testing.assert_allclose(merged(Twice(), scales)["a"], (ramp + 1) / 2, atol=1e-6)


def test_low_scores_and_too_many_people_are_left_out():
    (everyone,) = BottomUp(model=MODEL)([IMAGE])
    middle = float(everyone.score.mean())
    assert len(BottomUp(model=MODEL, max_people=1)([IMAGE])[0]) == 1
    if everyone.score[0] > everyone.score[1]:
        assert len(BottomUp(model=MODEL, conf=middle)([IMAGE])[0]) == 1
    assert len(BottomUp(model=MODEL, conf=1.0)([IMAGE])[0]) == 0
    (poses,) = BottomUp(model=MODEL, kpt_thr=0.5)([IMAGE])
    np.testing.assert_array_equal(np.isnan(poses.xy).all(-1), poses.scores < 0.5)


def test_duplicates_go_where_the_page_says_so_and_nobody_is_without_keypoints():
    kept, merged_ = (
        BottomUp(model=replace(MODEL, metadata=replace(scene_metadata(oks_nms=t), codec=Twice())))
        for t in (1.0, 0.9)
    )
    assert kept([IMAGE])[0].score.tolist() == pytest.approx([0.9, 0.5])
    assert merged_([IMAGE])[0].score.tolist() == pytest.approx([0.9])


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 2), (7, 5)])
def test_the_oddest_pictures_have_nobody_and_small_views(size):
    seen = []

    def counted(batch):
        seen.append(batch.shape[1:3])
        return MODEL.backend(batch)

    model = replace(MODEL, backend=Network(name="counted", run=counted))
    (poses,) = BottomUp(model=model)([np.full((*size, 3), 128, np.uint8)])
    assert len(poses) == 0
    assert poses.size == size
    assert max(seen[-1]) <= 4 * 160


def test_boxes_around_keypoints_stay_in_the_picture():
    xy = np.array([[[10.0, 20.0], [30.0, np.nan], [50.0, 60.0]], [[99, 49], [99, 49], [99, 49]]])
    xy[0, 1] = np.nan
    boxes = boxes_around(xy.astype(np.float32), (50, 100))
    np.testing.assert_allclose(boxes[0], [5, 15, 55, 49.5])
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    outside = boxes_around(np.array([[[-50.0, 400.0]]], np.float32), (50, 100))
    assert (outside[:, 2:] > outside[:, :2]).all()


def test_stages_are_timed():
    runner = BottomUp(model=MODEL)
    runner([IMAGE])
    assert set(runner.watch.seconds) == {"warp", "pose", "decode"}


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    path = tmp_path_factory.mktemp("scene") / "scene.onnx"
    path.write_bytes(scene_model())
    return path


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_load_takes_a_bottom_up_model_and_asks_for_no_detector(scene, backend):
    pose = load(scene, threads=1, backend=backend)
    assert pose.detector is None
    assert right(pose(IMAGE), FIRST, SECOND)
    assert [len(p) for p in pose.stream([IMAGE, paint((100, 100))])] == [2, 0]
    assert "detector" not in pose.provenance


def test_boxes_and_detectors_have_no_place_in_it(scene):
    pose = load(scene, threads=1)
    with pytest.raises(ConfigError, match="'painted_scene' is a bottom-up model"):
        pose(IMAGE, boxes=[FIRST])
    with pytest.raises(ConfigError, match="finds people by itself"):
        pose(IMAGE, whole_image=True)
    with pytest.raises(ConfigError, match="takes no detector"):
        load(scene, detector="detector.onnx")
    with pytest.raises(WeightsError, match="a detector model is needed"):
        load("default", detector=scene)


def test_metadata_keep_the_rule_of_the_view():
    about = scene_metadata(scales=(1.0, 2.0))
    assert Metadata.from_json(json.loads(json.dumps(about.to_json()))) == about
    older = about.to_json()
    for key in ("fit", "divisor", "remainder"):
        older.pop(key)
    assert Metadata.from_json(older).fit == "box"
    with pytest.raises(WeightsError, match="'wide' is none of box, short"):
        Metadata.from_json(about.to_json() | {"fit": "wide"})
    with pytest.raises(ConfigError, match="1 among them"):
        scene_metadata(scales=(0.5, 2.0))
