"""Learning human pose estimation features with convolutional networks.

Jain, Tompson, Andriluka, Taylor and Bregler, ICLR 2014, https://arxiv.org/abs/1312.7302. Neither
code nor weights were published, and there is nothing to check ours against: sizes of the layers are
those that the paper's windows of 64, 30, 13 and 9 cells imply.

Differences from the paper:

- Whole views are learnt from, every window of them, where windows with and without the joint weigh
  the same; the paper draws windows.
- Priors of displacements are learnt by gradient; the paper counts them in the training labels. All
  eleven joints of FLIC are found, the priors go from nose to shoulder to elbow to wrist.
- The evidence of neighbours is added to a window's log-odds, with weight 1; the paper multiplies
  probabilities, with an exponent for the window's own.
- A view is that of a person's box; theirs is the whole film frame at several scales.
- Contrast is normalised in each channel by itself. Adam; the paper's rates are not stated.
"""

from itertools import pairwise

from vitruvian.codecs.windows import Windows
from vitruvian.core.skeleton import Skeleton, skeleton
from vitruvian.image.augment import Augment
from vitruvian.systems.spec import Input, Recipe, System, Test

_CHAIN = ("nose", "shoulder", "elbow", "wrist")


def _chain(people: Skeleton) -> tuple[tuple[int, int], ...]:
    """Neighbours along each arm."""
    names = [
        [name if name == "nose" else f"{side}_{name}" for name in _CHAIN]
        for side in ("left", "right")
    ]
    return tuple((people.index(a), people.index(b)) for arm in names for a, b in pairwise(arm))


def jain_flic_240x320() -> System:
    """A network per joint and the priors of the arms, on FLIC.

        vitruvian train jain_flic_240x320 --data flic:examples.mat#train

    Paper: detection rates as curves, no number. Ours: not yet measured.
    """
    people, size = skeleton("flic11"), (240, 320)
    return System(
        name="jain_flic_240x320",
        task="topdown",
        net="jain:jain",
        net_args={"channels": len(people), "pairs": _chain(people), "size": size},
        input=Input(size=size, padding=1.25),
        codec=Windows(skeleton=people, stride=4),
        skeleton=people,
        recipe=Recipe(
            epochs=60,
            batch=10,
            optimizer="adam",
            lr=1e-3,
            schedule="step",
            milestones=(40, 50),
            gamma=0.1,
            loss="disk_logistic",
            augment=Augment(flip=0.5, scale=0.1, rotation=10.0, rotation_prob=0.6),
        ),
        test=Test(flip=False, rescore=False, oks_nms=1.0),
        paper="Jain, Tompson, Andriluka, Taylor, Bregler: Learning human pose estimation features "
        "with convolutional networks, ICLR 2014",
        url="https://arxiv.org/abs/1312.7302",
    )
