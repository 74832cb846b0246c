import numpy as np
import pytest

from vitruvian.core.config import from_json, to_json
from vitruvian.core.errors import InputError
from vitruvian.core.skeleton import skeleton
from vitruvian.image.augment import Augment
from vitruvian.image.proposals import Atom, Offsets, Proposals, learnt, proposed, upright

COCO = skeleton("coco17")
BOX, SIZE = np.array([100.0, 120, 220, 400]), (480, 640)
STILL = Offsets(mean=(0.0, 0.0, 0.0, 0.0), deviation=(0.0, 0.0, 0.0, 0.0))


def test_boxes_follow_the_gaussian():
    rng = np.random.default_rng(0)
    found = np.array([proposed(BOX, SIZE, Proposals(patch=0.0), rng) for _ in range(2000)])
    offset = (found - BOX) / np.tile(BOX[2:] - BOX[:2], 2)
    expected = Proposals().atoms[0].offsets[0]
    np.testing.assert_allclose(offset.mean(axis=0), expected.mean, atol=0.01)
    np.testing.assert_allclose(offset[:, :3].std(axis=0), expected.deviation[:3], atol=0.01)


def test_a_patch_is_a_part_of_the_box():
    rng, rule = np.random.default_rng(1), Proposals(atoms=(Atom(offsets=(STILL,)),), patch=0.5)
    found = np.array([proposed(BOX, SIZE, rule, rng) for _ in range(200)])
    patches = found[(found != BOX).any(axis=1)]
    assert len(patches) == pytest.approx(100, abs=25)
    share = (patches[:, 2:] - patches[:, :2] - 1) / (BOX[2:] - BOX[:2])
    np.testing.assert_allclose(share[:, 0], share[:, 1], atol=1e-4)
    assert (share >= 0.5).all()
    assert (patches[:, :2] >= BOX[:2]).all()
    assert (patches[:, 2:] <= BOX[2:] + 1.001).all()


def test_boxes_stay_in_the_picture_and_have_an_area():
    rng = np.random.default_rng(2)
    box = np.array([600.0, 440, 639, 479])
    for _ in range(50):
        x0, y0, x1, y1 = proposed(box, SIZE, Proposals(), rng)
        assert 1 <= x0 <= x1 <= 637
        assert 1 <= y0 <= y1 <= 477


def standing(angle):
    """A person whose arms are at an angle; torso of length 50."""
    xy = np.full((17, 2), np.nan)
    for name, point in {
        "left_shoulder": (20, 0), "right_shoulder": (-20, 0), "left_hip": (10, 50),
        "right_hip": (-10, 50),
    }.items():  # fmt: skip
        xy[COCO.index(name)] = point
    xy[COCO.index("left_wrist")] = 20 + 60 * np.cos(angle), 60 * np.sin(angle)
    return xy + 200


def test_upright_poses_do_not_depend_on_place_and_size():
    xy = np.stack([standing(0.3), 3 * standing(0.3) - 70])
    poses = upright(xy, COCO)
    np.testing.assert_allclose(poses[0], poses[1])
    np.testing.assert_allclose(poses[0, COCO.index("left_hip")], [0.2, 0.5])


def test_offsets_are_learnt_by_pose():
    """Arms up: boxes are cut at the top; arms down: boxes are too wide."""
    rng = np.random.default_rng(3)
    up = rng.random(200) < 0.5
    xy = np.stack([standing(-1.5 if u else 1.5) + rng.normal(0, 2, (17, 2)) for u in up])
    boxes = np.tile(BOX, (200, 1))
    shift = np.where(up[:, None], [0, 56.0, 0, 0], [-24.0, 0, 24, 0])
    found = boxes + shift + rng.normal(0, 2, (200, 4))
    rule = learnt(xy, boxes, found, COCO, rng, atoms=2, components=1, patch=0.0)
    wrist = COCO.index("left_wrist")
    atoms = sorted(rule.atoms, key=lambda atom: atom.pose[wrist][1])
    np.testing.assert_allclose(atoms[0].offsets[0].mean, [0, 0.2, 0, 0], atol=0.01)
    np.testing.assert_allclose(atoms[1].offsets[0].mean, [-0.2, 0, 0.2, 0], atol=0.01)
    high = proposed(BOX, SIZE, rule, rng, pose=upright(standing(-1.5)[None], COCO)[0])
    np.testing.assert_allclose(high, BOX + np.array([0, 56, 0, 0]), atol=15)


def test_a_mixture_finds_its_two_gaussians():
    rng = np.random.default_rng(4)
    boxes, xy = np.tile(BOX, (300, 1)), np.stack([standing(0.0)] * 300)
    xy = xy + rng.normal(0, 1, xy.shape)
    wide = rng.random(300) < 0.3
    found = boxes + np.where(wide[:, None], [-36.0, 0, 36, 0], 0) + rng.normal(0, 1, (300, 4))
    (atom,) = learnt(xy, boxes, found, COCO, rng, atoms=1, components=2).atoms
    narrow, broad = sorted(atom.offsets, key=lambda part: -part.mean[0])
    assert broad.weight == pytest.approx(wide.mean(), abs=0.02)
    assert broad.mean[0] == pytest.approx(-0.3, abs=0.02)
    assert narrow.mean[0] == pytest.approx(0, abs=0.02)


def test_too_few_people_are_refused():
    with pytest.raises(InputError, match="1 people with labelled torsos for 8"):
        learnt(standing(0.0)[None], BOX[None], BOX[None], COCO, np.random.default_rng(0))


def test_settings_survive_json():
    atom = Atom(offsets=(STILL, STILL), pose=((0.0, 1.0), (2.0, 3.0)))
    augment = Augment(proposals=Proposals(atoms=(atom,), patch=0.3))
    assert from_json(Augment, to_json(augment)) == augment
    assert Augment().proposals is None
