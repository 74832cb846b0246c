"""RTMDet: an empirical study of designing real-time object detectors, for people alone.

Lyu, Zhang, Huang, Zhou, Wang, Liu, Zhang and Chen, arXiv 2022, https://arxiv.org/abs/2212.07784;
checked against the authors' code, open-mmlab/mmdetection at 3.3.0, and the person configurations of
open-mmlab/mmpose at 759b39c, whose nano is the detector of RTMPose. Their checkpoints convert.

Differences from the authors:

- Scenes are made as for our other detectors (``train/scenes.py``): one, four or nine pictures,
  which cover the whole of the last epochs too. Theirs are mosaics without a second stage of plain
  pictures for the last 20 epochs; tiny also mixes pairs of scenes.
- Where a picture is not fully labelled, an empty place teaches "nobody" with less weight.
- What a view shows beside its picture is black, theirs grey.
- One process takes a batch of 256 like their eight.
"""

from vitruvian.codecs.points import Points
from vitruvian.image.augment import Augment
from vitruvian.systems.spec import Input, Recipe, System

PAPER = (
    "Lyu, Zhang, Huang, Zhou, Wang, Liu, Zhang, Chen: RTMDet: an empirical study of designing "
    "real-time object detectors, arXiv 2022"
)
URL = "https://arxiv.org/abs/2212.07784"


def _person(name: str, variant: str, side: int, epochs: int) -> System:
    return System(
        name=name,
        task="detector",
        net="rtmdet:rtmdet",
        net_args={"variant": variant},
        input=Input(
            size=(side, side),
            mean=(103.53, 116.28, 123.675),
            std=(57.375, 57.12, 58.395),
            channels="bgr",
        ),
        codec=Points(),
        recipe=Recipe(
            epochs=epochs,
            batch=256,
            optimizer="adamw",
            lr=4e-3,
            weight_decay=0.05,
            schedule="cosine",
            hold=epochs // 2,
            floor=0.05,
            warmup=1000,
            ema=0.9998,
            loss="rtmdet",
            augment=Augment(scale=0.0, rotation=0.0, rotation_prob=0.0, colour=0.5, occlude=0.0),
        ),
        paper=PAPER,
        url=URL,
    )


def rtmdet_nano_person_320() -> System:
    """RTMDet-nano at 320 x 320, RTMPose's detector for small machines.

        vitruvian train rtmdet_nano_person_320 --data coco:person_keypoints_train2017.json

    Paper: 40.3 person AP on val2017, trained on COCO and Objects365. Ours: not yet measured.
    """
    return _person("rtmdet_nano_person_320", "nano", 320, 100)


def rtmdet_tiny_person_640() -> System:
    """RTMDet-tiny at 640 x 640.

        vitruvian train rtmdet_tiny_person_640 --data coco:person_keypoints_train2017.json

    Paper: 40.9 AP over the 80 classes of COCO; people alone are not reported. Ours: not yet
    measured.
    """
    return _person("rtmdet_tiny_person_640", "tiny", 640, 300)
