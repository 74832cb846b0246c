"""Calibration: from a network's scores to the chance that a keypoint is right."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from vitruvian.core.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A rising line through knots, level before the first and after the last.

    Attributes:
        scores: Rising, in [0, 1].
        chances: The chance at each score, in [0, 1], never falling.
    """

    scores: tuple[float, ...]
    chances: tuple[float, ...]

    def __post_init__(self) -> None:
        """Check the knots.

        Raises:
            ConfigError: They do not rise, or lie outside of [0, 1].
        """
        x, y = np.array(self.scores), np.array(self.chances)
        fits = len(x) == len(y) > 0 and (np.diff(x) > 0).all() and (np.diff(y) >= 0).all()
        if not fits or min(x.min(), y.min()) < 0 or max(x.max(), y.max()) > 1:
            raise ConfigError(
                f"calibration through {list(zip(self.scores, self.chances, strict=False))}: scores "
                "must rise, chances must not fall, and both must lie in [0, 1]"
            )

    def __call__(self, scores: Float32[np.ndarray, "N K"]) -> Float32[np.ndarray, "N K"]:
        """Chances of N K scores."""
        chances: np.ndarray = np.interp(scores, self.scores, self.chances).astype(np.float32)
        return chances
