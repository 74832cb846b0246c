import numpy as np
import pytest

from vitruvian.image.render import NEAR, Camera, Solids, shade, trace

CAMERA = Camera(
    position=np.array([0.1, 0.2, -0.3]),
    turn=np.diag([1.0, -1.0, 1.0]),
    focal=40.0,
    centre=(24.5, 24.5),
)
SIZE, LIGHT = (50, 50), np.array([0.48, 0.6, -0.64])


def some(seed, count=9):
    """Balls and cones of all patterns before the camera."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(count, 3, 3)))[0]
    return Solids(
        origin=rng.uniform([-1.5, -1.5, 2], [1.5, 1.5, 6], (count, 3)),
        axes=axes * np.sign(np.linalg.det(axes))[:, None, None],
        stretch=rng.uniform(0.5, 1.5, (count, 3)),
        radii=rng.uniform(0.1, 0.6, (count, 2)),
        length=np.where(np.arange(count) % 3 == 0, 0, rng.uniform(0.2, 1.5, count)),
        owner=np.arange(count),
        colours=rng.random((count, 3, 3)),
        cut=rng.uniform(0.5, 1.5, count),
        pattern=np.arange(count) % 4,
        period=rng.uniform(0.1, 0.4, count),
    )


def entry(a, b, c):
    """Smaller root of a t² + 2 b t + c where it is in front of the camera, else inf."""
    inside = b * b - a * c
    good = (inside > 0) & (a > 1e-9)
    t = (-b - np.sqrt(np.where(good, inside, 0))) / np.where(good, a, 1)
    return np.where(good & (t > NEAR), t, np.inf)


def first_hit(solids, i, x, y):
    """Depth at which the rays of the whole picture meet solid i."""
    inward = (solids.axes[i] / solids.stretch[i]).T
    way = np.einsum("kj,jhw->khw", inward @ CAMERA.turn.T, np.stack([x, y, np.ones_like(x)]))
    start = inward @ (CAMERA.position - solids.origin[i])
    (near, far), length = solids.radii[i], solids.length[i]

    def ball(centre, radius):
        off = start - [0, centre, 0]
        return entry((way**2).sum(0), np.einsum("k,khw->hw", off, way), off @ off - radius**2)

    if not length:
        return ball(0, near)
    slope = (far - near) / length
    here = near + slope * start[1]
    cone = entry(
        way[0] ** 2 + way[2] ** 2 - (slope * way[1]) ** 2,
        start[0] * way[0] + start[2] * way[2] - slope * here * way[1],
        start[0] ** 2 + start[2] ** 2 - here**2,
    )
    height = start[1] + np.where(np.isfinite(cone), cone, -1e9) * way[1]
    cone[(height < 0) | (height > length)] = np.inf
    return np.minimum(np.minimum(ball(0, near), ball(length, far)), cone)


def colours(solids, part, points, ambient):
    """RGB at points on the surfaces of the solids ``part``."""
    local = np.einsum("nj,nji->ni", points - solids.origin[part], solids.axes[part])
    local /= solids.stretch[part]
    end, height = solids.length[part], local[:, 1]
    slope = (solids.radii[:, 1] - solids.radii[:, 0])[part] / np.where(end > 0, end, np.inf)
    cone = -slope * (solids.radii[part, 0] + slope * height)
    normal = local / solids.stretch[part]
    rise = np.where(height > end, height - end, np.where(height > 0, cone, height))
    normal[:, 1] = rise / solids.stretch[part, 1]
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    normal = np.einsum("nij,nj->ni", solids.axes[part], normal)
    lit = np.maximum(normal @ LIGHT, 0)
    x, y = (np.floor(local[:, :2] / (solids.period[part, None] / 2)).astype(int) & 1).T
    which = np.choose(solids.pattern[part], [0 * x, y, x, x ^ y])
    which[(height > solids.cut[part] * end) & (solids.cut[part] < 1)] = 2
    level = ambient * (0.8 + 0.2 * normal[:, 1]) + (1 - ambient) * lit
    return solids.colours[part, which] * level[:, None]


@pytest.mark.parametrize("seed", range(3))
def test_samples_see_the_nearest_solid_and_its_light(seed):
    solids = some(seed)
    x, y = (v.astype(float) for v in np.meshgrid(*CAMERA.rays(SIZE)))
    far = np.stack([first_hit(solids, i, x, y) for i in range(len(solids))])
    wanted, first = far.min(0), np.where(np.isfinite(far.min(0)), far.argmin(0), -1)
    traced = depth, index = trace(solids, CAMERA, SIZE)
    assert (index >= 0).sum() > 300
    same = index == first
    assert same.mean() > 0.995  # a rim or an edge between two roundings
    np.testing.assert_allclose(depth[same], wanted[same], rtol=1e-3)
    rows, columns = np.nonzero(same & (index >= 0))
    t = depth[rows, columns].astype(float)
    ray = np.stack([x[rows, columns], y[rows, columns], np.ones(len(t))], 1) * t[:, None]
    plain = colours(solids, first[rows, columns], CAMERA.position + ray @ CAMERA.turn, 0.4)
    found = shade(solids, CAMERA, SIZE, 1, traced, LIGHT, 0.4)
    assert (np.abs(found[rows, columns] - plain).max(1) > 0.01).mean() < 0.02
    assert not found[index < 0].any()
