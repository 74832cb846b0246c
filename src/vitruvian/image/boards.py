"""Flat pictures that stand or hang in a scene: posters, roll-ups, framed prints."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Float64, Int8

from vitruvian.image.postures import turn
from vitruvian.image.render import NEAR, Camera

APART = 0.3
"""Metres that keypoints stay away from a board."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """An upright rectangle.

    Attributes:
        middle: 3, world metres.
        yaw: Degrees by which its front is turned away from z, about the vertical.
        size: (height, width), metres.
    """

    middle: Float64[np.ndarray, "3"]
    yaw: float
    size: tuple[float, float]

    @property
    def axes(self) -> Float64[np.ndarray, "3 3"]:
        """Columns: along its width to the right of who looks at it, up, and to its front."""
        return turn(y=self.yaw)

    @property
    def corners(self) -> Float64[np.ndarray, "4 3"]:
        """World metres, clockwise from the upper left as it is looked at."""
        height, width = self.size
        off = np.array([(-1, 1), (1, 1), (1, -1), (-1, -1)]) * (width / 2, height / 2)
        made: np.ndarray = self.middle + off @ self.axes[:, :2].T
        return made


def random_board(place: Float64[np.ndarray, "2"], rng: np.random.Generator, *, hung: bool) -> Board:
    """A board at (x, z) that looks back at the origin, give or take 50 degrees, or straight.

    Args:
        place: Where on the floor it is above.
        rng: Source of every choice.
        hung: Whether it hangs on something that faces the camera, instead of standing.
    """
    height = float(rng.uniform(0.4, 1.4) if hung else rng.uniform(1.2, 2.2))
    width = height * float(rng.uniform(0.4, 1.3) if hung else rng.uniform(0.4, 0.7))
    low = float(rng.uniform(0.7, 1.5)) if hung else 0.03
    back = 180 + float(np.degrees(np.arctan2(place[0], place[1])))
    return Board(
        middle=np.array([place[0], low + height / 2, place[1]]),
        yaw=180.0 if hung else back + float(rng.uniform(-50, 50)),
        size=(height, width),
    )


def free(board: Board, points: Float64[np.ndarray, "N 3"]) -> bool:
    """Whether no point is at the board."""
    off = np.abs((points - board.middle) @ board.axes)
    height, width = board.size
    at = off < np.array([width / 2, height / 2, 0]) + APART
    return not bool(at.all(1).any())


def framed(
    picture: Float32[np.ndarray, "h w 3"],
    whose: Bool[np.ndarray, "h w"],
    rng: np.random.Generator,
) -> tuple[Float32[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
    """The picture as a print, at times without colours, and its people within a rim or none."""
    out, own = picture.copy(), whose.copy()
    if rng.random() < 0.25:
        grey = out @ np.array([0.3, 0.59, 0.11], np.float32)
        out = grey[..., None] * (1 + rng.normal(0, 0.08, 3)).astype(np.float32)
    rim = int(rng.uniform(-0.06, 0.08) * min(own.shape))
    if rim > 0:
        inner = np.zeros_like(own)
        inner[rim:-rim, rim:-rim] = True
        out[~inner] = rng.uniform(0.02, 0.95) * (1 + rng.normal(0, 0.1, 3))
        own &= inner
    return np.clip(out, 0, 1), own


def hang(
    board: Board,
    picture: Float32[np.ndarray, "h w 3"],
    whose: Int8[np.ndarray, "h w"],
    camera: Camera,
    samples: int,
    scene: tuple[Float32[np.ndarray, "H W"], Int8[np.ndarray, "H W"], Float32[np.ndarray, "H W 3"]],
) -> None:
    """Draw a board where nothing is before it.

    Args:
        board: Where it is.
        picture: What is on it, RGB in [0, 1], lit.
        whose: Whose the parts of the picture are.
        camera: Where it is seen from.
        samples: Samples to a pixel's side.
        scene: Depth, whose every sample is and colours; changed.
    """
    depth, owner, colours = scene
    xy, far = camera.project(board.corners)
    if (far <= NEAR).any():
        return
    height, width = whose.shape
    edges = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32) - 0.5
    to = cv2.getPerspectiveTransform(
        edges.astype(np.float32), ((xy + 0.5) * samples - 0.5).astype(np.float32)
    )
    size = (depth.shape[1], depth.shape[0])
    seen = cv2.warpPerspective(
        whose.astype(np.int16), to, size, flags=cv2.INTER_NEAREST, borderValue=-2
    )
    drawn = cv2.warpPerspective(
        picture, to, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    across, down = camera.rays((size[1] // samples, size[0] // samples), samples)
    front = camera.turn @ board.axes[:, 2]
    off = float(front @ (camera.turn @ (board.middle - camera.position)))
    with np.errstate(divide="ignore"):
        away = off / (front[0] * across[None] + front[1] * down[:, None] + front[2])
    there = (seen > -2) & (away > NEAR) & (away < depth)
    depth[there] = away[there]
    owner[there] = seen[there]
    colours[there] = drawn[there]
