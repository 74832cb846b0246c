"""Mask R-CNN, its keypoint branch: boxes of people, and a map of each keypoint in every box.

He, Gkioxari, Dollar and Girshick, ICCV 2017, https://arxiv.org/abs/1703.06870; checked against
torchvision 0.29 (head, decoding) and detectron2 at 02b5c4e (decoding, the cells that training asks
for). torchvision's checkpoint converts; the trunk starts from ImageNet weights with ``--start``.

Differences from detectron2 and torchvision:

- Keypoints are looked for in the 20 best boxes of a view, theirs in up to 100: every box costs as
  much as a small network, so a graph of fixed shapes pays for each.
- RoIAlign is torchvision's: two samples a bin, no half cell. detectron2 takes one sample a cell.
- Pictures lie in the top left of a view of 800 x 1344 and are not enlarged beyond it; theirs have a
  short side of 800 pixels, and while training one of 640 to 800.
- The boxes' own maps teach of at most 20 boxes a view, theirs of 128.
- People score as their boxes, and keypoints their share of a map's softmax: detectron2's rule.
"""

from dataclasses import replace

from vitruvian.codecs.roi_keypoints import RoiKeypoints
from vitruvian.core.skeleton import skeleton
from vitruvian.image.augment import Augment
from vitruvian.systems.small import heads_recipe
from vitruvian.systems.spec import Input, Recipe, System, Test

_PAPER = "He, Gkioxari, Dollar, Girshick: Mask R-CNN, ICCV 2017"
_URL = "https://arxiv.org/abs/1703.06870"
_VIEWS = Augment(zoom=(0.9, 1.6), rotation=15.0, rotation_prob=0.5, shift=0.05)


def mask_rcnn_res50_800x1344() -> System:
    """ResNet-50 with a feature pyramid on COCO.

        vitruvian train mask_rcnn_res50_800x1344 --data coco:person_keypoints_train2017.json

    Paper: 62.7 AP on test-dev; detectron2 64.0 on val2017, 65.5 if trained three times as long.
    Ours: not yet measured.
    """
    people = skeleton("coco17")
    return System(
        name="mask_rcnn_res50_800x1344",
        task="bottomup",
        net="mask_rcnn:mask_rcnn",
        net_args={"depth": 50, "channels": len(people), "people": 20},
        input=Input(size=(800, 1344)),
        codec=RoiKeypoints(skeleton=people, people=20),
        skeleton=people,
        recipe=Recipe(
            epochs=26,
            batch=16,
            optimizer="sgd",
            lr=0.02,
            momentum=0.9,
            weight_decay=1e-4,
            schedule="step",
            milestones=(18, 24),
            warmup=1000,
            loss="mask_rcnn",
            augment=Augment(flip=0.5, scale=0.1, rotation=0.0, rotation_prob=0.0),
        ),
        test=Test(flip=False, oks_nms=1.0),
        paper=_PAPER,
        url=_URL,
    )


def mask_rcnn_s() -> System:
    """The bundled detector's boxes, and maps in them on the bundled pose network's features.

    Not the authors' network: both looks have trunks of their own, which stay as they are; what is
    taught is the second one's head, the pose network's last layer and three convolutions that add
    to it. It reads one map, of stride 4, in boxes a tenth larger than the detector's, and learns
    from the people's boxes, shaken. Views are of 320 x 320, with at most 10 people.

        vitruvian train mask_rcnn_s --start mask_rcnn_s.safetensors --fresh keypoints
            --data coco:TRAIN.json

    goes on from both trunks' weights in one file, as ``experiments/rois.py`` writes it.

    Paper: has no such network. Ours: see docs/models/mask_rcnn.md.
    """
    people = skeleton("coco17")
    recipe = heads_recipe("roi_keypoints")
    return System(
        name="mask_rcnn_s",
        task="bottomup",
        net="small:small_rois",
        net_args={"channels": len(people), "people": 10},
        input=Input(size=(320, 320)),
        codec=RoiKeypoints(skeleton=people, people=10, threshold=0.3),
        skeleton=people,
        recipe=replace(recipe, freeze=("trunk", "spotter"), augment=_VIEWS),
        test=Test(flip=False, oks_nms=1.0),
        paper=_PAPER,
        url=_URL,
        licence="Apache-2.0",
    )
