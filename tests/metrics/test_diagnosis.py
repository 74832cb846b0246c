from dataclasses import replace

import numpy as np
import pytest

from vitruvian.core.poses import Poses
from vitruvian.core.sample import Sample
from vitruvian.core.skeleton import skeleton
from vitruvian.metrics.diagnosis import KINDS, best_scores, diagnose, judge, match, put_right

BONES = skeleton("coco17")
AREA = 20000.0


def person(offset: float = 0.0) -> np.ndarray:
    """Keypoints far from each other: 17 on a grid, 60 pixels apart, left and right apart too."""
    grid = np.stack(np.meshgrid(np.arange(5) * 60.0, np.arange(4) * 60.0), -1).reshape(-1, 2)[:17]
    return (grid + np.array([offset + 50, 50])).astype(np.float32)


def picture(*people: np.ndarray) -> Sample:
    xy = np.stack(people)
    return Sample(
        path="x.jpg",
        size=(900, 900),
        skeleton=BONES,
        xy=xy,
        visible=np.full(xy.shape[:2], 2, np.uint8),
        boxes=np.concatenate([xy.min(1) - 5, xy.max(1) + 5], 1),
        area=np.full(len(xy), AREA, np.float32),
        crowd=np.zeros(len(xy), bool),
        image_id=1,
        ids=np.arange(1, len(xy) + 1),
    )


def poses(*people: np.ndarray, score: tuple[float, ...] = (0.9, 0.8, 0.7)) -> Poses:
    xy = np.stack(people).astype(np.float32)
    return Poses(
        xy=xy,
        scores=np.full(xy.shape[:2], 0.5, np.float32),
        boxes=np.concatenate([xy.min(1), xy.max(1)], 1),
        score=np.array(score[: len(xy)], np.float32),
        skeleton=BONES,
        size=(900, 900),
    )


def moved(xy: np.ndarray, name: str, by: tuple[float, float]) -> np.ndarray:
    xy = xy.copy()
    xy[BONES.index(name)] += by
    return xy


def kinds(sample: Sample, found: Poses) -> dict[str, int]:
    return {kind: n for kind, n in judge([sample], [found]).counts().items() if n}


def away(name: str, similarity: float) -> float:
    """Distance at which a keypoint has this similarity."""
    return float(np.sqrt(-2 * np.log(similarity) * AREA)) * 2 * BONES.sigmas[BONES.index(name)]


def test_a_perfect_pose_is_good():
    assert kinds(picture(person()), poses(person())) == {"good": 17}


def test_a_keypoint_that_is_a_little_off_is_jitter():
    off = moved(person(), "left_wrist", (away("left_wrist", 0.7), 0))
    assert kinds(picture(person()), poses(off)) == {"good": 16, "jitter": 1}


@pytest.mark.parametrize("by", [(-25.0, 20.0), (np.nan, 0.0)])
def test_a_keypoint_near_no_label_or_not_found_is_a_miss(by):
    off = moved(person(), "left_eye", by)
    assert kinds(picture(person()), poses(off)) == {"good": 16, "miss": 1}


def test_exchanged_wrists_are_two_inversions():
    off = person()
    pair = [BONES.index("left_wrist"), BONES.index("right_wrist")]
    off[pair] = off[pair[::-1]]
    assert kinds(picture(person()), poses(off)) == {"good": 15, "inversion": 2}


@pytest.mark.parametrize("theirs", ["left_wrist", "right_wrist"])
def test_the_wrist_of_somebody_else_is_a_swap(theirs):
    off, other = person(), person(400)
    off[BONES.index("left_wrist")] = other[BONES.index(theirs)]
    assert kinds(picture(person(), other), poses(off)) == {"good": 16, "swap": 1}


def test_a_keypoint_without_label_is_no_error():
    sample = picture(person())
    visible = sample.visible.copy()
    visible[0, 9] = 0
    sample = replace(sample, visible=visible)
    off = moved(person(), BONES.keypoints[9], (80, 0))
    assert kinds(sample, poses(off)) == {"good": 16}


def test_people_and_poses_without_each_other_are_told():
    judged = judge([picture(person(), person(400))], [poses(person(), person() + 3000)])
    assert judged.missed.tolist() == [[0, 1]]
    assert judged.spurious.tolist() == [[0, 1]]


def test_the_better_pose_takes_the_person():
    twice = poses(person() + 3, person(), score=(0.4, 0.6))
    assert match(picture(person()), twice).tolist() == [-1, 0]


@pytest.mark.parametrize(("kind", "similarity"), [("jitter", 0.85), ("miss", 0.5)])
def test_what_is_put_right_has_the_similarity_asked_for(kind, similarity):
    sample = picture(person())
    off = moved(person(), "left_ankle", (0, away("left_ankle", 0.6 if kind == "jitter" else 0.1)))
    found = [poses(off)]
    judged = judge([sample], found)
    (fixed,) = put_right([sample], found, judged, (kind,))
    again = judge([sample], [fixed])
    at = again.keypoint == BONES.index("left_ankle")
    assert again.similarity[at] == pytest.approx(similarity, abs=1e-3)
    assert found[0].xy[0] == pytest.approx(off)


def test_the_best_scores_rank_the_better_pose_first():
    found = poses(person() + 6, person(), score=(0.9, 0.8))
    (ranked,) = best_scores([picture(person())], [found])
    assert ranked.score[1] == pytest.approx(1.0)
    assert ranked.score[0] < 0.3


def test_a_diagnosis_adds_up():
    truth = [picture(person(), person(400))] * 3
    truth = [replace(sample, image_id=i + 1) for i, sample in enumerate(truth)]
    off = person()
    pair = [BONES.index("left_knee"), BONES.index("right_knee")]
    off[pair] = off[pair[::-1]]
    found = [poses(off, person(400) + 2, person() + 3000, score=(0.5, 0.6, 0.9))] * 3
    told = diagnose(truth, found)
    assert told.kinds["inversion"] == 6
    assert sum(told.kinds.values()) == 6 * 17
    assert (told.missed, told.spurious) == (0, 3)
    assert set(told.gains) == {*KINDS[1:], "score", "background"}
    assert all(told.gains[name] > 0 for name in ("inversion", "background", "score"))
    assert told.gains["swap"] == told.gains["miss"] == pytest.approx(0)
    assert told.repaired == pytest.approx(1)
    assert told.groups["keypoint"]["left_knee"]["inversion"] == 3
    assert tuple(told.groups["keypoint"]) == truth[0].skeleton.keypoints
    assert told.groups["crowding"] == {"alone": told.kinds}


def test_nobody_labelled_and_nobody_found_is_no_error():
    nobody = Poses.empty(BONES, (900, 900))
    judged = judge([picture(person())], [nobody])
    assert len(judged.kind) == 0
    assert judged.missed.tolist() == [[0, 0]]
