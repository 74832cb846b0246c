import numpy as np

from vitruvian.kernels.skinning import skin


def plain(points, weights, moves):
    blend = np.einsum("nb,bij->nij", weights, moves)
    return blend[:, :, 3] + np.einsum("nij,nj->ni", blend[:, :, :3], points)


def test_points_go_where_the_mean_of_their_bones_moves_takes_them():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(200, 3)).astype(np.float32)
    weights = np.where(rng.random((200, 9)) < 0.3, rng.random((200, 9)), 0).astype(np.float32)
    moves = rng.normal(size=(9, 3, 4)).astype(np.float32)
    out = np.full((200, 3), 7, np.float32)
    skin(points, weights, moves, out)
    np.testing.assert_allclose(out, plain(points, weights, moves), atol=1e-5)
