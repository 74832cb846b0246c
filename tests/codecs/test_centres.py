import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitruvian.codecs.centres import Centres
from vitruvian.core.types import Target

SIZE = (96, 128)
EVERYWHERE = np.ones((12, 16), np.float32)


def _outputs(targets: dict[str, Target]) -> dict[str, np.ndarray]:
    """What a perfect network gives: logits of the centres, logs of the distances."""
    heat = np.clip(targets["centre"].value, 1e-4, 1 - 1e-4)
    sides = np.log(np.maximum(targets["box"].value, 1e-3) / 8)
    return {"centre": np.log(heat / (1 - heat))[None], "box": sides[None]}


def test_boxes_survive_encoding_and_decoding() -> None:
    codec = Centres()
    boxes = np.array([[8, 10, 40, 80], [70.5, 20, 120, 60]], np.float32)
    (found,) = codec.decode(_outputs(codec.encode(boxes, EVERYWHERE, SIZE)), SIZE)
    order = np.argsort(found.xyxy[:, 0])
    np.testing.assert_allclose(found.xyxy[order], boxes, atol=1e-3)
    assert (found.scores > 0.99).all()


@given(st.floats(0, 60), st.floats(0, 40), st.floats(16, 60), st.floats(16, 50))
def test_any_box_that_holds_a_cell_centre_comes_back(
    x: float, y: float, w: float, h: float
) -> None:
    codec, box = Centres(), np.array([[x, y, x + w, y + h]], np.float32)
    (found,) = codec.decode(_outputs(codec.encode(box, EVERYWHERE, SIZE)), SIZE)
    assert len(found) == 1
    np.testing.assert_allclose(found.xyxy, box, atol=1e-2)


def test_nobody_is_nobody() -> None:
    codec = Centres()
    targets = codec.encode(np.zeros((0, 4), np.float32), EVERYWHERE, SIZE)
    assert targets["centre"].value.max() == 0
    assert targets["box"].weight.max() == 0
    (found,) = codec.decode(_outputs(targets), SIZE)
    assert len(found) == 0


def test_places_to_ignore_have_no_weight_but_people_in_them_do() -> None:
    trust = EVERYWHERE.copy()
    trust[:, 8:] = 0
    targets = Centres().encode(np.array([[70, 20, 110, 80]], np.float32), trust, SIZE)
    weight = targets["centre"].weight[0]
    assert (weight[:, :8] == 1).all()
    assert weight[0, 15] < 1e-3
    assert weight[targets["centre"].value[0] == 1] == 1


def test_the_smaller_of_two_nested_boxes_owns_the_shared_cells() -> None:
    boxes = np.array([[4, 4, 92, 92], [36, 36, 60, 60]], np.float32)
    targets = Centres().encode(boxes, EVERYWHERE, SIZE)
    x, y = (round((48 + 0.5) / 8 - 0.5),) * 2
    left, top, right, bottom = targets["box"].value[:, y, x]
    assert (left + right, top + bottom) == (24, 24)


def test_duplicates_of_a_box_are_removed_and_the_best_kept() -> None:
    codec = Centres(iou=0.4)
    logits, sides = np.full((1, 1, 12, 16), -9.0, np.float32), np.zeros((1, 4, 12, 16), np.float32)
    sides[:] = np.log(24 / 8)
    logits[0, 0, 5, 5], logits[0, 0, 5, 7], logits[0, 0, 5, 13] = 3.0, 2.0, 1.0
    (found,) = codec.decode({"centre": logits, "box": sides}, SIZE)
    assert found.scores == pytest.approx(1 / (1 + np.exp([-3.0, -1.0])))
    assert found.xyxy[0].tolist() == pytest.approx([43.5 - 24, 43.5 - 24, 43.5 + 24, 43.5 + 24])


@pytest.mark.parametrize("threshold, count", [(0.0, 1), (1.0, 0)])
def test_thresholds_may_be_all_or_nothing(threshold: float, count: int) -> None:
    logits, sides = np.full((1, 1, 12, 16), -9.0, np.float32), np.zeros((1, 4, 12, 16), np.float32)
    logits[0, 0, 5, 5] = 12.0
    codec = Centres(threshold=threshold, most=1)
    (found,) = codec.decode({"centre": logits, "box": sides}, SIZE)
    assert len(found) == count
