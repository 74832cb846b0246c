import numpy as np
import pytest

from vitruvian.codecs.points import Points, boxes_around, grid_points

SIZE = (64, 96)


def _maps(codec: Points, batch: int = 1) -> dict[str, np.ndarray]:
    maps = {f.name: np.zeros((batch, f.channels, *f.cells(SIZE)), np.float32) for f in codec.fields}
    return {name: x - 9 if name.startswith("score") else x for name, x in maps.items()}


def test_a_confident_point_becomes_its_box():
    codec = Points()
    maps = _maps(codec, batch=2)
    maps["score16"][1, 0, 2, 3] = 2.0
    maps["box16"][1, :, 2, 3] = [10, 20, 30, 15]

    nobody, one = codec.decode(maps, SIZE)

    assert len(nobody) == 0
    assert one.xyxy.tolist() == [[38, 12, 78, 47]]
    assert one.scores[0] == pytest.approx(1 / (1 + np.exp(-2)))
    assert one.xyxy.dtype == one.scores.dtype == np.float32


def test_of_points_that_answer_for_the_same_person_the_best_stays():
    codec = Points()
    maps = _maps(codec)
    for x, score in ((3, 1.0), (4, 3.0)):
        maps["score8"][0, 0, 4, x] = score
        maps["box8"][0, :, 4, x] = [x * 8 - 10, 20, 60 - x * 8, 20]
    assert Points().decode(maps, SIZE)[0].scores.tolist() == pytest.approx([1 / (1 + np.exp(-3))])


def test_boxes_stay_inside_the_view():
    codec = Points()
    maps = _maps(codec)
    maps["score32"][0, 0, 0, 0] = 5.0
    maps["box32"][0, :, 0, 0] = 1000
    assert codec.decode(maps, SIZE)[0].xyxy.tolist() == [[-0.5, -0.5, 95.5, 63.5]]


@pytest.mark.parametrize("score, sides", [(np.nan, 5), (5, np.nan), (5, -3), (5, 0)])
def test_what_is_not_a_number_or_has_no_area_is_nobody(score, sides):
    codec = Points()
    maps = _maps(codec)
    maps["score8"][0, 0, 1, 1] = score
    maps["box8"][0, :, 1, 1] = sides
    assert len(codec.decode(maps, SIZE)[0]) == 0


def test_no_more_boxes_than_asked_for_and_the_best_of_them():
    codec = Points(most=3, per_level=2, strides=(8, 16))
    maps = _maps(codec)
    rng = np.random.default_rng(0)
    for s in (8, 16):
        maps[f"score{s}"] = rng.normal(size=maps[f"score{s}"].shape).astype(np.float32)
        maps[f"box{s}"][:] = 2.0
    scores = codec.decode(maps, SIZE)[0].scores
    assert len(scores) == 3
    best = max(maps["score8"].max(), maps["score16"].max())
    assert scores[0] == pytest.approx(1 / (1 + np.exp(-best)))
    assert (np.diff(scores) <= 0).all()


def test_targets_are_the_boxes_of_any_number_of_people():
    codec = Points(most=2)
    trust = np.full((8, 12), 0.5, np.float32)
    boxes = np.array([[0, 0, 5, 5], [0, 0, 50, 50], [0, 0, 20, 20]], np.float32)

    three, nobody = codec.encode(boxes, trust, SIZE), codec.encode(boxes[:0], trust, SIZE)

    assert three["boxes"].value[0].tolist() == boxes[[1, 2]].tolist()
    assert three["boxes"].weight.tolist() == [[[1], [1]]]
    assert nobody["boxes"].weight.sum() == 0
    assert nobody["boxes"].value.shape == three["boxes"].value.shape
    assert (three["trust"].value == 0.5).all()


def test_points_lie_where_the_authors_put_them(parity_data):
    with np.load(parity_data / "fn-rtmdet.npz") as f:
        levels = zip(((10, 8), (5, 4), (3, 2)), (8, 16, 32), strict=True)
        points = np.concatenate([grid_points(cells, stride, 0.0) for cells, stride in levels])
        assert np.array_equal(points, f["points"])
        assert np.array_equal(boxes_around(points, f["dist"]), f["boxes"])
