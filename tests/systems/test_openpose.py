import numpy as np
import pytest

from vitruvian.systems.lightweight_openpose import lightweight_openpose_coco18
from vitruvian.systems.openpose import openpose_body25, openpose_coco18

PAGES = [openpose_coco18, openpose_body25, lightweight_openpose_coco18]
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.__name__)


@every_page
def test_limbs_are_assembled_from_the_neck_outwards(page):
    """A limb begins at the neck or at a keypoint that an earlier limb reached."""
    bones, codec = page().skeleton, page().codec
    reached = {"neck"}
    for start, stop in (bones.limbs[e] for e in codec.order):
        assert start in reached
        reached.add(stop)
    assert reached == {*bones.keypoints}


@every_page
def test_limbs_that_are_no_branch_come_when_both_ends_are_known(page):
    bones, codec = page().skeleton, page().codec
    order = [bones.limbs[e] for e in codec.order]

    for side in ("left", "right"):
        shoulder_ear = order.index((f"{side}_shoulder", f"{side}_ear"))
        assert shoulder_ear > order.index((f"{side}_eye", f"{side}_ear"))


def person(bones):
    """Somebody standing, arms and feet spread, by the names of the keypoints; 368 x 368 pixels."""
    places = {
        **{"nose": (0, 60), "neck": (0, 100), "pelvis": (0, 190)},
        **{"shoulder": (35, 100), "elbow": (60, 145), "wrist": (70, 185)},
        **{"hip": (20, 190), "knee": (24, 250), "ankle": (26, 310)},
        **{"eye": (8, 52), "ear": (18, 56)},
        **{"big_toe": (44, 330), "small_toe": (60, 318), "heel": (16, 334)},
    }
    xy = []
    for name in bones.keypoints:
        side, _, part = name.partition("_")
        x, y = places[part] if part in places else places[name]
        xy.append((184 + (x if side == "left" else -x), y))
    return np.array([xy], np.float32)


@every_page
def test_a_page_reads_what_it_teaches(page):
    system = page()
    xy, size = person(system.skeleton), system.input.size
    targets = system.codec.encode(
        xy,
        np.full(xy.shape[:2], 2, np.uint8),
        size,
        boxes=np.array([[100, 40, 260, 340]], np.float32),
        trust=np.ones(size, np.float32),
    )

    (found,) = system.codec.decode({n: t.value[None] for n, t in targets.items()}, size)

    assert found.xy == pytest.approx(xy, abs=2.5)
    assert found.score[0] > 0.7
