"""Random views and distortions of a training picture: one matrix, one warp."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Augment:
    """Ranges of the random view and of the picture's distortion.

    Attributes:
        flip: Probability of a mirrored view.
        scale: Factor is clip(1 + N(0, 1) scale, 1 - scale, 1 + scale).
        rotation: Degrees; clip(N(0, 1) rotation, -2 rotation, 2 rotation).
        rotation_prob: Probability that the view is rotated at all.
        shift: Standard deviation of the shift, as a fraction of the box's longer side.
        half_body: Probability of cropping to the upper or lower body when enough is labelled.
        occlude: Probability of covering part of the view with a patch.
        colour: Strength of gain, gamma, saturation, hue and noise changes; 0 leaves pixels alone.
        blur: Probability of blur or of resampling from a lower resolution.
    """

    flip: float = 0.5
    scale: float = 0.35
    rotation: float = 45.0
    rotation_prob: float = 0.6
    shift: float = 0.0
    half_body: float = 0.0
    occlude: float = 0.0
    colour: float = 0.0
    blur: float = 0.0
