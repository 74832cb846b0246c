import numpy as np
import pytest

from vitruvian.codecs.roi_keypoints import RoiKeypoints, roi_peaks
from vitruvian.core.errors import ConfigError
from vitruvian.core.skeleton import Skeleton

TWO = Skeleton(name="two", keypoints=("left", "right"), swaps=(("left", "right"),))
CODEC = RoiKeypoints(skeleton=TWO, people=3, side=8)
SIZE = (64, 128)


def _fields() -> dict[str, np.ndarray]:
    fields = {f.name: np.zeros((2, f.channels, *f.cells(SIZE)), np.float32) for f in CODEC.fields}
    fields["person"][:, 2:] = 40
    return fields


def test_a_peak_is_found_where_it_was_put():
    fields = _fields()
    fields["chance"][1, 0, :, 0] = [0.2, 0.9, 0.01]
    fields["person"][1, :, 1, 0] = [10, 20, 42, 52]  # 32 pixels: a cell is 4
    maps = fields["keypoint"].reshape(2, 3, 2, 8, 8)
    maps[1, 1, 0, 3, 5] = maps[1, 1, 1, 0, 0] = 30

    nobody, people = CODEC.decode(fields, SIZE)

    assert nobody.xy.shape == (0, 2, 2)
    assert people.score.tolist() == pytest.approx([0.9, 0.2])
    assert people.xy[0] == pytest.approx(np.array([[32, 34], [12, 22]]), abs=2)
    assert people.scores[0].min() > people.scores[1].max()
    assert people.scores.max() <= 1
    assert people.scores[1] == pytest.approx([1 / 64, 1 / 64])
    assert people.xy.dtype == people.scores.dtype == people.score.dtype == np.float32


def test_a_box_smaller_than_a_pixel_has_its_keypoints_in_that_pixel():
    xy, _, share = roi_peaks(np.zeros((2, 8, 8), np.float32), np.float32([5, 6, 5.2, 6.1]))
    assert xy.tolist() == [[5.5, 6.5]] * 2
    assert np.isfinite(share).all()


@pytest.mark.parametrize("field, value", [("chance", np.nan), ("person", np.nan), ("person", 7)])
def test_what_is_not_a_number_or_has_no_area_is_nobody(field, value):
    fields = _fields()
    fields["chance"][:] = 0.9
    fields[field][:] = value
    assert [len(people.xy) for people in CODEC.decode(fields, SIZE)] == [0, 0]


def test_targets_keep_people_and_keypoints_together():
    boxes = np.float32([[0, 0, 10, 10], [-20, 10, 60, 60], [200, 0, 240, 40]])
    xy = np.float32([[[1, 2], [3, 4]], [[-5, 20], [np.nan, np.nan]], [[210, 5], [220, 9]]])
    visible = np.array([[2, 0], [1, 2], [2, 2]], np.uint8)
    trust = np.ones(SIZE, np.float32)
    trust[0, 0] = 0

    targets = CODEC.encode(xy, visible, SIZE, boxes=boxes, trust=trust)

    assert targets["boxes"].value[0, :3].tolist() == [[0, 10, 60, 60], [0, 0, 10, 10], [0] * 4]
    assert targets["boxes"].weight[0, :3, 0].tolist() == [1, 1, 0]
    assert targets["xy"].value[:2].tolist() == [[[-5, 20], [0, 0]], [[1, 2], [0, 0]]]
    assert targets["xy"].weight[:3, :, 0].tolist() == [[1, 0], [1, 0], [0, 0]]
    assert targets["trust"].value.shape == (1, 8, 16)
    assert targets["trust"].value[0].sum() == 8 * 16 - 1


def test_a_picture_without_people_has_targets_of_the_same_shape():
    none = np.zeros((0, 2, 2), np.float32), np.zeros((0, 2), np.uint8)
    trust = np.ones(SIZE, np.float32)
    targets = CODEC.encode(*none, SIZE, boxes=np.zeros((0, 4), np.float32), trust=trust)
    assert targets["xy"].value.shape == (100, 2, 2)
    assert targets["boxes"].weight.sum() == targets["xy"].weight.sum() == 0


def test_the_flip_test_is_refused():
    with pytest.raises(ConfigError, match="no flip test"):
        CODEC.flip(_fields())
