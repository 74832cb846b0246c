"""ViTPose: simple vision transformer baselines for human pose estimation.

Xu, Zhang, Zhang and Tao, NeurIPS 2022, https://arxiv.org/abs/2204.12484; checked against the
authors' code, ViTAE-Transformer/ViTPose at c050ed2, and Hugging Face's. Their trunks start from a
masked autoencoder's weights (He et al. 2022): give one with ``--start``. Their scores are with
boxes of a detector of 56.4 person AP and the flip test. The checkpoints of ViTPose++ load with
``--set net_args.experts=6`` and the number of the data set, ``net_args.expert``: COCO is 0.

Differences from the authors:

- One process takes the batch of 512 that they spread over eight devices.
- The person detector is whichever the user chooses; their COCO boxes are not redistributed.
- COCO boxes are used as they are labelled; theirs lose one pixel of width and height.
- A map without a positive cell gives no keypoint; theirs gives a corner.
"""

from vitruvian.codecs.heatmap import Heatmap
from vitruvian.core.skeleton import skeleton
from vitruvian.image.augment import Augment
from vitruvian.systems.spec import Input, Recipe, System, Test

LAYER_DECAY = {"s": 0.80, "b": 0.75, "l": 0.80, "h": 0.85}
"""Factor on the rate from each block to the one before it (appendix)."""


def _coco(name: str, variant: str, decoder: str) -> System:
    people = skeleton("coco17")
    return System(
        name=name,
        task="topdown",
        net="vitpose:vitpose",
        net_args={"variant": variant, "channels": len(people), "decoder": decoder},
        input=Input(size=(256, 192), padding=1.25, align="udp"),
        codec=Heatmap(
            skeleton=people,
            stride=4,
            sigma=2.0,
            align="udp",
            encoding="windowed",
            decoding="udp",
            blur_kernel=11,
        ),
        skeleton=people,
        recipe=Recipe(
            epochs=210,
            batch=512,
            optimizer="adamw",
            lr=5e-4,
            weight_decay=0.1,
            layer_decay=LAYER_DECAY[variant],
            schedule="step",
            milestones=(170, 200),
            gamma=0.1,
            warmup=500,
            clip_norm=1.0,
            loss="joints_mse",
            augment=Augment(flip=0.5, scale=0.5, rotation=40.0, rotation_prob=0.6, half_body=0.3),
        ),
        test=Test(flip=True, rescore=True, keypoint_floor=0.2, oks_nms=0.9),
        paper="Xu, Zhang, Zhang, Tao: ViTPose: simple vision transformer baselines for human pose "
        "estimation, NeurIPS 2022",
        url="https://arxiv.org/abs/2204.12484",
    )


def vitpose_s_256x192() -> System:
    """ViTPose-S with deconvolutions on COCO at 256 x 192.

        vitruvian train vitpose_s_256x192 --data coco:person_keypoints_train2017.json

    Paper: 73.8 AP on val2017. Ours: not yet measured.
    """
    return _coco("vitpose_s_256x192", "s", "classic")


def vitpose_b_256x192() -> System:
    """ViTPose-B with deconvolutions on COCO at 256 x 192.

        vitruvian train vitpose_b_256x192 --data coco:person_keypoints_train2017.json

    Paper: 75.8 AP on val2017. Ours: not yet measured.
    """
    return _coco("vitpose_b_256x192", "b", "classic")


def vitpose_l_256x192() -> System:
    """ViTPose-L with deconvolutions on COCO at 256 x 192.

        vitruvian train vitpose_l_256x192 --data coco:person_keypoints_train2017.json

    Paper: 78.3 AP on val2017. Ours: not yet measured.
    """
    return _coco("vitpose_l_256x192", "l", "classic")


def vitpose_h_256x192() -> System:
    """ViTPose-H with deconvolutions on COCO at 256 x 192.

        vitruvian train vitpose_h_256x192 --data coco:person_keypoints_train2017.json

    Paper: 79.1 AP on val2017. Ours: not yet measured.
    """
    return _coco("vitpose_h_256x192", "h", "classic")


def vitpose_s_simple_256x192() -> System:
    """ViTPose-S with one convolution on COCO at 256 x 192.

        vitruvian train vitpose_s_simple_256x192 --data coco:person_keypoints_train2017.json

    Paper: 73.5 AP on val2017. Ours: not yet measured.
    """
    return _coco("vitpose_s_simple_256x192", "s", "simple")


def vitpose_b_simple_256x192() -> System:
    """ViTPose-B with one convolution on COCO at 256 x 192.

        vitruvian train vitpose_b_simple_256x192 --data coco:person_keypoints_train2017.json

    Paper: 75.5 AP on val2017. Ours: not yet measured.
    """
    return _coco("vitpose_b_simple_256x192", "b", "simple")


def vitpose_l_simple_256x192() -> System:
    """ViTPose-L with one convolution on COCO at 256 x 192.

        vitruvian train vitpose_l_simple_256x192 --data coco:person_keypoints_train2017.json

    Paper: 78.2 AP on val2017. Ours: not yet measured.
    """
    return _coco("vitpose_l_simple_256x192", "l", "simple")


def vitpose_h_simple_256x192() -> System:
    """ViTPose-H with one convolution on COCO at 256 x 192.

        vitruvian train vitpose_h_simple_256x192 --data coco:person_keypoints_train2017.json

    Paper: 78.9 AP on val2017. Ours: not yet measured.
    """
    return _coco("vitpose_h_simple_256x192", "h", "simple")
