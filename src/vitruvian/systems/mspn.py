"""MSPN: rethinking on multi-stage networks for human pose estimation.

Li, Wang, Yin, Peng, Du, Xiao, Yu, Lu, Wei and Sun, arXiv 2019, https://arxiv.org/abs/1901.00148;
checked against the authors' code, megvii-research/MSPN at a84f750. The first stage's trunk may
start from ImageNet weights: give a torchvision checkpoint with ``--start``. Their scores on COCO
are on minival2014 with boxes of their own detector and the flip test.

Megvii's entry to the COCO 2018 challenge is this network too, with other trunks:
``--set net_args.depth=101``, ``--set net_args.blocks=4,8,16,3``; without what stages hand each
other: ``--set net_args.cross_stage=false``; with the same labels for every stage:
``--set net_args.coarse_to_fine=false --set codec.coarse=4,3,2 --set codec.fine=1``.

Kept on purpose: pictures are BGR; labels peak at 255; where a label is drawn and where it is read
are half a cell apart from the crop's own grid; hidden keypoints are pushed to nothing on all but
the finest level; keypoint scores count from one half.

Differences from the authors:

- The crop grows the box evenly by 1.13; theirs by 1.09 across and 1.135 down, and in training by
  random factors of each side that average to 1.13 and 1.18.
- One process takes the batch of 256 that they spread over eight devices.
- ImageNet weights start the first stage alone; which ones theirs start is not said.
- The person detector is whichever the user chooses.
- Half-body crops are HRNet's: of people with more than eight labelled keypoints, around their mean;
  theirs may be of people with four, around the middle of the half, to whose upper one hips belong.
- A keypoint scores at most 1, theirs a little more where a map exceeds its label's peak.
"""

from vitruvian.codecs.blurred_heatmap import BlurredHeatmap
from vitruvian.core.skeleton import skeleton
from vitruvian.image.augment import Augment
from vitruvian.systems.small import heads_recipe
from vitruvian.systems.spec import Input, Recipe, System, Test

WIDTHS = (15, 11, 9, 7, 5)
"""Of the labels' blur in cells, coarsest first (Sec. 3.3)."""


def _coco(name: str, stages: int, size: tuple[int, int]) -> System:
    augment = Augment(flip=0.5, scale=0.25, rotation=22.5, rotation_prob=0.5, half_body=0.3)
    test = Test(flip=True, keypoint_floor=-1.0, score_offset=0.5, oks_nms=1.0)
    return _page(name, "coco17", stages, size, 1.13, 5, augment=augment, test=test, epochs=164)


def _mpii(name: str, stages: int) -> System:
    augment = Augment(flip=0.5, scale=0.25, rotation=30.0, rotation_prob=0.5, half_body=0.5)
    test = Test(flip=True, rescore=False, oks_nms=1.0)
    return _page(
        name, "mpii16", stages, (256, 256), 1.25, 9, augment=augment, test=test, epochs=330
    )


def _page(
    name: str,
    bones: str,
    stages: int,
    size: tuple[int, int],
    padding: float,
    blur: int,
    *,
    augment: Augment,
    test: Test,
    epochs: int,
) -> System:
    people = skeleton(bones)
    several = stages > 1
    coarse, fine = ((4, 3, 2, 1), (1,)) if several else ((3, 2, 1), ())
    losses = [f"coarse_{steps}=joints_mse*0.5" for steps in coarse]
    losses += [f"fine_{steps}=joints_ohkm*2" for steps in fine]
    return System(
        name=name,
        task="topdown",
        net="mspn:mspn",
        net_args={"stages": stages, "channels": len(people)},
        input=Input(
            size=size,
            padding=padding,
            align="legacy",
            mean=(103.53, 116.28, 123.675),
            std=(57.375, 57.12, 58.395),
            channels="bgr",
        ),
        codec=BlurredHeatmap(
            skeleton=people, kernels=WIDTHS, coarse=coarse, fine=fine, blur_kernel=blur
        ),
        skeleton=people,
        recipe=Recipe(
            epochs=epochs,
            batch=256,
            optimizer="adam",
            lr=4e-3,
            weight_decay=1e-5,
            schedule="linear",
            warmup=2400,
            loss=",".join(["heatmap=joints_ohkm*2", *losses]),
            augment=augment,
        ),
        test=test,
        paper="Li, Wang, Yin, Peng, Du, Xiao, Yu, Lu, Wei, Sun: Rethinking on multi-stage networks "
        "for human pose estimation, arXiv 2019",
        url="https://arxiv.org/abs/1901.00148",
    )


def mspn_1stg_256x192() -> System:
    """1 stage on COCO at 256 x 192.

        vitruvian train mspn_1stg_256x192 --data coco:person_keypoints_train2017.json

    Paper: 71.5 AP on minival2014. Ours: not yet measured.
    """
    return _coco("mspn_1stg_256x192", 1, (256, 192))


def mspn_2stg_256x192() -> System:
    """2 stages on COCO at 256 x 192.

        vitruvian train mspn_2stg_256x192 --data coco:person_keypoints_train2017.json

    Paper: 74.5 AP on minival2014. Ours: not yet measured.
    """
    return _coco("mspn_2stg_256x192", 2, (256, 192))


def mspn_3stg_256x192() -> System:
    """3 stages on COCO at 256 x 192.

        vitruvian train mspn_3stg_256x192 --data coco:person_keypoints_train2017.json

    Paper: 75.2 AP on minival2014. Ours: not yet measured.
    """
    return _coco("mspn_3stg_256x192", 3, (256, 192))


def mspn_4stg_256x192() -> System:
    """4 stages on COCO at 256 x 192.

        vitruvian train mspn_4stg_256x192 --data coco:person_keypoints_train2017.json

    Paper: 75.9 AP on minival2014. Ours: not yet measured.
    """
    return _coco("mspn_4stg_256x192", 4, (256, 192))


def mspn_4stg_384x288() -> System:
    """4 stages on COCO at 384 x 288.

        vitruvian train mspn_4stg_384x288 --data coco:person_keypoints_train2017.json

    Paper: 76.9 AP on minival2014, 76.1 on test-dev. Ours: not yet measured.
    """
    return _coco("mspn_4stg_384x288", 4, (384, 288))


def mspn_4stg_mpii_256x256() -> System:
    """4 stages on MPII at 256 x 256.

        vitruvian train mspn_4stg_mpii_256x256 --data mpii:train.json

    Paper: 91.1 PCKh@0.5 on the validation split, 92.6 on test. Ours: not yet measured.
    """
    return _mpii("mspn_4stg_mpii_256x256", 4)


def mspn_s() -> System:
    """Two stages on the bundled pose network's features at 192 x 144, labels from coarse to fine.

    Not the authors' network: stages are U-shapes of one level, each supervised at its end alone,
    and labels peak at 1 instead of 255, for the head has no normalisation.

        vitruvian train mspn_s --start pose.safetensors --data coco:TRAIN.json

    Paper: has no such network. Ours: see docs/models/mspn.md.
    """
    people = skeleton("coco17")
    return System(
        name="mspn_s",
        task="topdown",
        net="small:small_stages",
        net_args={"channels": len(people), "stages": 2},
        input=Input(size=(192, 144), padding=1.25),
        codec=BlurredHeatmap(skeleton=people, kernels=(7, 5), fine=(1,), peak=1.0, blur_kernel=5),
        skeleton=people,
        recipe=heads_recipe("heatmap=joints_ohkm*2,fine_1=joints_ohkm*2"),
        test=Test(flip=True, keypoint_floor=-1.0, score_offset=0.5, oks_nms=1.0),
        paper="Li, Wang, Yin, Peng, Du, Xiao, Yu, Lu, Wei, Sun: Rethinking on multi-stage networks "
        "for human pose estimation, arXiv 2019",
        url="https://arxiv.org/abs/1901.00148",
        licence="Apache-2.0",
    )
