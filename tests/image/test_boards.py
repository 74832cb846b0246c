import numpy as np
import pytest

from vitruvian.image import scenes
from vitruvian.image.boards import Board, framed, free, hang, random_board
from vitruvian.image.render import Camera

CAMERA = Camera(
    position=np.array([0.0, 1.0, 0.0]),
    turn=np.diag([-1.0, -1.0, 1.0]),
    focal=40.0,
    centre=(19.5, 19.5),
)
BOARD = Board(middle=np.array([0.0, 1.0, 4.0]), yaw=180.0, size=(2.0, 1.0))


def empty():
    return (
        np.full((80, 80), np.inf, np.float32),
        np.full((80, 80), -1, np.int8),
        np.zeros((80, 80, 3), np.float32),
    )


def test_a_board_that_faces_the_camera_is_upright_and_not_mirrored():
    picture = np.zeros((40, 20, 3), np.float32)
    picture[:20, :, 0] = picture[:, :10, 1] = 1  # red above, green on the left
    whose = np.where(picture[..., 0] > 0, 5, -1).astype(np.int8)
    depth, owner, colours = empty()
    hang(BOARD, picture, whose, CAMERA, 2, (depth, owner, colours))
    there = np.isfinite(depth)
    rows, columns = np.flatnonzero(there.any(1)), np.flatnonzero(there.any(0))
    assert (len(rows), len(columns)) == (40, 20)  # 2 m and 1 m at 4 m: 20 and 10 pixels
    np.testing.assert_allclose(depth[there], 4, rtol=1e-5)
    np.testing.assert_allclose(colours[25, 35], [1, 1, 0])
    np.testing.assert_allclose(colours[25, 45], [1, 0, 0])
    np.testing.assert_allclose(colours[55, 35], [0, 1, 0])
    assert (owner[20:40, 30:50] == 5).all()
    assert (owner[41:] == -1).all()


def test_what_is_nearer_stays_before_a_board_and_a_turned_board_recedes():
    scene = empty()
    scene[0][:, :40] = 2
    turned = Board(middle=BOARD.middle, yaw=220.0, size=BOARD.size)
    hang(turned, np.ones((40, 20, 3), np.float32), np.zeros((40, 20), np.int8), CAMERA, 2, scene)
    depth, owner, _ = scene
    assert (depth[:, :40] == 2).all()
    assert (owner[:, :40] == -1).all()
    seen = depth[40, 40:][np.isfinite(depth[40, 40:])]
    assert abs(seen[-1] - seen[0]) > 0.2
    slopes, _ = CAMERA.rays((40, 40), 2)
    x = -slopes[40 : 40 + len(seen)] * seen  # x is to the left
    offs = np.stack([x, np.zeros(len(seen)), seen - 4], 1) @ turned.axes[:, 2]
    np.testing.assert_allclose(offs, 0, atol=1e-5)


def test_nobody_may_stand_in_a_board():
    assert not free(BOARD, np.array([[0.0, 1.0, 3.8]]))
    assert free(BOARD, np.array([[0.0, 1.0, 3.6], [0.9, 1.0, 4.0], [0.0, 2.4, 4.0]]))


@pytest.mark.parametrize("hung", [True, False])
def test_boards_look_to_the_camera(hung):
    for seed in range(20):
        place = np.array([1.5, 4.0])
        board = random_board(place, np.random.default_rng(seed), hung=hung)
        assert board.middle[1] - board.size[0] / 2 > 0
        assert board.axes[:, 2] @ -board.middle > 0


def test_a_frame_covers_who_is_in_the_picture():
    own = np.ones((50, 40), bool)
    for seed in range(9):
        out, left = framed(np.full((50, 40, 3), 0.5, np.float32), own, np.random.default_rng(seed))
        assert out.min() >= 0
        assert left[10:-10, 10:-10].all()
        assert left.all() or not left[0].any()


def test_pictures_of_people_are_regions_to_ignore_and_change_nothing_else(monkeypatch):
    found = 0
    for index in range(6):
        monkeypatch.setattr(scenes, "POSTERS", 0.0)
        plain = scenes.scene(9, index, 96)
        monkeypatch.setattr(scenes, "POSTERS", 1.0)
        made = scenes.scene(9, index, 96)
        pictures = np.array(["board" in person for person in made.people])
        found += pictures.sum()
        assert made.statue[pictures].all()
        assert np.isnan(made.xy[pictures]).all()
        assert not made.visible[pictures].any()
        assert (made.masks.sum(0) <= 1).all()
        for person, mask in zip(made.people, made.masks, strict=True):
            if "board" not in person:
                before = plain.masks[plain.people.index(person)]
                assert not (mask & ~before).any()
    assert found >= 3
