"""Simple baselines for human pose estimation and tracking: a ResNet and three deconvolutions.

Xiao, Wu and Wei, ECCV 2018, https://arxiv.org/abs/1804.06208; checked against the authors' code,
microsoft/human-pose-estimation.pytorch at 49f3f44. Their trunk starts from ImageNet weights: give a
torchvision checkpoint with ``--start``. Their scores on COCO are with boxes of a detector of 56.4
person AP and the flip test; scores above them, seen elsewhere, are with true boxes.

Kept on purpose: pictures are BGR while mean and standard deviation stand in RGB order, as in the
released weights; a crop and its cells are aligned at corners (``legacy``); the mirrored maps move
one cell right before averaging.

Differences from the authors:

- One process takes the batch of 128 that they spread over four devices, so normalisation sees 128
  pictures and not 32.
- The person detector is whichever the user chooses; their COCO boxes are not redistributed.
- COCO boxes are used as they are labelled; theirs lose one pixel of width and height.
- A mirrored training view is the plain one's mirror image; theirs lies one pixel to the right.
- A map without a positive cell gives no keypoint; theirs gives the corner (0, 0).
"""

from vitruvian.codecs.heatmap import Heatmap
from vitruvian.core.skeleton import skeleton
from vitruvian.image.augment import Augment
from vitruvian.systems.spec import Input, Recipe, System, Test


def _coco(name: str, depth: int, size: tuple[int, int]) -> System:
    """Sec. 3.1 and 4.1: sigma is 2 cells at 256 x 192 and 3 at 384 x 288."""
    augment = Augment(flip=0.5, scale=0.3, rotation=40.0, rotation_prob=0.6)
    test = Test(flip=True, shift_flipped=True, rescore=True, keypoint_floor=0.2, oks_nms=0.9)
    sigma = 2.0 if size == (256, 192) else 3.0
    return _page(name, depth, "coco17", size, sigma, augment=augment, test=test)


def _mpii(name: str, depth: int) -> System:
    """One person per labelled box: nothing to rescore or to suppress."""
    augment = Augment(flip=0.5, scale=0.25, rotation=30.0, rotation_prob=0.6)
    test = Test(flip=True, shift_flipped=True, rescore=False, oks_nms=1.0)
    return _page(name, depth, "mpii16", (256, 256), 2.0, augment=augment, test=test)


def _page(
    name: str,
    depth: int,
    bones: str,
    size: tuple[int, int],
    sigma: float,
    *,
    augment: Augment,
    test: Test,
) -> System:
    people = skeleton(bones)
    return System(
        name=name,
        task="topdown",
        net="simplebaselines:simplebaselines",
        net_args={"depth": depth, "channels": len(people)},
        input=Input(size=size, padding=1.25, align="legacy", channels="bgr"),
        codec=Heatmap(
            skeleton=people,
            stride=4,
            sigma=sigma,
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
            augment=augment,
        ),
        test=test,
        paper="Xiao, Wu, Wei: Simple baselines for human pose estimation and tracking, ECCV 2018",
        url="https://arxiv.org/abs/1804.06208",
    )


def simplebaselines_res50_256x192() -> System:
    """ResNet-50 on COCO at 256 x 192.

        vitruvian train simplebaselines_res50_256x192 --data coco:person_keypoints_train2017.json

    Paper: 70.4 AP on val2017. Ours: not yet measured.
    """
    return _coco("simplebaselines_res50_256x192", 50, (256, 192))


def simplebaselines_res50_384x288() -> System:
    """ResNet-50 on COCO at 384 x 288.

        vitruvian train simplebaselines_res50_384x288 --data coco:person_keypoints_train2017.json

    Paper: 72.2 AP on val2017. Ours: not yet measured.
    """
    return _coco("simplebaselines_res50_384x288", 50, (384, 288))


def simplebaselines_res101_256x192() -> System:
    """ResNet-101 on COCO at 256 x 192.

        vitruvian train simplebaselines_res101_256x192 --data coco:person_keypoints_train2017.json

    Paper: 71.4 AP on val2017. Ours: not yet measured.
    """
    return _coco("simplebaselines_res101_256x192", 101, (256, 192))


def simplebaselines_res101_384x288() -> System:
    """ResNet-101 on COCO at 384 x 288.

        vitruvian train simplebaselines_res101_384x288 --data coco:person_keypoints_train2017.json

    Paper: 73.6 AP on val2017. Ours: not yet measured.
    """
    return _coco("simplebaselines_res101_384x288", 101, (384, 288))


def simplebaselines_res152_256x192() -> System:
    """ResNet-152 on COCO at 256 x 192.

        vitruvian train simplebaselines_res152_256x192 --data coco:person_keypoints_train2017.json

    Paper: 72.0 AP on val2017. Ours: not yet measured.
    """
    return _coco("simplebaselines_res152_256x192", 152, (256, 192))


def simplebaselines_res152_384x288() -> System:
    """ResNet-152 on COCO at 384 x 288.

        vitruvian train simplebaselines_res152_384x288 --data coco:person_keypoints_train2017.json

    Paper: 74.3 AP on val2017. Ours: not yet measured.
    """
    return _coco("simplebaselines_res152_384x288", 152, (384, 288))


def simplebaselines_res50_mpii_256x256() -> System:
    """ResNet-50 on MPII at 256 x 256.

        vitruvian train simplebaselines_res50_mpii_256x256 --data mpii:train.json

    Paper: 88.5 PCKh@0.5 on the validation split. Ours: not yet measured.
    """
    return _mpii("simplebaselines_res50_mpii_256x256", 50)


def simplebaselines_res101_mpii_256x256() -> System:
    """ResNet-101 on MPII at 256 x 256.

        vitruvian train simplebaselines_res101_mpii_256x256 --data mpii:train.json

    Paper: 89.1 PCKh@0.5 on the validation split. Ours: not yet measured.
    """
    return _mpii("simplebaselines_res101_mpii_256x256", 101)


def simplebaselines_res152_mpii_256x256() -> System:
    """ResNet-152 on MPII at 256 x 256.

        vitruvian train simplebaselines_res152_mpii_256x256 --data mpii:train.json

    Paper: 89.6 PCKh@0.5 on the validation split. Ours: not yet measured.
    """
    return _mpii("simplebaselines_res152_mpii_256x256", 152)
