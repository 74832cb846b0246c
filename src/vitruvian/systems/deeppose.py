"""DeepPose: human pose estimation via deep neural networks.

Toshev and Szegedy, CVPR 2014, https://arxiv.org/abs/1312.4659. The authors published no code; the
size of a stage is that of a public port, mitmul/deeppose at fcf53af, whose linear layers are larger
than the 40 M parameters that the paper speaks of.

Differences from the paper:

- All stages learn at once, each from where the one before it is; the paper trains one after the
  other, from joints with errors drawn from those of the stage before. ``train.stage_weights`` and
  ``train.freeze`` train them in turn.
- Crops of later stages are cut from a view of 440 x 440 pixels, not from the picture.
- Adam, as there is no AdaGrad; batches are smaller, as a person has a crop per joint.
- On FLIC the view is that of the labelled person; the paper's is an enlarged face detection.
"""

from vitruvian.codecs.coordinates import Coordinates
from vitruvian.core.skeleton import Skeleton, skeleton
from vitruvian.image.augment import Augment
from vitruvian.systems.spec import Input, Recipe, System, Test


def _page(name: str, bones: str, sigma: float) -> System:
    people = skeleton(bones)
    return System(
        name=name,
        task="topdown",
        net="deeppose:deeppose",
        net_args={
            "channels": len(people),
            "torso": _torso(people),
            "sigma": sigma,
            "stages": 3,
        },
        input=Input(size=(440, 440), padding=1.25),
        codec=Coordinates(skeleton=people),
        skeleton=people,
        recipe=Recipe(
            epochs=100,
            batch=16,
            optimizer="adam",
            lr=5e-4,
            schedule="step",
            milestones=(70, 90),
            gamma=0.1,
            loss="coordinates_l2",
            augment=Augment(flip=0.5, scale=0.25, rotation=0.0, rotation_prob=0.0, shift=0.05),
        ),
        test=Test(flip=False, rescore=False, oks_nms=1.0),
        paper="Toshev, Szegedy: DeepPose: human pose estimation via deep neural networks, "
        "CVPR 2014",
        url="https://arxiv.org/abs/1312.4659",
    )


def _torso(people: Skeleton) -> tuple[tuple[int, int], ...]:
    """Opposite shoulder and hip."""
    return tuple(
        (people.index(f"{side}_shoulder"), people.index(f"{other}_hip"))
        for side, other in (("left", "right"), ("right", "left"))
    )


def deeppose_lsp_440x440() -> System:
    """Three stages on LSP; crops of twice the torso.

        vitruvian train deeppose_lsp_440x440 --data lsp:lsp#train --data lspet:lspet

    Paper: 61 % PCP, mean of arms and legs. Ours: not yet measured.
    """
    return _page("deeppose_lsp_440x440", "lsp14", 2.0)


def deeppose_flic_440x440() -> System:
    """Three stages on FLIC; crops as wide as the torso is long.

        vitruvian train deeppose_flic_440x440 --data flic:examples.mat#train

    Paper: detection rates as curves, no number. Ours: not yet measured.
    """
    return _page("deeppose_flic_440x440", "flic11", 1.0)
