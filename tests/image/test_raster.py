import numpy as np
import pytest

from vitruvian.image.raster import Mesh, draw, of_one_colour, shade_meshes, unit_normals
from vitruvian.image.render import Camera

CAMERA = Camera(
    position=np.zeros(3), turn=np.diag([-1.0, -1.0, 1.0]), focal=40.0, centre=(19.5, 19.5)
)
EMPTY = np.full((40, 40), np.inf, np.float32)


def mesh(points, faces, *, open_=False, colours=None, pattern=-1):
    points = np.array(points, np.float32)
    faces = np.array(faces, np.int32)
    count = len(points)
    return Mesh(
        points=points,
        normals=unit_normals(points, faces),
        colours=np.ones((count, 3), np.float32) if colours is None else colours,
        cloth=points[:, :2].copy(),
        gloss=np.zeros(count, np.float32),
        faces=faces,
        open=np.full(len(faces), open_),
        style=np.zeros(len(faces), np.int32),
        others=np.zeros((1, 3), np.float32),
        pattern=np.array([pattern]),
        period=np.ones(1, np.float32),
        owner=0,
    )


# Seen from the origin along z with y up, x is to the left.
FRONT = [(-1.0, -1.0, 4.0), (0.3, 1.2, 5.0), (1.1, -0.7, 3.0)]
FACES = [(0, 1, 2)]


def brute(points, faces, camera, size):
    """Depth by a ray for every sample."""
    across, down = camera.rays(size)
    out = np.full(size, np.inf)
    turn = camera.turn
    for face in faces:
        a, b, c = ((np.array(points[k]) - camera.position) @ turn.T for k in face)
        matrix = np.stack([b - a, c - a], 1)
        for i, y in enumerate(down.astype(float)):
            for j, x in enumerate(across.astype(float)):
                ray = np.array([x, y, 1.0])
                u, v, minus = np.linalg.solve(np.column_stack([matrix, -ray]), -a)
                if u >= 0 and v >= 0 and u + v <= 1 and 0 < minus < out[i, j]:
                    out[i, j] = minus
    return out


def test_depths_are_those_of_rays():
    depth, hits = draw([mesh(FRONT, FACES)], CAMERA, 1, EMPTY)
    wanted = brute(FRONT, FACES, CAMERA, (40, 40))
    inside = np.isfinite(wanted) & np.isfinite(depth)
    assert inside.sum() > 100
    assert (np.isfinite(wanted) != np.isfinite(depth)).sum() <= 2  # rays through an edge
    np.testing.assert_allclose(depth[inside], wanted[inside], rtol=1e-4)
    np.testing.assert_array_equal(hits.number >= 0, np.isfinite(depth))


def test_a_triangle_is_seen_from_its_front_and_open_ones_from_both_sides():
    turned = [(0, 2, 1)]
    assert not np.isfinite(draw([mesh(FRONT, turned)], CAMERA, 1, EMPTY)[0]).any()
    both = draw([mesh(FRONT, turned, open_=True)], CAMERA, 1, EMPTY)[0]
    np.testing.assert_allclose(both, draw([mesh(FRONT, FACES)], CAMERA, 1, EMPTY)[0], rtol=1e-5)


def test_triangles_that_share_an_edge_leave_no_gap():
    square = [(-1, -1, 3.0), (-1, 1, 3.5), (1, 1, 3.0), (1, -1, 3.5), (0.1, 0.05, 3.2)]
    fan = [(0, 1, 4), (1, 2, 4), (2, 3, 4), (3, 0, 4)]
    depth, _ = draw([mesh(square, fan)], CAMERA, 2, np.full((80, 80), np.inf, np.float32))
    assert np.isfinite(depth[30:50, 30:50]).all()


def test_the_nearer_of_two_meshes_and_of_what_is_there_already_is_seen():
    near = mesh(FRONT, FACES)
    far = mesh(np.array(FRONT) * 2, FACES)
    for pair, index in (([near, far], 0), ([far, near], 1)):
        _, hits = draw(pair, CAMERA, 1, EMPTY)
        assert (hits.mesh[hits.number[hits.number >= 0]] == index).all()
    before = np.full((40, 40), 0.5, np.float32)
    depth, hits = draw([near], CAMERA, 1, before)
    np.testing.assert_allclose(depth, before)
    assert (hits.number == -1).all()


def test_what_is_behind_or_beside_the_camera_is_not_seen():
    for moved in (np.array([0, 0, -8.0]), np.array([100.0, 0, 0])):
        depth, hits = draw([mesh(np.array(FRONT) + moved, FACES)], CAMERA, 1, EMPTY)
        assert not np.isfinite(depth).any()
        assert (hits.number == -1).all()


def test_colours_of_corners_are_mixed_where_the_surface_is_and_not_in_the_picture():
    colours = np.eye(3, dtype=np.float32)
    one = mesh(FRONT, FACES, colours=colours)
    depth, hits = draw([one], CAMERA, 1, EMPTY)
    out = np.zeros((40, 40, 3), np.float32)
    light = np.array([0.0, 1.0, 0.0])
    shade_meshes([one], hits, 1, CAMERA, light, 1.0, out)
    rows, columns = np.nonzero(np.isfinite(depth))
    ray = np.stack(
        [-CAMERA.rays((40, 40))[0][columns], -CAMERA.rays((40, 40))[1][rows], np.ones(len(rows))], 1
    )
    places = ray * depth[rows, columns][:, None]
    shares = np.linalg.solve(np.array(FRONT).T, places.T).T
    found = out[rows, columns]
    np.testing.assert_allclose(
        found / found.sum(1, keepdims=True), shares / shares.sum(1, keepdims=True), atol=0.02
    )


def test_pixels_of_one_piece_are_shaded_once_and_look_as_their_samples_would():
    colours = np.random.default_rng(0).random((3, 3)).astype(np.float32)
    one = mesh(FRONT, FACES, colours=colours)
    light = np.array([0.0, 0.6, -0.8])
    pictures = []
    for samples in (1, 2):
        side = 40 * samples
        _, hits = draw([one], CAMERA, samples, np.full((side, side), np.inf, np.float32))
        out = np.zeros((side, side, 3), np.float32)
        shade_meshes([one], hits, samples, CAMERA, light, 0.4, out)
        pictures.append(out.reshape(40, samples, 40, samples, 3).mean((1, 3)))
    inner = (pictures[0].sum(2) > 0) & (pictures[1].sum(2) > 0)
    assert np.median(np.abs(pictures[0] - pictures[1])[inner]) < 0.01


def test_normals_of_a_ball_of_triangles_point_outwards():
    around = np.array([(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)])
    faces = [(0, 2, 4), (2, 1, 4), (1, 3, 4), (3, 0, 4), (2, 0, 5), (1, 2, 5), (3, 1, 5), (0, 3, 5)]
    normals = unit_normals(around.astype(np.float32), np.array(faces, np.int32))
    np.testing.assert_allclose(normals, around, atol=1e-6)


@pytest.mark.parametrize("pattern", [0, 1, 2, 3, 4, 5])
def test_patterns_change_colours_and_statues_have_none(pattern):
    one = mesh(FRONT, FACES, pattern=pattern)
    statue = of_one_colour(one, np.array([0.5, 0.5, 0.5]))
    spread = []
    for drawn in (one, statue):
        _, hits = draw([drawn], CAMERA, 1, EMPTY)
        out = np.zeros((40, 40, 3), np.float32)
        shade_meshes([drawn], hits, 1, CAMERA, np.array([0.0, 1.0, 0.0]), 1.0, out)
        spread.append(out[hits.number >= 0].std())
    if pattern:
        assert spread[0] > spread[1]
    assert spread[1] < 0.1
