import numpy as np
import pytest

from vitruvian.codecs.tags import Tags
from vitruvian.core.sample import Sample
from vitruvian.core.skeleton import skeleton
from vitruvian.runtime.grouping import crowd, laid_out, tried

BONES = skeleton("coco17")
CODEC = Tags(skeleton=BONES, fine_stride=2)
SIZE = (256, 256)


def test_a_crowd_stands_in_the_view_and_is_that_of_the_seed():
    one, same = (crowd(7, SIZE, np.random.default_rng(1)) for _ in range(2))
    assert one.xy.shape == (7, 17, 2)
    np.testing.assert_array_equal(one.xy, same.xy)
    nose, ankle = BONES.index("nose"), BONES.index("left_ankle")
    assert (one.xy[:, nose, 1] < one.xy[:, ankle, 1]).all()
    assert (np.abs(one.xy - 128) < 192).all()
    assert len(crowd(0, SIZE, np.random.default_rng(0)).xy) == 0


def test_without_noise_everybody_is_found_and_with_much_of_it_not():
    scenes = [crowd(n, SIZE, np.random.default_rng(n)) for n in (1, 2, 0)]
    clean = tried(CODEC, scenes, SIZE, np.random.default_rng(0), noise=0.0, repeats=1)
    assert (clean.people, clean.found) == (3, 3)
    assert clean.oks > 0.9
    assert clean.seconds > 0
    loud = tried(CODEC, scenes, SIZE, np.random.default_rng(0), noise=1.0, repeats=1)
    assert loud.oks < clean.oks
    assert loud.spurious > 0


def test_scenes_can_be_laid_out_like_those_of_pictures():
    xy = np.full((2, 17, 2), np.nan, np.float32)
    visible = np.zeros((2, 17), np.uint8)
    xy[0, :5], visible[0, :5] = [40.0, 20.0], 2
    sample = Sample(
        path="",
        size=(100, 200),
        skeleton=BONES,
        xy=xy,
        visible=visible,
        boxes=np.array([[30, 10, 60, 50], [0, 0, 9, 9]], np.float32),
        area=np.array([600, 50], np.float32),
        crowd=np.zeros(2, bool),
    )
    scene = laid_out(sample, SIZE)
    assert scene.xy.shape == (1, 17, 2)
    np.testing.assert_allclose(scene.xy[0, 0], [40 * 1.28 + 0.14, 20 * 1.28 + 0.14], atol=1e-3)
    assert scene.area[0] == pytest.approx(600 * 1.28**2)
