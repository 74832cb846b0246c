"""RTMO: towards high-performance one-stage real-time multi-person pose estimation.

Lu, Jiang, Li, Li, Chen and Yang, CVPR 2024, https://arxiv.org/abs/2312.07526; checked against the
authors' code, open-mmlab/mmpose at 759b39c, whose checkpoints convert. Trunks start from YOLOX of
the same size: give MMDetection's checkpoint with ``--start``.

Differences from the authors:

- The 500 best cells are suppressed and the keypoints of the 50 best people that are left located,
  in the graph; theirs go on for everybody above the score.
- The first stage of their losses throughout; after 280 epochs theirs weigh the keypoints' bins five
  times as much and let them judge the scores. No L1 loss of boxes for the last 20 epochs.
- All keypoints count alike in the similarity that assigns and trains; theirs by COCO's sigmas.
- Bins are taught in the 64 cells of a view whose boxes overlap people most, in their own boxes.
- Scenes are single pictures of one size, without mosaics and without mixing two.
- The rate falls once, theirs rises again at 280 epochs; the encoder learns as fast as the rest.
- What a view shows beside its picture is black, theirs grey.
"""

from vitruvian.codecs.located import Located
from vitruvian.core.skeleton import skeleton
from vitruvian.image.augment import Augment
from vitruvian.systems.spec import Input, Recipe, System, Test


def _coco(name: str, variant: str, side: int) -> System:
    people = skeleton("coco17")
    return System(
        name=name,
        task="bottomup",
        net="rtmo:rtmo",
        net_args={"variant": variant, "channels": len(people), "people": 50},
        input=Input(size=(side, side), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), channels="bgr"),
        codec=Located(skeleton=people),
        skeleton=people,
        recipe=Recipe(
            epochs=600,
            batch=256,
            optimizer="adamw",
            lr=4e-3,
            weight_decay=0.05,
            schedule="cosine",
            floor=0.05,
            warmup=2000,
            clip_norm=0.1,
            ema=0.9998,
            loss="rtmo",
            augment=Augment(flip=0.5, scale=0.25, rotation=10.0, rotation_prob=1.0, colour=0.5),
        ),
        test=Test(flip=False, oks_nms=1.0),
        paper="Lu, Jiang, Li, Li, Chen, Yang: RTMO: towards high-performance one-stage real-time "
        "multi-person pose estimation, CVPR 2024",
        url="https://arxiv.org/abs/2312.07526",
    )


def rtmo_t_416() -> System:
    """RTMO-t at 416 x 416.

        vitruvian train rtmo_t_416 --data coco:person_keypoints_train2017.json

    Paper: 57.4 AP on val2017, trained on seven data sets. Ours: not yet measured.
    """
    return _coco("rtmo_t_416", "t", 416)


def rtmo_s_640() -> System:
    """RTMO-s at 640 x 640.

        vitruvian train rtmo_s_640 --data coco:person_keypoints_train2017.json

    Paper: 67.7 AP on val2017. Ours: not yet measured.
    """
    return _coco("rtmo_s_640", "s", 640)


def rtmo_m_640() -> System:
    """RTMO-m at 640 x 640.

        vitruvian train rtmo_m_640 --data coco:person_keypoints_train2017.json

    Paper: 70.9 AP on val2017. Ours: not yet measured.
    """
    return _coco("rtmo_m_640", "m", 640)


def rtmo_l_640() -> System:
    """RTMO-l at 640 x 640.

        vitruvian train rtmo_l_640 --data coco:person_keypoints_train2017.json

    Paper: 72.4 AP on val2017. Ours: not yet measured.
    """
    return _coco("rtmo_l_640", "l", 640)
