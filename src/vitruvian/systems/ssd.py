"""SSD: single shot multibox detector, for people alone.

Liu, Anguelov, Erhan, Szegedy, Reed, Fu and Berg, ECCV 2016, https://arxiv.org/abs/1512.02325. The
person detector of several pose papers. The trunk starts from ImageNet weights: give torchvision's
VGG-16 with ``--start``. The authors' checkpoints are Caffe's and cannot be loaded.

Differences from the authors:

- People alone are taught and found, theirs 80 classes.
- Pictures keep their shape, in the top left of a square view; theirs are stretched to it.
- Scenes are made as for our other detectors (``train/scenes.py``), theirs are crops of set overlap.
- In a picture without people one box without anybody is taught; theirs are left out.
- ImageNet's mean and deviation, theirs a mean alone; the classifier's two layers start anew.
"""

from vitruvian.codecs.anchors import Anchors
from vitruvian.image.augment import Augment
from vitruvian.systems.spec import Input, Recipe, System


def ssd_512() -> System:
    """SSD512 on VGG-16.

        vitruvian train ssd_512 --data coco:person_keypoints_train2017.json

    Paper: 26.8 AP over the 80 classes of COCO on test-dev, later 28.8; people alone are not
    reported. Ours: not yet measured.
    """
    return System(
        name="ssd_512",
        task="detector",
        net="ssd:ssd",
        net_args={"classes": 2, "size": (512, 512)},
        input=Input(size=(512, 512)),
        codec=Anchors(),
        recipe=Recipe(
            epochs=110,
            batch=32,
            optimizer="sgd",
            lr=1e-3,
            momentum=0.9,
            weight_decay=5e-4,
            schedule="step",
            milestones=(77, 99),
            warmup=500,
            loss="multibox",
            augment=Augment(scale=0.0, rotation=0.0, rotation_prob=0.0, colour=0.8),
        ),
        paper="Liu, Anguelov, Erhan, Szegedy, Reed, Fu, Berg: SSD: single shot multibox detector, "
        "ECCV 2016",
        url="https://arxiv.org/abs/1512.02325",
    )
