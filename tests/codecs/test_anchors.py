import numpy as np
import pytest

from vitruvian.codecs.anchors import Anchors

CODEC = Anchors(
    strides=(8, 16), sizes=(12.0, 24.0, 40.0), ratios=((2.0,), (2.0, 3.0)), threshold=0.5
)
SIZE = (48, 64)
TRUST = np.full((6, 8), 0.5, np.float32)


def _answers(targets: dict) -> dict[str, np.ndarray]:
    """What a perfect network says, a batch of one."""
    fields = {}
    for name, target in targets.items():
        value = target.value
        if name.startswith("score"):  # nobody, person
            value = np.stack([1 - value, value], axis=1).reshape(-1, *value.shape[1:]) * 20
        fields[name] = value[None]
    return fields


def test_decode_gives_back_what_encode_was_given():
    boxes = np.float32([[2, 3, 15, 14], [30, 5, 58, 40]])
    (found,) = CODEC.decode(_answers(CODEC.encode(boxes, TRUST, SIZE)), SIZE)
    order = np.argsort(found.xyxy[:, 0])
    np.testing.assert_allclose(found.xyxy[order], boxes, atol=1e-3)
    assert found.xyxy.dtype == found.scores.dtype == np.float32


def test_everybody_is_answered_for_however_little_a_box_fits():
    odd = np.float32([[0, 20, 63, 23]])
    targets = CODEC.encode(odd, TRUST, SIZE)
    assert sum(targets[f"score{s}"].value.sum() for s in (8, 16)) == 1


def test_nobody_counts_as_much_as_it_is_trusted_and_people_fully():
    targets = CODEC.encode(np.float32([[2, 3, 15, 14]]), TRUST, SIZE)
    score = targets["score8"]
    assert score.weight[score.value == 1].tolist() == [1] * int(score.value.sum())
    assert (score.weight[score.value == 0] == 0.5).all()


def test_a_picture_without_people_has_no_box_to_learn():
    targets = CODEC.encode(np.zeros((0, 4), np.float32), TRUST, SIZE)
    for field in CODEC.fields:
        channels = field.channels // 2 if field.name.startswith("score") else field.channels
        assert targets[field.name].value.shape == (channels, *field.cells(SIZE))
        assert not targets[field.name].value.any()
    assert len(CODEC.decode(_answers(targets), SIZE)[0]) == 0


@pytest.mark.parametrize("field", ["score8", "box8"])
def test_what_is_not_a_number_is_nobody(field):
    fields = _answers(CODEC.encode(np.float32([[2, 3, 15, 14]]), TRUST, SIZE))
    fields["score16"][:] = 0
    fields[field][:] = np.nan
    assert len(CODEC.decode(fields, SIZE)[0]) == 0


def test_the_boxes_of_ssd512_are_as_many_as_published():
    anchors = Anchors()
    assert sum(anchors._level(at, (512, 512)).size // 4 for at in range(7)) == 24_564
    first = anchors._level(0, (512, 512))[0, 0]
    assert (first[:, :2] + first[:, 2:]).ravel() / 2 == pytest.approx(3.5)
    assert np.prod(first[:, 2:] - first[:, :2], axis=1) == pytest.approx(
        [20.48**2, 20.48 * 51.2, 20.48**2, 20.48**2], rel=1e-5
    )
