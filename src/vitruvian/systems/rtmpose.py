"""RTMPose: real-time multi-person pose estimation based on MMPose.

Jiang, Lu, Zhang, Ma, Han, Lyu, Li and Chen, arXiv 2023, https://arxiv.org/abs/2303.07399; checked
against the authors' code, open-mmlab/mmpose at 759b39c. Their trunks start from CSPNeXt trained on
ImageNet and then on heat maps of AIC and COCO: give such a checkpoint with ``--start``. Their
scores are with boxes of a detector of 56.4 person AP and the flip test.

Kept on purpose: keypoint scores are raw values of the network; the loss grows with the batch.

Differences from the authors:

- One process takes a batch of 1024, for which their rate is meant; their configuration takes 2048.
- One stage of augmentation, the first; theirs narrows over the last 30 epochs.
- Blur comes in one kind, colours change otherwise than by their fixed steps of hue, saturation and
  value, and up to three patches are covered, theirs one.
- The average of the weights follows them faster at first by another formula.
- The person detector is whichever the user chooses; their COCO boxes are not redistributed.
- A keypoint scores at most 1; raw values may be higher.
"""

from vitruvian.codecs.simcc import Simcc
from vitruvian.core.skeleton import skeleton
from vitruvian.image.augment import Augment
from vitruvian.systems.spec import Input, Recipe, System, Test


def _coco(name: str, variant: str, size: tuple[int, int]) -> System:
    """Decay and the average of the weights are for the larger networks (Table 2)."""
    people = skeleton("coco17")
    sigma = (4.9, 5.66) if size == (256, 192) else (6.0, 6.93)
    return System(
        name=name,
        task="topdown",
        net="rtmpose:rtmpose",
        net_args={"variant": variant, "channels": len(people), "size": size},
        input=Input(size=size, padding=1.25, align="legacy"),
        codec=Simcc(skeleton=people, sigma=sigma, split=2.0, density=False),
        skeleton=people,
        recipe=Recipe(
            epochs=420,
            batch=1024,
            optimizer="adamw",
            lr=4e-3,
            weight_decay=0.0 if variant in ("t", "s") else 0.05,
            schedule="cosine",
            hold=210,
            floor=0.05,
            warmup=1000,
            ema=0.0 if variant == "t" else 0.9998,
            loss="rtmpose_kl",
            augment=Augment(
                flip=0.5,
                scale=0.4,
                rotation=40.0,
                rotation_prob=0.6,
                shift=0.025,
                half_body=0.3,
                occlude=1.0,
                colour=0.3,
                blur=0.2,
            ),
        ),
        test=Test(flip=True, rescore=True, keypoint_floor=0.2, oks_nms=0.9),
        paper="Jiang, Lu, Zhang, Ma, Han, Lyu, Li, Chen: RTMPose: real-time multi-person pose "
        "estimation based on MMPose, arXiv 2023",
        url="https://arxiv.org/abs/2303.07399",
    )


def rtmpose_t_256x192() -> System:
    """RTMPose-t on COCO at 256 x 192.

        vitruvian train rtmpose_t_256x192 --data coco:person_keypoints_train2017.json

    Paper: 68.2 AP on val2017, trained on COCO alone. Ours: not yet measured.
    """
    return _coco("rtmpose_t_256x192", "t", (256, 192))


def rtmpose_s_256x192() -> System:
    """RTMPose-s on COCO at 256 x 192.

        vitruvian train rtmpose_s_256x192 --data coco:person_keypoints_train2017.json

    Paper: 71.6 AP on val2017, trained on COCO alone. Ours: not yet measured.
    """
    return _coco("rtmpose_s_256x192", "s", (256, 192))


def rtmpose_m_256x192() -> System:
    """RTMPose-m on COCO at 256 x 192.

        vitruvian train rtmpose_m_256x192 --data coco:person_keypoints_train2017.json

    Paper: 74.6 AP on val2017, trained on COCO alone. Ours: not yet measured.
    """
    return _coco("rtmpose_m_256x192", "m", (256, 192))


def rtmpose_l_256x192() -> System:
    """RTMPose-l on COCO at 256 x 192.

        vitruvian train rtmpose_l_256x192 --data coco:person_keypoints_train2017.json

    Paper: 75.8 AP on val2017, trained on COCO alone. Ours: not yet measured.
    """
    return _coco("rtmpose_l_256x192", "l", (256, 192))


def rtmpose_m_384x288() -> System:
    """RTMPose-m on COCO at 384 x 288.

        vitruvian train rtmpose_m_384x288 --data coco:person_keypoints_train2017.json

    Paper: 77.0 AP on val2017, trained on AIC and COCO. Ours: not yet measured.
    """
    return _coco("rtmpose_m_384x288", "m", (384, 288))


def rtmpose_l_384x288() -> System:
    """RTMPose-l on COCO at 384 x 288.

        vitruvian train rtmpose_l_384x288 --data coco:person_keypoints_train2017.json

    Paper: 77.3 AP on val2017, trained on AIC and COCO. Ours: not yet measured.
    """
    return _coco("rtmpose_l_384x288", "l", (384, 288))
