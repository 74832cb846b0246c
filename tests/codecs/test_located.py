import numpy as np
import pytest

from vitruvian.codecs.located import Located
from vitruvian.core.errors import ConfigError
from vitruvian.core.skeleton import Skeleton

TWO = Skeleton(name="two", keypoints=("left", "right"), swaps=(("left", "right"),))
CODEC = Located(skeleton=TWO, people=3)
SIZE = (64, 128)


def _fields() -> dict[str, np.ndarray]:
    fields = {f.name: np.zeros((2, f.channels, *f.cells(SIZE)), np.float32) for f in CODEC.fields}
    fields["person"][:, 2:] = 40
    return fields


def test_people_above_the_threshold_come_best_first():
    fields = _fields()
    fields["chance"][1, 0, :, 0] = [0.2, 0.9, 0.05]
    fields["keypoint"][1, :, 1, 0] = [3, 4, 0.5, 6, 7, 1]

    nobody, people = CODEC.decode(fields, SIZE)

    assert nobody.xy.shape == (0, 2, 2)
    assert people.score.tolist() == pytest.approx([0.9, 0.2])
    assert people.xy[0].tolist() == [[3, 4], [6, 7]]
    assert people.scores[0].tolist() == [0.5, 1]
    assert people.xy.dtype == people.scores.dtype == people.score.dtype == np.float32


@pytest.mark.parametrize("field", ["chance", "person", "keypoint"])
def test_what_is_not_a_number_is_nobody(field):
    fields = _fields()
    fields["chance"][:] = 0.9
    fields[field][:] = np.nan
    assert [len(people.xy) for people in CODEC.decode(fields, SIZE)] == [0, 0]


def test_targets_are_the_people():
    xy, visible = np.ones((1, 2, 2), np.float32), np.array([[2, 0]], np.uint8)
    trust, boxes = np.ones(SIZE, np.float32), np.float32([[0, 0, 20, 30]])
    targets = CODEC.encode(xy, visible, SIZE, boxes=boxes, trust=trust)
    assert targets["boxes"].value[0, 0].tolist() == [0, 0, 20, 30]
    assert targets["xy"].weight[0].tolist() == [[1], [0]]


def test_the_flip_test_is_refused():
    with pytest.raises(ConfigError, match="no flip test"):
        CODEC.flip(_fields())
