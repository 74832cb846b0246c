"""Two made-up people whose numbers are easy to recognise."""

import numpy as np
import pytest

from vitruvian.core.poses import Poses
from vitruvian.core.skeleton import skeleton
from vitruvian.outputs.result import Result


@pytest.fixture
def poses() -> Poses:
    rng = np.random.default_rng(0)
    xy = rng.uniform(10, 90, (2, 17, 2)).astype(np.float32)
    xy[0, 3] = np.nan
    return Poses(
        xy=xy,
        scores=np.linspace(0.4, 1, 34, dtype=np.float32).reshape(2, 17),
        boxes=np.array([[10, 10, 90, 90], [20, 5, 60, 95]], np.float32),
        score=np.array([0.9, 0.5], np.float32),
        skeleton=skeleton("coco17"),
        size=(100, 120),
    )


@pytest.fixture
def result(poses) -> Result:
    image = np.full((100, 120, 3), 200, np.uint8)
    return Result(source="folder/a.b.jpg", image=image, poses=poses, image_id=7)
