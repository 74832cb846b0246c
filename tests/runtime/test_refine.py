from dataclasses import replace

import numpy as np
import pytest

from tests.painted import BONES, SIZE, detector_model, paint, person, pose_model, refiner_model
from vitruvian.core.errors import ConfigError, WeightsError
from vitruvian.core.poses import Poses
from vitruvian.core.skeleton import Skeleton
from vitruvian.core.view import view_to_cell
from vitruvian.runtime.backends import Network
from vitruvian.runtime.load import load
from vitruvian.runtime.model import load_model
from vitruvian.runtime.refine import Refiner

MODEL = load_model(refiner_model(), "refiner.onnx", threads=1)
FIRST, SECOND = (100.0, 50.0, 220.0, 350.0), (300.0, 100.0, 400.0, 300.0)


def people(*boxes, wrong=0.0, bones=BONES) -> Poses:
    """True people, every keypoint ``wrong`` pixels off."""
    xy = np.array([person(box) + wrong for box in boxes], np.float32).reshape(-1, 17, 2)
    return Poses(
        xy=xy,
        scores=np.full(xy.shape[:2], 0.5, np.float32),
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        score=np.linspace(0.9, 0.6, len(xy), dtype=np.float32),
        skeleton=bones,
        size=(400, 500),
    )


def mover(shift, **test) -> Refiner:
    """A network that answers the pose it is given, moved by ``shift`` pixels of the view."""

    def run(batch, pose):
        logits = np.full((len(batch), 17, 64, 48), -50.0, np.float32)
        cell = view_to_cell(pose + np.float32(shift), SIZE, (64, 48), "centre")
        for row, k in np.argwhere(np.isfinite(pose[..., 0])):
            column, line = np.clip(np.round(cell[row, k]), 0, (47, 63)).astype(int)
            logits[row, k, line, column] = 50
        return {"heatmap": logits}

    about = replace(MODEL.metadata, test=replace(MODEL.metadata.test, **test))
    return Refiner(model=replace(MODEL, metadata=about, backend=Network(name="mover", run=run)))


IMAGE = paint((400, 500), FIRST, SECOND)
GREY = np.full((400, 500, 3), 128, np.uint8)


def test_wrong_keypoints_move_to_where_they_are_painted():
    before = people(FIRST, SECOND, wrong=12.0)
    given = before.xy.copy()
    (after,) = Refiner(model=MODEL)([IMAGE], [before], suppress=False)
    for found, box in zip(after.xy, (FIRST, SECOND), strict=True):
        assert np.abs(found - person(box)).max() < 2.5
    np.testing.assert_array_equal(before.xy, given)
    np.testing.assert_array_equal(after.scores, before.scores)


def test_the_network_is_given_the_pose_in_the_view():
    """The view is 1.2 x 1.25 times as high as the pose, so 4 of its pixels are one sixtieth."""
    before = people(FIRST)
    (after,) = mover((0.0, 16.0))([GREY], [before], suppress=False)
    height = np.ptp(before.xy[0, :, 1]) * 1.2 * 1.25
    step = (after.xy - before.xy)[0, :, 1]
    assert np.abs(step - 16 / 256 * height).max() < 0.5 * 4 / 256 * height + 0.1


def test_mirrored_views_average_coordinates_and_cancel_a_drift_to_one_side():
    before = people(FIRST)
    (drifted,) = mover((16.0, 0.0))([GREY], [before], suppress=False)
    (held,) = mover((16.0, 0.0), flip=True)([GREY], [before], suppress=False)
    assert (drifted.xy - before.xy)[0, :, 0].min() > 15
    assert np.abs(held.xy - before.xy).max() < 5


def test_batches_change_nothing():
    before = people(FIRST, SECOND, FIRST)
    (together,) = Refiner(model=MODEL)([IMAGE], [before], suppress=False)
    (apart,) = Refiner(model=MODEL, batch=2)([IMAGE], [before], suppress=False)
    np.testing.assert_allclose(together.xy, apart.xy, atol=1e-3)


def test_a_lost_keypoint_is_found_and_gets_the_persons_score():
    before = people(FIRST, SECOND)
    before.xy[0, 9], before.scores[0, 9] = np.nan, 0
    (after,) = Refiner(model=MODEL)([IMAGE], [before], suppress=False)
    assert np.abs(after.xy[0, 9] - person(FIRST)[9]).max() < 2.5
    assert after.scores[0, 9] == before.score[0]


def test_a_person_without_keypoints_stays_so():
    before = people(FIRST, SECOND)
    before.xy[1] = np.nan
    (after,) = Refiner(model=MODEL)([IMAGE], [before])
    assert np.isnan(after.xy[1]).all()
    assert len(after) == 2


def test_nobody_stays_nobody():
    (after,) = Refiner(model=MODEL)([IMAGE], [Poses.empty(BONES, (400, 500))])
    assert len(after) == 0


def test_people_who_become_the_same_are_one_unless_all_are_wanted():
    twice = people(FIRST, FIRST, wrong=10.0)
    assert len(Refiner(model=MODEL)([IMAGE], [twice])[0]) == 1
    assert len(Refiner(model=MODEL)([IMAGE], [twice], suppress=False)[0]) == 2


def test_keypoints_that_the_refiner_does_not_know_stay():
    names = (*BONES.keypoints[:16], "tail")
    bones = Skeleton(name="tailed", keypoints=names)
    before = people(FIRST, wrong=10.0, bones=bones)
    (after,) = Refiner(model=MODEL)([IMAGE], [before], suppress=False)
    np.testing.assert_array_equal(after.xy[0, 16], before.xy[0, 16])
    assert np.abs(after.xy[0, :16] - person(FIRST)[:16]).max() < 2.5


def test_poses_without_a_common_keypoint_are_refused():
    bones = Skeleton(name="numbers", keypoints=tuple(map(str, range(17))))
    with pytest.raises(ConfigError, match="knows none of the keypoints of 'numbers'"):
        Refiner(model=MODEL)([IMAGE], [people(FIRST, bones=bones)])


@pytest.fixture
def files(tmp_path):
    for name, data in (
        ("pose", pose_model()),
        ("detector", detector_model()),
        ("refiner", refiner_model()),
    ):
        (tmp_path / f"{name}.onnx").write_bytes(data)
    return tmp_path


def test_a_predictor_refines_what_it_found_and_says_with_what(files):
    predictor = load(
        files / "pose.onnx",
        detector=files / "detector.onnx",
        refine=files / "refiner.onnx",
        threads=1,
    )
    found = predictor(IMAGE, boxes=[SECOND, FIRST])
    assert np.abs(found.xy - [person(SECOND), person(FIRST)]).max() < 2.5
    assert predictor.provenance["refiner"]["name"] == "painted_again"
    assert predictor.watch.seconds["refine"] > 0


def test_a_model_that_does_not_refine_is_refused(files):
    with pytest.raises(WeightsError, match="a refine model is needed here"):
        load(files / "pose.onnx", detector=None, refine=files / "pose.onnx", threads=1)
    with pytest.raises(WeightsError, match="is a refine model"):
        load(files / "refiner.onnx", detector=None, threads=1)
