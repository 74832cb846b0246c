"""Deep high-resolution representation learning for human pose estimation: HRNet.

Sun, Xiao, Liu and Wang, CVPR 2019, https://arxiv.org/abs/1902.09212; checked against the authors'
code, leoxiaobin/deep-high-resolution-net.pytorch at 6f69e46. Their trunk starts from ImageNet
weights: give their classifier's checkpoint with ``--start``. Their scores on COCO are with boxes of
a detector of 56.4 person AP and the flip test; scores above them are with true boxes.

Kept on purpose: a crop and its cells are aligned at corners (``legacy``); the mirrored maps move
one cell right before averaging.

Differences from the authors:

- One process takes the batch that they spread over four devices, so normalisation sees all of it
  and not a quarter.
- The person detector is whichever the user chooses; their COCO boxes are not redistributed.
- COCO boxes are used as they are labelled; theirs lose one pixel of width and height.
- A mirrored training view is the plain one's mirror image; theirs lies one pixel to the right.
- A map without a positive cell gives no keypoint; theirs gives the corner (0, 0).
"""

from vitruvian.codecs.heatmap import Heatmap
from vitruvian.core.skeleton import skeleton
from vitruvian.image.augment import Augment
from vitruvian.systems.spec import Input, Recipe, System, Test


def _coco(name: str, net: str, size: tuple[int, int], *, batch: int = 128) -> System:
    """Sec. 4.1: sigma is 2 cells at 256 x 192 and 3 at 384 x 288."""
    augment = Augment(flip=0.5, scale=0.35, rotation=45.0, rotation_prob=0.6, half_body=0.3)
    test = Test(flip=True, shift_flipped=True, rescore=True, keypoint_floor=0.2, oks_nms=0.9)
    sigma = 2.0 if size == (256, 192) else 3.0
    return _page(name, net, "coco17", size, sigma, augment=augment, test=test, batch=batch)


def _mpii(name: str, net: str) -> System:
    """Sec. 4.2. One person per labelled box: nothing to rescore or to suppress."""
    augment = Augment(flip=0.5, scale=0.25, rotation=30.0, rotation_prob=0.6)
    test = Test(flip=True, shift_flipped=True, rescore=False, oks_nms=1.0)
    return _page(name, net, "mpii16", (256, 256), 2.0, augment=augment, test=test)


def _page(
    name: str,
    net: str,
    bones: str,
    size: tuple[int, int],
    sigma: float,
    *,
    augment: Augment,
    test: Test,
    batch: int = 128,
) -> System:
    people = skeleton(bones)
    return System(
        name=name,
        task="topdown",
        net=net,
        net_args={"channels": len(people)},
        input=Input(size=size, padding=1.25, align="legacy"),
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
            epochs=210,
            batch=batch,
            optimizer="adam",
            lr=1e-3,
            schedule="step",
            milestones=(170, 200),
            gamma=0.1,
            loss="joints_mse",
            augment=augment,
        ),
        test=test,
        paper="Sun, Xiao, Liu, Wang: Deep high-resolution representation learning for human pose "
        "estimation, CVPR 2019",
        url="https://arxiv.org/abs/1902.09212",
    )


def hrnet_w32_256x192() -> System:
    """HRNet-W32 on COCO at 256 x 192.

        vitruvian train hrnet_w32_256x192 --data coco:person_keypoints_train2017.json

    Paper: 74.4 AP on val2017. Ours: not yet measured.
    """
    return _coco("hrnet_w32_256x192", "hrnet:hrnet_w32", (256, 192))


def hrnet_w32_384x288() -> System:
    """HRNet-W32 on COCO at 384 x 288.

        vitruvian train hrnet_w32_384x288 --data coco:person_keypoints_train2017.json

    Paper: 75.8 AP on val2017. Ours: not yet measured.
    """
    return _coco("hrnet_w32_384x288", "hrnet:hrnet_w32", (384, 288))


def hrnet_w48_256x192() -> System:
    """HRNet-W48 on COCO at 256 x 192.

        vitruvian train hrnet_w48_256x192 --data coco:person_keypoints_train2017.json

    Paper: 75.1 AP on val2017. Ours: not yet measured.
    """
    return _coco("hrnet_w48_256x192", "hrnet:hrnet_w48", (256, 192))


def hrnet_w48_384x288() -> System:
    """HRNet-W48 on COCO at 384 x 288.

        vitruvian train hrnet_w48_384x288 --data coco:person_keypoints_train2017.json

    Paper: 76.3 AP on val2017. Ours: not yet measured.
    """
    return _coco("hrnet_w48_384x288", "hrnet:hrnet_w48", (384, 288), batch=96)


def hrnet_w32_mpii_256x256() -> System:
    """HRNet-W32 on MPII at 256 x 256.

        vitruvian train hrnet_w32_mpii_256x256 --data mpii:train.json

    Paper: 90.3 PCKh@0.5 on the validation split. Ours: not yet measured.
    """
    return _mpii("hrnet_w32_mpii_256x256", "hrnet:hrnet_w32")


def hrnet_w48_mpii_256x256() -> System:
    """HRNet-W48 on MPII at 256 x 256.

        vitruvian train hrnet_w48_mpii_256x256 --data mpii:train.json

    Paper: not reported. Ours: not yet measured.
    """
    return _mpii("hrnet_w48_mpii_256x256", "hrnet:hrnet_w48")
