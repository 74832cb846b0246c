"""Faster R-CNN: towards real-time object detection with region proposal networks.

Ren, He, Girshick and Sun, NeurIPS 2015, https://arxiv.org/abs/1506.01497; with feature pyramids
(Lin et al. 2017, https://arxiv.org/abs/1612.03144) as torchvision 0.29 has it, whose checkpoint of
91 classes converts, and as the detector of G-RMI (Papandreou et al. 2017,
https://arxiv.org/abs/1701.01779), of which no code is public: there, proposals and anchors follow
TensorFlow's object detection library. Trunks start from ImageNet weights, whose normalisation stays
as it is: give a torchvision checkpoint with ``--start``.

Differences from torchvision, and from the papers where nothing else is said:

- Pictures lie in the top left of a view of one size and are not enlarged beyond it; theirs have a
  short side of 800 pixels whatever the long one is, up to 1333.
- Scenes are made as for our other detectors (``train/scenes.py``), which mix four or nine pictures
  in half of them; where a picture is not fully labelled, "nobody" counts less.
- While training, proposals are as many as while testing, 1000; torchvision takes twice that.
- The recipe is that of one process with a batch of 16; the schedule is theirs in epochs.
- People alone are taught and found, also by a network of 91 classes.
"""

from vitruvian.codecs.proposals import Proposals
from vitruvian.image.augment import Augment
from vitruvian.systems.spec import Input, Recipe, System


def _recipe(batch: int, lr: float, epochs: int) -> Recipe:
    return Recipe(
        epochs=epochs,
        batch=batch,
        optimizer="sgd",
        lr=lr,
        momentum=0.9,
        weight_decay=1e-4,
        schedule="step",
        milestones=(epochs * 2 // 3, epochs * 11 // 12),
        warmup=1000,
        loss="two_stage",
        augment=Augment(scale=0.0, rotation=0.0, rotation_prob=0.0),
    )


def faster_rcnn_res50_fpn_800x1344() -> System:
    """ResNet-50 with a feature pyramid, for people.

        vitruvian train faster_rcnn_res50_fpn_800x1344 --data coco:person_keypoints_train2017.json

    Paper: 37.0 AP over the 80 classes of COCO (torchvision; detectron2 40.2, trained three times
    as long). Ours: not yet measured.
    """
    return System(
        name="faster_rcnn_res50_fpn_800x1344",
        task="detector",
        net="faster_rcnn:faster_rcnn_fpn",
        net_args={"depth": 50, "classes": 2},
        input=Input(size=(800, 1344)),
        codec=Proposals(),
        recipe=_recipe(16, 0.02, 26),
        paper="Ren, He, Girshick, Sun: Faster R-CNN: towards real-time object detection with "
        "region proposal networks, NeurIPS 2015",
        url="https://arxiv.org/abs/1506.01497",
    )


def faster_rcnn_coco91_800x1344() -> System:
    """The same with the 91 classes of torchvision's checkpoint, of which people are read.

        vitruvian train faster_rcnn_coco91_800x1344 --data coco:person_keypoints_train2017.json

    Paper: 37.0 AP over the 80 classes of COCO (torchvision). Ours: not yet measured.
    """
    return System(
        name="faster_rcnn_coco91_800x1344",
        task="detector",
        net="faster_rcnn:faster_rcnn_fpn",
        net_args={"depth": 50, "classes": 91},
        input=Input(size=(800, 1344)),
        codec=Proposals(classes=91),
        recipe=_recipe(16, 0.02, 26),
        paper="Ren, He, Girshick, Sun: Faster R-CNN: towards real-time object detection with "
        "region proposal networks, NeurIPS 2015",
        url="https://arxiv.org/abs/1506.01497",
    )


def _g_rmi(name: str, size: tuple[int, int]) -> System:
    return System(
        name=name,
        task="detector",
        net="faster_rcnn:faster_rcnn_atrous",
        net_args={"depth": 101, "classes": 2},
        input=Input(size=size),
        codec=Proposals(rows=300, iou=0.6),
        recipe=_recipe(9, 3e-4, 60),
        paper="Papandreou, Zhu, Kanazawa, Toshev, Tompson, Bregler, Murphy: Towards accurate "
        "multi-person pose estimation in the wild, CVPR 2017",
        url="https://arxiv.org/abs/1701.01779",
    )


def faster_rcnn_g_rmi_600x900() -> System:
    """G-RMI's fast detector: ResNet-101 at stride 8; rate and batch are TensorFlow's.

        vitruvian train faster_rcnn_g_rmi_600x900 --data coco:person_keypoints_train2017.json

    Paper: not reported alone. Ours: not yet measured.
    """
    return _g_rmi("faster_rcnn_g_rmi_600x900", (600, 900))


def faster_rcnn_g_rmi_800x1200() -> System:
    """G-RMI's accurate detector: ResNet-101 at stride 8; rate and batch are TensorFlow's.

        vitruvian train faster_rcnn_g_rmi_800x1200 --data coco:person_keypoints_train2017.json

    Paper: not reported alone. Ours: not yet measured.
    """
    return _g_rmi("faster_rcnn_g_rmi_800x1200", (800, 1200))
