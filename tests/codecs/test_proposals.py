import numpy as np
import pytest

from vitruvian.codecs.proposals import Proposals

SIZE = (100, 200)
CODEC = Proposals(rows=5, classes=3)


def _fields() -> dict[str, np.ndarray]:
    fields = {f.name: np.zeros((2, f.channels, *f.cells(SIZE)), np.float32) for f in CODEC.fields}
    fields["score"][:, 0] = 9
    fields["roi"][:] = np.array([10, 10, 30, 50], np.float32)[:, None, None]
    return fields


def test_a_proposal_that_is_a_person_becomes_its_corrected_box():
    fields = _fields()
    fields["score"][1, 1, 2] = 20
    fields["box"][1, 4:8, 2, 0] = [5, 0, 5 * np.log(2), 0]

    nobody, one = CODEC.decode(fields, SIZE)

    assert len(nobody) == 0
    assert one.xyxy[0] == pytest.approx([10, 10, 50, 50], abs=1e-4)
    assert one.scores == pytest.approx(1 / (1 + np.exp(-11)), abs=1e-4)


def test_proposals_that_agree_are_one_person():
    fields = _fields()
    fields["score"][0, 1] = [[12], [13], [14], [12], [11]]
    assert len(CODEC.decode(fields, SIZE)[0]) == 1


@pytest.mark.parametrize("field, value", [("score", np.nan), ("box", np.nan), ("roi", 10)])
def test_what_is_not_a_number_or_has_no_area_is_nobody(field, value):
    fields = _fields()
    fields["score"][:, 1] = 20
    fields[field][:] = value
    assert [len(boxes) for boxes in CODEC.decode(fields, SIZE)] == [0, 0]


def test_boxes_stay_inside_the_view():
    fields = _fields()
    fields["score"][0, 1, 0] = 20
    fields["box"][0, 6:8, 0] = 100
    assert CODEC.decode(fields, SIZE)[0].xyxy.tolist() == [[0, 0, 200, 100]]
