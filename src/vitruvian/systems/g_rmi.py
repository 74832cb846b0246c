"""Towards accurate multi-person pose estimation in the wild: G-RMI.

Papandreou et al., CVPR 2017, https://arxiv.org/abs/1701.01779. There is no public code: settings
are those of the paper, and nothing of this page could be checked against an implementation. The
trunk starts from ImageNet weights: give a torchvision checkpoint with ``--start``.

Differences from the paper:

- Maps stay at stride 8. The paper upsamples them bilinearly to one cell per pixel before the loss
  and the votes; here a cell casts the votes of the pixels it covers, into bins of 4 pixels.
- No auxiliary heat map halfway through the trunk.
- Keypoints of other people in the crop are background, not ignored.
- The crop grows by clip(1.25 + 0.25 N(0, 1)), within the paper's 1 to 1.5; the paper draws evenly.
- Offsets are regressed in units of the disc's radius; the Huber loss turns linear at one radius.
- One process with batches of 24; the paper trains asynchronously. Its 800,000 steps are 128 epochs
  of COCO's 149,813 people.
- The person detector is whichever the user chooses, the paper's a Faster R-CNN
  (``systems/faster_rcnn.py``); with it, this is the pipeline ``grmi`` of ``systems/pipelines.py``.
"""

from vitruvian.codecs.disk_offset import DiskOffset
from vitruvian.core.skeleton import skeleton
from vitruvian.image.augment import Augment
from vitruvian.systems.small import heads_recipe
from vitruvian.systems.spec import Input, Recipe, System, Test

TEST = Test(rescoring="pose", keypoint_floor=-1.0, oks_nms=0.5)
"""A person scores the mean of its keypoints' highest votes; duplicates go by OKS (Sec. 3.3)."""


def g_rmi_res101_353x257() -> System:
    """ResNet-101 on COCO at 353 x 257.

        vitruvian train g_rmi_res101_353x257 --data coco:person_keypoints_train2017.json

    Paper: 64.9 AP on test-dev with its own detector. Ours: not yet measured.
    """
    people = skeleton("coco17")
    return System(
        name="g_rmi_res101_353x257",
        task="topdown",
        net="g_rmi:g_rmi",
        net_args={"depth": 101, "channels": len(people)},
        input=Input(size=(353, 257), padding=1.25, align="udp"),
        codec=DiskOffset(skeleton=people, stride=8, radius=25.0, align="udp", decoding="hough"),
        skeleton=people,
        recipe=Recipe(
            epochs=128,
            batch=24,
            optimizer="sgd",
            lr=5e-3,
            momentum=0.9,
            schedule="step",
            ema=0.9999,
            loss="heatmap=disk_logistic*4,offset=huber*1",
            augment=Augment(flip=0.5, scale=0.2, rotation=0.0, rotation_prob=0.0),
        ),
        test=TEST,
        paper="Papandreou, Zhu, Kanazawa, Toshev, Tompson, Bregler, Murphy: Towards accurate "
        "multi-person pose estimation in the wild, CVPR 2017",
        url="https://arxiv.org/abs/1701.01779",
    )


def g_rmi_s() -> System:
    """The same targets, losses, votes and scores on the bundled pose network's features, 192 x 144.

    Not the paper's network: half a million parameters, of which only the head is taught. Cells are
    finer, at stride 4; discs shrink with the view, to a radius of 14 pixels; votes of so small a
    network scatter, so their kernel is wider.

        vitruvian train g_rmi_s --start pose.safetensors --data coco:TRAIN.json

    Paper: has no such network. Ours: see docs/models/g_rmi.md.
    """
    people = skeleton("coco17")
    return System(
        name="g_rmi_s",
        task="topdown",
        net="small:small_disk",
        net_args={"channels": len(people)},
        input=Input(size=(192, 144), padding=1.25),
        codec=DiskOffset(skeleton=people, stride=4, radius=14.0, kernel=10.0),
        skeleton=people,
        recipe=heads_recipe("heatmap=disk_logistic*4,offset=huber*1"),
        test=TEST,
        paper="Papandreou, Zhu, Kanazawa, Toshev, Tompson, Bregler, Murphy: Towards accurate "
        "multi-person pose estimation in the wild, CVPR 2017",
        url="https://arxiv.org/abs/1701.01779",
        licence="Apache-2.0",
    )
