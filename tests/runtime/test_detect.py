import numpy as np
import pytest

from tests.painted import detector_model, paint
from vitruvian.runtime.detect import Detector
from vitruvian.runtime.model import load_model

MODEL = load_model(detector_model(), "detector.onnx", threads=1)
TWO = ((20.0, 60.0, 120.0, 260.0), (180.0, 50.0, 280.0, 250.0))


def test_people_are_found_in_image_pixels():
    (found,) = Detector(model=MODEL)([paint((320, 320), *TWO)])
    order = found.xyxy[:, 0].argsort()
    np.testing.assert_allclose(found.xyxy[order], TWO, atol=10)
    assert (found.scores > 0.5).all()


def test_pictures_of_different_sizes_share_a_call_and_keep_their_boxes():
    wide = paint((480, 640), (100, 40, 300, 440))
    found = Detector(model=MODEL)([paint((320, 320), *TWO), paint((64, 64)), wide])
    assert [len(boxes) for boxes in found] == [2, 0, 1]
    centre = (found[2].xyxy[0, :2] + found[2].xyxy[0, 2:]) / 2
    np.testing.assert_allclose(centre, (200, 240), atol=17)


def test_small_batches_give_the_same_boxes():
    images = [paint((320, 320), *TWO[: i % 3]) for i in range(5)]
    together, apart = Detector(model=MODEL)(images), Detector(model=MODEL, batch=2)(images)
    for a, b in zip(together, apart, strict=True):
        np.testing.assert_allclose(a.xyxy, b.xyxy, atol=1e-3)


def test_boxes_stay_inside_the_picture():
    (found,) = Detector(model=MODEL)([paint((320, 320), (-45, 150, 55, 350))])
    assert len(found) == 1
    assert found.xyxy[0, 0] == -0.5
    assert found.xyxy[0, 3] == 319.5


def test_nobody_is_nobody():
    (found,) = Detector(model=MODEL)([paint((200, 320))])
    assert found.xyxy.shape == (0, 4)
    assert Detector(model=MODEL)([]) == []


@pytest.mark.parametrize(("conf", "count"), [(0.01, 2), (0.9999, 0)])
def test_the_threshold_can_be_moved_both_ways(conf, count):
    image = paint((320, 320), *TWO)
    assert len(Detector(model=MODEL, conf=conf)([image])[0]) >= count
    if not count:
        assert len(Detector(model=MODEL, conf=conf)([image])[0]) == 0


def test_the_best_people_stay_when_only_some_may():
    image = paint((320, 320), *TWO)
    (both,), (one,) = Detector(model=MODEL)([image]), Detector(model=MODEL, max_people=1)([image])
    np.testing.assert_array_equal(one.xyxy, both.xyxy[:1])
