"""FastPose: AlphaPose's single-person network.

Fang, Li, Tang, Xu, Zhu, Xiu, Li and Lu, "AlphaPose: whole-body regional multi-person pose
estimation and tracking in real-time", TPAMI 2022, https://arxiv.org/abs/2211.03375; the network and
its decoding were checked against the authors' code, MVIG-SJTU/AlphaPose at c60106d, which may not
be used commercially: nothing here comes from it. Trunks start from ImageNet weights: give a
torchvision checkpoint with ``--start``.

Kept on purpose: the mean that is taken from RGB pictures stands in BGR order, and nothing divides;
a crop and its cells are aligned at corners (``legacy``); the mirrored maps move one cell right.

Differences from the authors:

- No pose-guided proposals, and duplicates are dropped by OKS; the page of RMPE has their proposals
  and their parametric pose distance.
- The person detector is whichever the user chooses, theirs a YOLOv3.
- A map without a positive cell gives no keypoint; theirs gives a corner.
"""

from vitruvian.codecs.heatmap import Heatmap
from vitruvian.core.skeleton import skeleton
from vitruvian.image.augment import Augment
from vitruvian.systems.spec import Input, Recipe, System, Test


def _coco(name: str, depth: int) -> System:
    people = skeleton("coco17")
    return System(
        name=name,
        task="topdown",
        net="fastpose:fastpose",
        net_args={"depth": depth, "channels": len(people)},
        input=Input(
            size=(256, 192),
            padding=1.25,
            align="legacy",
            mean=(103.53, 116.535, 122.4),
            std=(255.0, 255.0, 255.0),
        ),
        codec=Heatmap(
            skeleton=people,
            stride=4,
            sigma=2.0,
            align="legacy",
            encoding="quantised",
            decoding="quarter",
        ),
        skeleton=people,
        recipe=Recipe(
            epochs=140,
            batch=128,
            optimizer="adam",
            lr=1e-3,
            schedule="step",
            milestones=(90, 120),
            gamma=0.1,
            loss="joints_mse",
            augment=Augment(flip=0.5, scale=0.3, rotation=40.0, rotation_prob=0.6),
        ),
        test=Test(flip=True, shift_flipped=True, rescore=True, keypoint_floor=0.2, oks_nms=0.9),
        paper="Fang, Li, Tang, Xu, Zhu, Xiu, Li, Lu: AlphaPose: whole-body regional multi-person "
        "pose estimation and tracking in real-time, TPAMI 2022",
        url="https://arxiv.org/abs/2211.03375",
    )


def fastpose_res50_256x192() -> System:
    """ResNet-50 on COCO at 256 x 192.

        vitruvian train fastpose_res50_256x192 --data coco:person_keypoints_train2017.json

    Paper: 72.0 AP on val2017, in their model zoo. Ours: not yet measured.
    """
    return _coco("fastpose_res50_256x192", 50)


def fastpose_res101_256x192() -> System:
    """ResNet-101 on COCO at 256 x 192.

        vitruvian train fastpose_res101_256x192 --data coco:person_keypoints_train2017.json

    Paper: not reported. Ours: not yet measured.
    """
    return _coco("fastpose_res101_256x192", 101)


def fastpose_res152_256x192() -> System:
    """ResNet-152 on COCO at 256 x 192.

        vitruvian train fastpose_res152_256x192 --data coco:person_keypoints_train2017.json

    Paper: not reported. Ours: not yet measured.
    """
    return _coco("fastpose_res152_256x192", 152)
