"""SimCC: a simple coordinate classification perspective for human pose estimation.

Li, Yang, Liu, Zhang, Wang, Yang, Yang and Zhou, ECCV 2022, https://arxiv.org/abs/2107.03332;
checked against the authors' code, leeyegy/SimCC at aa6e089, and MMPose's. Their trunks start from
ImageNet weights: give a torchvision checkpoint, or HRNet's, with ``--start``. Their scores are with
boxes of a detector of 56.4 person AP and the flip test.

At 256 x 192 targets are one bin with the rest smoothed, the paper's SimDR; at 384 x 288 they are
Gaussians, its SimDR*.

Kept on purpose: a crop is aligned at corners (``legacy``); the mirrored row moves one bin left,
where k - 1 would be right; keypoint scores are chances of a bin and so are small.

Differences from the authors:

- The two answers of the flip test are averaged before the softmax; SimDR averages chances.
- One process takes the batch of 128 that they spread over four devices.
- The person detector is whichever the user chooses; their COCO boxes are not redistributed.
- COCO boxes are used as they are labelled; theirs lose one pixel of width and height.
"""

from vitruvian.codecs.simcc import Simcc
from vitruvian.core.skeleton import skeleton
from vitruvian.image.augment import Augment
from vitruvian.systems.spec import Input, Recipe, System, Test


def _smooth() -> Simcc:
    return Simcc(skeleton=skeleton("coco17"), target="smooth", epsilon=0.1, split=2.0, softmax=True)


def _gaussian(sigma: float, split: float) -> Simcc:
    return Simcc(
        skeleton=skeleton("coco17"),
        sigma=(sigma, sigma),
        exact=True,
        split=split,
        softmax=True,
    )


def _resnet(name: str, depth: int, size: tuple[int, int], codec: Simcc) -> System:
    augment = Augment(flip=0.5, scale=0.3, rotation=40.0, rotation_prob=0.6)
    args: dict[str, object] = {"depth": depth}
    recipe = _recipe(codec, 140, (90, 120), augment)
    return _page(name, "simcc:simcc_res", args, size, codec, recipe)


def _hrnet(name: str, width: int, size: tuple[int, int], codec: Simcc) -> System:
    augment = Augment(flip=0.5, scale=0.35, rotation=45.0, rotation_prob=0.6, half_body=0.3)
    args: dict[str, object] = {"width": width}
    recipe = _recipe(codec, 210, (170, 200), augment)
    return _page(name, "simcc:simcc_hrnet", args, size, codec, recipe)


def _recipe(codec: Simcc, epochs: int, milestones: tuple[int, int], augment: Augment) -> Recipe:
    return Recipe(
        epochs=epochs,
        batch=128,
        optimizer="adam",
        lr=1e-3,
        schedule="step",
        milestones=milestones,
        gamma=0.1,
        loss="simcc_kl_sum" if codec.target == "smooth" else "simcc_kl",
        augment=augment,
    )


def _page(
    name: str,
    net: str,
    args: dict[str, object],
    size: tuple[int, int],
    codec: Simcc,
    recipe: Recipe,
) -> System:
    people = codec.skeleton
    return System(
        name=name,
        task="topdown",
        net=net,
        net_args=args | {"channels": len(people), "size": size, "split": codec.split},
        input=Input(size=size, padding=1.25, align="legacy"),
        codec=codec,
        skeleton=people,
        recipe=recipe,
        test=Test(flip=True, shift_flipped=True, rescore=True, keypoint_floor=0.01, oks_nms=0.9),
        paper="Li, Yang, Liu, Zhang, Wang, Yang, Yang, Zhou: SimCC: a simple coordinate "
        "classification perspective for human pose estimation, ECCV 2022",
        url="https://arxiv.org/abs/2107.03332",
    )


def simcc_res50_256x192() -> System:
    """SimpleBaselines-ResNet-50 on COCO at 256 x 192.

        vitruvian train simcc_res50_256x192 --data coco:person_keypoints_train2017.json

    Paper: 71.4 AP on val2017. Ours: not yet measured.
    """
    return _resnet("simcc_res50_256x192", 50, (256, 192), _smooth())


def simcc_res101_256x192() -> System:
    """SimpleBaselines-ResNet-101 on COCO at 256 x 192.

        vitruvian train simcc_res101_256x192 --data coco:person_keypoints_train2017.json

    Paper: 72.3 AP on val2017. Ours: not yet measured.
    """
    return _resnet("simcc_res101_256x192", 101, (256, 192), _smooth())


def simcc_res50_384x288() -> System:
    """SimpleBaselines-ResNet-50 on COCO at 384 x 288.

        vitruvian train simcc_res50_384x288 --data coco:person_keypoints_train2017.json

    Paper: 73.4 AP on val2017. Ours: not yet measured.
    """
    return _resnet("simcc_res50_384x288", 50, (384, 288), _gaussian(6.0, 2.0))


def simcc_hrnet_w32_256x192() -> System:
    """HRNet-W32 on COCO at 256 x 192.

        vitruvian train simcc_hrnet_w32_256x192 --data coco:person_keypoints_train2017.json

    Paper: 75.3 AP on val2017. Ours: not yet measured.
    """
    return _hrnet("simcc_hrnet_w32_256x192", 32, (256, 192), _smooth())


def simcc_hrnet_w48_256x192() -> System:
    """HRNet-W48 on COCO at 256 x 192.

        vitruvian train simcc_hrnet_w48_256x192 --data coco:person_keypoints_train2017.json

    Paper: 75.9 AP on val2017. Ours: not yet measured.
    """
    return _hrnet("simcc_hrnet_w48_256x192", 48, (256, 192), _smooth())


def simcc_hrnet_w48_384x288() -> System:
    """HRNet-W48 on COCO at 384 x 288.

        vitruvian train simcc_hrnet_w48_384x288 --data coco:person_keypoints_train2017.json

    Paper: 76.9 AP on val2017. Ours: not yet measured.
    """
    return _hrnet("simcc_hrnet_w48_384x288", 48, (384, 288), _gaussian(4.0, 1.5))
