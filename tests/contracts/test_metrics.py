"""What every metric of ``vitruvian.metrics`` promises, over every name found.

Perfect answers score 1, none score 0, the order of people and pictures plays no part, and inputs
stay as they were. A new metric adds its line to ``SCORES``: labels and answers to one number.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from vitruvian.core.lookup import names
from vitruvian.core.poses import Poses
from vitruvian.core.sample import Sample
from vitruvian.core.skeleton import Skeleton, skeleton
from vitruvian.core.types import Boxes
from vitruvian.metrics.aic import aic
from vitruvian.metrics.box_ap import box_ap
from vitruvian.metrics.crowdpose_ap import crowdpose_ap
from vitruvian.metrics.mpii_map import mpii_map
from vitruvian.metrics.oks_ap import oks_ap
from vitruvian.metrics.oks_fraction import oks_fraction, oks_of_pairs
from vitruvian.metrics.pck import pck, torso_length
from vitruvian.metrics.pckh import pckh
from vitruvian.metrics.pcp import pcp
from vitruvian.metrics.pdj import pdj
from vitruvian.metrics.posetrack_map import posetrack_map
from vitruvian.metrics.wholebody_ap import wholebody_ap

Truth, Found = list[Sample], list[Poses]


def _pairs(truth: Truth, found: Found) -> tuple[np.ndarray, np.ndarray]:
    """Answers and labels of every person; nobody found is all NaN."""
    xy = [
        poses.xy if len(poses) else np.full_like(sample.xy, np.nan)
        for sample, poses in zip(truth, found, strict=True)
    ]
    return np.concatenate(xy), np.concatenate([sample.xy for sample in truth])


def _heads(truth: Truth) -> list[np.ndarray]:
    return [sample.boxes / 8 for sample in truth]


def _mean(joints: dict[str, float]) -> float:
    return float(np.nanmean(list(joints.values())))


def _oks(truth: Truth, found: Found) -> float:
    area = np.concatenate([sample.area for sample in truth])
    return oks_fraction(oks_of_pairs(*_pairs(truth, found), area, truth[0].skeleton.oks_sigmas))


def _pck(truth: Truth, found: Found) -> float:
    xy, labels = _pairs(truth, found)
    return pck(xy, labels, torso_length(labels, truth[0].skeleton)).pooled


def _pckh(truth: Truth, found: Found) -> float:
    heads = np.concatenate(_heads(truth))
    return pckh(*_pairs(truth, found), heads, truth[0].skeleton).pooled


def _boxes(found: Found) -> list[Boxes]:
    return [Boxes(xyxy=poses.boxes, scores=poses.score) for poses in found]


SCORES: dict[str, tuple[str, Callable[[Truth, Found], float]]] = {
    "aic": ("aic14", aic),
    "box_ap": ("coco17", lambda t, f: box_ap(t, _boxes(f)).ap),
    "crowdpose_ap": ("crowdpose14", lambda t, f: crowdpose_ap(t, f, np.linspace(0, 1, len(t))).ap),
    "mpii_map": ("mpii16", lambda t, f: _mean(mpii_map(t, f, _heads(t)))),
    "oks_ap": ("coco17", lambda t, f: oks_ap(t, f).ap),
    "oks_fraction": ("coco17", _oks),
    "pck": ("lsp14", _pck),
    "pckh": ("mpii16", _pckh),
    "pcp": ("lsp14", lambda t, f: pcp(*_pairs(t, f), t[0].skeleton).pooled),
    "pdj": ("lsp14", lambda t, f: float(np.mean(pdj(*_pairs(t, f), t[0].skeleton)[:, 20]))),
    "posetrack_map": (
        "posetrack15",
        lambda t, f: _mean(posetrack_map(t, f, _heads(t), [[]] * len(t))),
    ),
    "wholebody_ap": ("coco_wholebody133", lambda t, f: _mean(wholebody_ap(t, f).ap)),
}  # fmt: skip


def _problem(bones: Skeleton, spread: float) -> tuple[Truth, Found]:
    """Six pictures of up to three people far apart, and answers ``spread`` pixels off."""
    rng = np.random.default_rng(5)
    truth, found = [], []
    for image_id in range(1, 7):
        count = 1 + image_id % 3
        corner = np.stack([300 * np.arange(count), np.zeros(count)], 1)
        xy = (rng.random((count, len(bones), 2)) * [150, 200] + corner[:, None] + 5).astype("f4")
        boxes = np.concatenate([corner, corner + [160, 210]], 1).astype(np.float32)  # noqa: RUF005
        sample = Sample(
            path="", size=(300, 1000), skeleton=bones, xy=xy, image_id=image_id,
            visible=np.full((count, len(bones)), 2, np.uint8), boxes=boxes,
            area=np.full(count, 15_000, np.float32), crowd=np.zeros(count, bool),
        )  # fmt: skip
        noise = rng.normal(0, spread, xy.shape) if spread else 0
        poses = Poses(
            xy=(xy + noise).astype(np.float32),
            scores=rng.uniform(0.2, 1, xy.shape[:2]).astype(np.float32),
            boxes=boxes + np.float32(spread), score=rng.random(count).astype(np.float32),
            skeleton=bones, size=(300, 1000),
        )  # fmt: skip
        truth.append(sample)
        found.append(poses)
    return truth, found


def test_every_metric_has_its_line():
    assert sorted(SCORES) == names("vitruvian.metrics")


@pytest.fixture(params=sorted(SCORES))
def metric(request):
    bones, score = SCORES[request.param]
    return skeleton(bones), score


def test_perfect_answers_score_one(metric):
    bones, score = metric
    assert score(*_problem(bones, 0)) == pytest.approx(1)


def test_no_answer_scores_zero(metric):
    bones, score = metric
    truth, found = _problem(bones, 0)
    assert score(truth, [poses[[]] for poses in found]) == 0


def test_worse_answers_score_less(metric):
    bones, score = metric
    good, bad, awful = (score(*_problem(bones, spread)) for spread in (2, 12, 300))
    assert 1 >= good >= bad >= awful >= 0
    assert good > awful


def test_the_order_of_pictures_and_people_plays_no_part(metric):
    bones, score = metric
    truth, found = _problem(bones, 12)
    before = score(truth, found)
    if score is not SCORES["crowdpose_ap"][1]:
        truth, found = truth[::-1], found[::-1]
    turned = [_turned(s) for s in truth], [poses[::-1] for poses in found]
    assert score(*turned) == pytest.approx(before, abs=1e-12)


def test_labels_and_answers_stay_as_they_were(metric):
    bones, score = metric
    truth, found = _problem(bones, 12)
    for array in (a for x in (*truth, *found) for a in (x.xy, x.boxes)):
        array.flags.writeable = False
    score(truth, found)


def _turned(sample: Sample) -> Sample:
    return replace(
        sample, xy=sample.xy[::-1], visible=sample.visible[::-1], boxes=sample.boxes[::-1],
        area=sample.area[::-1], crowd=sample.crowd[::-1],
    )  # fmt: skip
