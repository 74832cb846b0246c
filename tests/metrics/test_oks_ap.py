"""COCO AP and AR: the worked examples, and equality with pycocotools on random problems."""

import contextlib
import io
import json
from dataclasses import astuple

import numpy as np
import pycocotools.coco
import pycocotools.cocoeval
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitruvian.core.errors import InputError
from vitruvian.core.poses import Poses
from vitruvian.core.sample import Sample
from vitruvian.core.skeleton import Skeleton, skeleton
from vitruvian.metrics import oks_ap as module
from vitruvian.metrics.oks_ap import oks_ap, oks_ap_of_files, oks_ap_stream

COCO = skeleton("coco17")
X = [50, 45, 55, 40, 60, 30, 70, 20, 80, 15, 85, 35, 65, 35, 65, 35, 65]
Y = [20, 15, 15, 18, 18, 50, 50, 80, 80, 110, 110, 120, 120, 160, 160, 200, 200]
BASE = np.stack([X, Y], 1).astype(np.float32)
BOX = (10, 10, 80, 200)


def _person(shift=0, area=20000, box=BOX, labelled=range(17), crowd=False):
    """One labelled person: keypoints, visibility, xywh box, area, crowd."""
    visible = np.array([2 if k in labelled else 0 for k in range(17)], np.uint8)
    xy = np.where(visible[:, None] > 0, BASE + np.float32([shift, 0]), np.float32(np.nan))
    return xy, visible, box, area, crowd


def _sample(*people, image_id=1, bones=COCO):
    count = len(bones)
    xy, visible, boxes, area, crowd = zip(*people, strict=True) if people else ([],) * 5
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    return Sample(
        path="",
        size=(480, 640),
        skeleton=bones,
        xy=np.array(xy, np.float32).reshape(-1, count, 2),
        visible=np.array(visible, np.uint8).reshape(-1, count),
        boxes=np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1),
        area=np.array(area, np.float32),
        crowd=np.array(crowd, bool),
        image_id=image_id,
    )


def _found(*poses, bones=COCO):
    """Poses of (how far from BASE, score): pixels to the right, or an array to add."""
    offsets = [offset if np.ndim(offset) else [offset, 0] for offset, _ in poses]
    xy = [BASE[: len(bones)] + np.float32(offset) for offset in offsets]
    xy = np.array(xy, np.float32).reshape(-1, len(bones), 2)
    return Poses(
        xy=xy,
        scores=np.ones(xy.shape[:2], np.float32),
        boxes=np.zeros((len(xy), 4), np.float32),
        score=np.array([score for _, score in poses], np.float32),
        skeleton=bones,
        size=(480, 640),
    )


def _numbers(truth, found):
    return np.array(astuple(oks_ap(truth, found)))


EXACT = _found((0, 0.9))
EMPTY_PERSON = _person(labelled=(), box=(200, 10, 80, 200))


@pytest.mark.parametrize(
    ("truth", "found", "numbers"),
    [
        pytest.param([_sample(_person())], [EXACT], [1, 1, 1, -1, 1] * 2, id="C1 exact"),
        pytest.param(
            [_sample(_person())], [_found((10, 0.9))], [0.6, 1, 1, -1, 0.6] * 2, id="C2 ten off"
        ),
        pytest.param(
            [_sample(_person()), _sample(_person(), image_id=2)],
            [_found((0, 0.9), (300, 0.8)), _found((0, 0.7))],
            [(51 + 50 * 2 / 3) / 101] * 3 + [-1, (51 + 50 * 2 / 3) / 101, 1, 1, 1, -1, 1],
            id="C3 false positive between",
        ),
        pytest.param(
            [_sample(_person()), _sample(_person(), image_id=2)],
            [_found((0, 0.9), (300, 0.8)), _found()],
            [51 / 101] * 3 + [-1, 51 / 101, 0.5, 0.5, 0.5, -1, 0.5],
            id="C3b one never found",
        ),
        pytest.param(
            [_sample(_person(), EMPTY_PERSON)],
            [_found((0, 0.5), (200, 0.9))],
            [1, 1, 1, -1, 1] * 2,
            id="C4 absorbed by an unlabelled person",
        ),
        pytest.param(
            [_sample(_person(), EMPTY_PERSON)],
            [_found((0, 0.5), (np.array([500, 200]), 0.9))],
            [0.5, 0.5, 0.5, -1, 0.5, 1, 1, 1, -1, 1],
            id="C4b too far to absorb",
        ),
        pytest.param(
            [_sample(_person(), EMPTY_PERSON)],
            [_found((0, 0.5), (200, 0.9), (200, 0.8))],
            [0.5, 0.5, 0.5, -1, 0.5, 1, 1, 1, -1, 1],
            id="C4c absorbs one only",
        ),
        pytest.param(
            [_sample(_person(), (*EMPTY_PERSON[:4], True))],
            [_found((0, 0.5), (200, 0.9), (200, 0.8))],
            [1, 1, 1, -1, 1] * 2,
            id="C5 a crowd absorbs many",
        ),
        pytest.param(
            [_sample(_person())],
            [_found((300, 0.9), (0, 0.9))],
            [0.5, 0.5, 0.5, -1, 0.5, 1, 1, 1, -1, 1],
            id="C6 tie, the wrong one first",
        ),
        pytest.param(
            [_sample(_person())],
            [_found(*[(300, 0.9)] * 20, (0, 0.1))],
            [0, 0, 0, -1, 0] * 2,
            id="C7 the twenty-first is not looked at",
        ),
        pytest.param(
            [_sample(_person(area=500))], [EXACT], [1, 1, 1, -1, -1] * 2, id="C8 small is nowhere"
        ),
        pytest.param([_sample(_person(area=9216))], [EXACT], [1] * 10, id="C8 on the border"),
        pytest.param(
            [_sample(_person(), _person(labelled=range(5), crowd=True), image_id=3)],
            [_found((10, 0.9), (0, 0.8))],
            [0.8, 1, 1, -1, 0.8, 1, 1, 1, -1, 1],
            id="C11b better one second",
        ),
        pytest.param(
            [_sample(_person(labelled=(5, 6, 11)))],
            [_found((10, 0.9))],
            [0.9, 1, 1, -1, 0.9] * 2,
            id="C13 three joints labelled",
        ),
    ],
)
def test_worked_examples_give_the_numbers_of_the_official_tool(truth, found, numbers):
    np.testing.assert_allclose(_numbers(truth, found), numbers, atol=1e-6)


def test_nobody_to_find_is_minus_one_and_nobody_found_is_zero():
    assert _numbers([_sample()], [EXACT]).tolist() == [-1] * 10
    assert _numbers([], []).tolist() == [-1] * 10
    assert _numbers([_sample(_person())], [_found()]).tolist() == [0, 0, 0, -1, 0] * 2


def test_a_tie_across_pictures_goes_to_the_smaller_image_id():
    truth = [_sample(_person(), image_id=2), _sample(image_id=1)]
    found = [EXACT, _found((0, 0.9))]
    assert _numbers(truth, found)[0] == pytest.approx(0.5)
    truth = [_sample(_person(), image_id=1), _sample(image_id=2)]
    assert _numbers(truth, found)[0] == pytest.approx(1)


def test_results_must_be_one_per_picture_and_of_the_same_keypoints():
    with pytest.raises(InputError, match="1 samples and 0 results"):
        oks_ap([_sample(_person())], [])
    lsp = _found(bones=skeleton("lsp14"))
    with pytest.raises(InputError, match="different keypoints"):
        oks_ap([_sample(_person())], [lsp])


def test_three_keypoints_with_sigmas_of_their_own():
    bones = Skeleton(name="arm", keypoints=("a", "b", "c"), sigmas=(0.1, 0.1, 0.1))
    truth = [_sample((BASE[:3], np.full(3, 2, np.uint8), BOX, 10000, False), bones=bones)]
    found = [_found((20, 0.9), bones=bones)]  # exp(-400 / (2 * 10000 * 0.2^2)) = 0.61
    assert oks_ap(truth, found).ap == pytest.approx(0.3)
    assert oks_ap(truth, found, sigmas=np.float32([1, 1, 1])).ap == pytest.approx(1)


def _official(truth: dict, results: list) -> np.ndarray:
    with contextlib.redirect_stdout(io.StringIO()):
        labels = pycocotools.coco.COCO()
        labels.dataset = truth
        labels.createIndex()
        run = pycocotools.cocoeval.COCOeval(labels, labels.loadRes(results), "keypoints")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return run.stats


def _official_of(truth, found) -> np.ndarray:
    """The official tool on dictionaries written here, apart from the code under test."""
    people, results = [], []
    for sample, poses in zip(truth, found, strict=True):
        for n in range(len(sample)):
            x0, y0, x1, y1 = sample.boxes[n].astype(float)
            points = np.concatenate([np.nan_to_num(sample.xy[n]), sample.visible[n][:, None]], 1)
            people.append(
                {
                    "id": len(people) + 1,
                    "image_id": sample.image_id,
                    "category_id": 1,
                    "keypoints": points.ravel().tolist(),
                    "num_keypoints": int((sample.visible[n] > 0).sum()),
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "area": float(sample.area[n]),
                    "iscrowd": int(sample.crowd[n]),
                }
            )
        for xy, score in zip(poses.xy, poses.score, strict=True):
            points = np.concatenate([np.nan_to_num(xy), np.ones((17, 1))], 1)
            row = {"image_id": sample.image_id, "category_id": 1, "score": float(score)}
            results.append(row | {"keypoints": points.ravel().tolist()})
    images = [{"id": s.image_id, "height": s.size[0], "width": s.size[1]} for s in truth]
    categories = [{"id": 1, "name": "person"}]
    data = {"images": images, "annotations": people, "categories": categories}
    return _official(data, results)


@st.composite
def _problems(draw):
    """Pictures with people, crowds, strays, ties and areas on the borders of the ranges."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    areas = [500, 1024, 1023.5, 5000, 9216, 9216.5, 20000, 60000]
    truth, found = [], []
    for image_id in rng.permutation(np.arange(1, rng.integers(2, 7))):
        people = [
            _person(
                shift=int(rng.integers(0, 4)) * 60,
                area=float(rng.choice(areas)),
                labelled=np.flatnonzero(rng.random(17) < rng.choice([0, 0.2, 0.9])),
                crowd=bool(rng.random() < 0.15),
            )
            for _ in range(rng.integers(0, 5))
        ]
        spreads = rng.choice([0, 1, 6, 15], rng.choice([0, 1, 4, 8, 24]))
        places = [60 * rng.integers(0, 4, (1, 2)) * [1, 0] for _ in spreads]
        poses = [
            (place + rng.normal(0, spread, (17, 2)), rng.integers(0, 5) / 4)
            for spread, place in zip(spreads, places, strict=True)
        ]
        truth.append(_sample(*people, image_id=int(image_id)))
        found.append(_found(*poses))
    if not any(len(poses) for poses in found):
        found[0] = EXACT  # the official tool cannot read an empty list of results
    return truth, found


@settings(max_examples=200, deadline=None)
@given(_problems(), st.sampled_from([1, 2, 3, 256]))
def test_all_ten_numbers_equal_pycocotools_on_random_problems(problem, pictures):
    truth, found = problem
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PICTURES", pictures)  # matched at once
        numbers = _numbers(truth, found)
    np.testing.assert_allclose(numbers, _official_of(truth, found), rtol=0, atol=1e-9)


def test_a_stream_is_read_a_few_pictures_at_a_time(monkeypatch):
    monkeypatch.setattr(module, "PICTURES", 2)
    matched = 0

    class Run:
        def update(self, images, labels, results):
            nonlocal matched
            matched += len(images)
            assert len(images) == len(results) == 2

        def finalize(self):
            return None

    def pairs():
        for asked in range(8):
            assert matched == asked // 2 * 2
            yield _sample(_person(), image_id=asked + 1), EXACT

    nothing = np.full((10, 101, 3), -1.0), np.full((10, 3), -1.0)
    monkeypatch.setattr(module, "_stream", lambda sigmas: Run())
    monkeypatch.setattr(module, "_curves", lambda run: nothing)
    assert oks_ap_stream(pairs()).ap == -1
    assert matched == 8


def test_two_pictures_of_a_stream_with_one_id_are_refused(monkeypatch):
    monkeypatch.setattr(module, "PICTURES", 2)
    pairs = [(_sample(_person(), image_id=i), EXACT) for i in (1, 2, 3, 1)]
    with pytest.raises(InputError, match="same image_id"):
        oks_ap_stream(pairs)
    assert oks_ap(*zip(*pairs, strict=True)).ap == pytest.approx(1)


@pytest.mark.shared
@pytest.mark.parametrize("name", ["coco", "wholebody"])
def test_the_example_files_give_the_numbers_of_pycocotools(shared, name):
    folder = shared / "annotations" / "evaluators"
    files = folder / f"example_{name}_val.json", folder / f"example_{name}_preds.json"
    ours = np.array(astuple(oks_ap_of_files(*files, COCO.oks_sigmas)))
    labels, results = (json.loads(file.read_text()) for file in files)
    np.testing.assert_allclose(ours, _official(labels, results), rtol=0, atol=1e-9)
    expected = {"coco": 0.8609, "wholebody": 0.8539}[name]
    assert ours[0] == pytest.approx(expected, abs=5e-5)


def test_missing_and_foreign_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="no file at"):
        oks_ap_of_files(tmp_path / "none.json", tmp_path / "none.json", COCO.oks_sigmas)
    foreign = tmp_path / "a.json"
    foreign.write_text('{"images": 3')
    with pytest.raises(InputError, match="not COCO annotations"):
        oks_ap_of_files(foreign, foreign, COCO.oks_sigmas)
