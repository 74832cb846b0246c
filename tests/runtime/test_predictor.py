import cv2
import numpy as np
import pytest
from PIL import Image as Pil

from tests.painted import paint, person
from vitruvian.core.errors import ConfigError, InputError
from vitruvian.core.poses import Poses
from vitruvian.core.types import Boxes
from vitruvian.runtime.load import load

BOX = (20.0, 60.0, 120.0, 260.0)
OTHER = (180.0, 50.0, 280.0, 250.0)


@pytest.fixture
def image():
    return paint((320, 320), BOX, OTHER)


def right(poses: Poses) -> bool:
    """The two painted people and nobody else."""
    rows = poses.xy[poses.xy[:, 0, 0].argsort()]
    return rows.shape == (2, 17, 2) and all(
        np.abs(row - person(box)).max() < 2.5 for row, box in zip(rows, (BOX, OTHER), strict=True)
    )


def test_a_picture_gives_its_people_from_whatever_it_comes(pose, image, tmp_path):
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), image[..., ::-1])
    for source in (image, path, str(path), path.read_bytes(), Pil.fromarray(image)):
        assert right(pose(source))


def test_a_list_gives_a_list(pose, image):
    found = pose([image, paint((100, 100)), image])
    assert [len(p) for p in found] == [2, 0, 2]
    assert right(found[2])
    assert pose([]) == []


def test_nobody_is_an_empty_answer(pose):
    found = pose(paint((100, 200)))
    assert len(found) == 0
    assert found.xy.shape == (0, 17, 2)
    assert found.size == (100, 200)


def test_the_smallest_picture_has_nobody(pose):
    assert len(pose(np.zeros((1, 1, 3), np.uint8))) == 0


def test_a_stream_is_lazy_and_in_order(pose, image):
    read = []

    def sources():
        for index in range(5):
            read.append(index)
            yield image if index % 2 else paint((64, 64))

    stream = pose.stream(sources(), batch=2)
    assert len(next(stream)) == 0
    assert read == [0, 1]
    assert [len(p) for p in stream] == [2, 0, 2, 0]


def test_given_boxes_each_get_their_person_in_order(pose, image):
    found = pose(image, boxes=np.array([OTHER, BOX, OTHER]))
    assert len(found) == 3
    np.testing.assert_allclose(found.xy[0], found.xy[2])
    assert np.abs(found.xy[1] - person(BOX)).max() < 2.5
    assert len(pose(image, boxes=np.zeros((0, 4)))) == 0
    assert len(pose(image, boxes=[])) == 0


def test_box_scores_count_when_they_are_given(pose, image):
    xyxy = np.array([BOX], np.float32)
    low = pose(image, boxes=Boxes(xyxy=xyxy, scores=np.array([0.25], np.float32)))
    np.testing.assert_allclose(low.score * 4, pose(image, boxes=xyxy).score, rtol=1e-5)


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ([np.nan, 0, 10, 10], "box 0 .*is not finite"),
        ([0, 0, np.inf, 10], "is not finite"),
        ([10, 10, 10, 20], "has no area"),
        ([30, 10, 10, 20], "has no area"),
        ([400, 10, 500, 20], "outside the picture, which is 320 x 320"),
        ([-50, -50, -10, -10], "outside the picture"),
        ([1, 2, 3], "N 4"),
        (["a", "b", "c", "d"], "must be numbers"),
    ],
)
def test_a_box_that_nobody_can_be_in_is_refused(pose, image, box, message):
    with pytest.raises(InputError, match=message):
        pose(image, boxes=[box])


def test_boxes_come_one_set_per_picture(pose, image):
    with pytest.raises(InputError, match="1 sets of boxes for 2 pictures"):
        pose([image, image], boxes=[np.array([BOX])])


def test_the_whole_image_can_be_one_person(pose):
    image = paint((300, 200), (50, 50, 150, 250))
    found = pose(image, whole_image=True)
    assert len(found) == 1
    assert np.abs(found.xy[0] - person((50, 50, 150, 250))).max() < 2.5


def test_without_a_detector_boxes_are_asked_for(models, image):
    pose = load(models / "pose.onnx", detector=None, threads=1)
    with pytest.raises(ConfigError, match="boxes=… or whole_image"):
        pose(image)
    assert len(pose(image, boxes=[BOX])) == 1


def test_large_pictures_are_refused(models):
    pose = load(models / "pose.onnx", detector=None, threads=1, max_pixels=1000)
    data = cv2.imencode(".png", np.zeros((40, 40, 3), np.uint8))[1].tobytes()
    with pytest.raises(InputError, match="40 x 40"):
        pose(data, whole_image=True)


def test_provenance_names_both_models_and_the_runtime(pose):
    origin = pose.provenance
    assert origin["model"]["name"] == "painted"
    assert origin["detector"]["name"] == "painted_people"
    assert len(origin["model"]["sha256"]) == 64
    assert origin["runtime"].startswith("OpenVINO")
    assert origin["skeleton"] == "coco17"


def test_every_stage_is_timed_apart(pose, image):
    pose.watch.reset()
    pose(image)
    assert list(pose.watch.seconds) == ["read", "warp", "detect", "decode", "pose"]
