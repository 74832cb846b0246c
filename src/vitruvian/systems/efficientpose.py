"""EfficientPose: scalable single-person pose estimation.

Groos, Ramampiaro and Ihlen, Applied Intelligence 2021, https://arxiv.org/abs/2004.12186; checked
against the authors' code, daniegr/EfficientPose at 78e4bd1. That code only runs released networks:
what it does not say about training comes from the authors' answers there, or is ours.

Kept on purpose: maps as large as the input; their highest cell is the keypoint, in all but RT after
a blur of one pixel.

Differences from the authors:

- Only the last pass is supervised. The paper asks the first for limb fields and the second for
  keypoints; the released networks have no such outputs (``net_args.limbs=15`` builds them).
- Adam and a cosine; theirs is SGD with a cyclic rate that we could not confirm.
- Targets keep one width, 7 pixels at 368 x 368; theirs narrow in steps while training.
- One crop per person around its box; theirs fits the whole picture into the input.
- In RT a keypoint below 0.3 is given with its score; theirs is dropped.
- Trunks start new; theirs from ImageNet's EfficientNets.
- Maps in the order of MPII; theirs go from the head down. Converted weights are reordered.
"""

from vitruvian.codecs.heatmap import Heatmap
from vitruvian.core.skeleton import skeleton
from vitruvian.image.augment import Augment
from vitruvian.systems.spec import Input, Recipe, System, Test


def _mpii(name: str, variant: str, side: int, *, batch: int = 32) -> System:
    people = skeleton("mpii16")
    return System(
        name=name,
        task="topdown",
        net="efficientpose:efficientpose",
        net_args={"variant": variant, "channels": len(people)},
        input=Input(size=(side, side), padding=1.25, align="centre"),
        codec=Heatmap(
            skeleton=people,
            stride=1,
            sigma=7 * side / 368,
            align="centre",
            encoding="subpixel",
            decoding="argmax",
            smooth=0.0 if variant == "rt" else 1.0,
        ),
        skeleton=people,
        recipe=Recipe(
            epochs=200,
            batch=batch,
            optimizer="adam",
            lr=1e-3,
            schedule="cosine",
            loss="joints_mse",
            augment=Augment(flip=0.5, scale=0.25, rotation=22.5, rotation_prob=1.0),
        ),
        test=Test(flip=False, rescore=False, oks_nms=1.0),
        paper="Groos, Ramampiaro, Ihlen: EfficientPose: scalable single-person pose estimation, "
        "Applied Intelligence 2021",
        url="https://arxiv.org/abs/2004.12186",
    )


def efficientpose_rt_mpii_224x224() -> System:
    """EfficientPose RT on MPII.

        vitruvian train efficientpose_rt_mpii_224x224 --data mpii:train.json

    Paper: 82.9 PCKh@0.5 on the validation split, 84.8 on test. Ours: not yet measured.
    """
    return _mpii("efficientpose_rt_mpii_224x224", "rt", 224)


def efficientpose_i_mpii_256x256() -> System:
    """EfficientPose I on MPII.

        vitruvian train efficientpose_i_mpii_256x256 --data mpii:train.json

    Paper: 85.2 PCKh@0.5 on the validation split. Ours: not yet measured.
    """
    return _mpii("efficientpose_i_mpii_256x256", "i", 256)


def efficientpose_ii_mpii_368x368() -> System:
    """EfficientPose II on MPII.

        vitruvian train efficientpose_ii_mpii_368x368 --data mpii:train.json

    Paper: 88.2 PCKh@0.5 on the validation split. Ours: not yet measured.
    """
    return _mpii("efficientpose_ii_mpii_368x368", "ii", 368, batch=16)


def efficientpose_iii_mpii_480x480() -> System:
    """EfficientPose III on MPII.

        vitruvian train efficientpose_iii_mpii_480x480 --data mpii:train.json

    Paper: 89.5 PCKh@0.5 on the validation split. Ours: not yet measured.
    """
    return _mpii("efficientpose_iii_mpii_480x480", "iii", 480, batch=8)


def efficientpose_iv_mpii_600x600() -> System:
    """EfficientPose IV on MPII.

        vitruvian train efficientpose_iv_mpii_600x600 --data mpii:train.json

    Paper: 89.8 PCKh@0.5 on the validation split, 91.2 on test. Ours: not yet measured.
    """
    return _mpii("efficientpose_iv_mpii_600x600", "iv", 600, batch=4)
