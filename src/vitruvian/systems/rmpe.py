"""RMPE: pose networks that live with poor boxes, and duplicates that are merged.

Fang, Xie, Tai and Lu, "RMPE: regional multi-person pose estimation", ICCV 2017,
https://arxiv.org/abs/1612.00137, whose program became AlphaPose. Numbers were checked against
MVIG-SJTU/AlphaPose at c60106d, which may not be used commercially, Fang-Haoshu/RMPE at 3b4b725 and
Fang-Haoshu/multi-human-pose at 094e29b; nothing here comes from them.

Three parts, which work alone as well: boxes are drawn as a detector draws them while training
(PGPG, ``train.augment.proposals``); a transformer moves the person to the middle of the view (SSTN,
``nets/sstn.py``); a pose distance finds duplicates, which lend their keypoints to the best of them
(parametric pose NMS, ``test.pose_nms``).

All pages go on from a trained pose network: give its weights with ``--start``.

Differences from the authors:

- Drawn boxes come from AlphaPose's one Gaussian per side; ``image/proposals.py`` learns the paper's
  mixtures per atomic pose from the boxes of a detector.
- Views are enlarged by 1.25 on the aspect-corrected box, as in AlphaPose; the paper adds 30 % to
  either side of the box (``input.padding``).
- The transformer's convolutions have no bias; normalisation follows each of them.
- The parallel network is asked for the labelled keypoints in the middle of a view 1.3 times their
  extent; theirs for those in the true box, or in the patch that was drawn.
- The parallel network has as many hourglasses as the other one; theirs has four of eight.
"""

from dataclasses import replace

from vitruvian.codecs.heatmap import Heatmap
from vitruvian.core.skeleton import skeleton
from vitruvian.image.augment import Augment
from vitruvian.image.proposals import Proposals
from vitruvian.kernels.parametric_nms import PoseNms
from vitruvian.systems.fastpose import fastpose_res50_256x192
from vitruvian.systems.small import heads_recipe
from vitruvian.systems.spec import Input, Recipe, System, Test

_PAPER = "Fang, Xie, Tai, Lu: RMPE: regional multi-person pose estimation, ICCV 2017"
_URL = "https://arxiv.org/abs/1612.00137"
RELEASED = PoseNms(
    score_scale=0.01,
    distance_scale=2.08,
    balance=2.08,
    relative=True,
    matches=0,
    merge_reach=float(1 << 20),
    merged_score="max",
    floor=0.0,
)
"""The parameters of the paper's program; :class:`PoseNms` itself has AlphaPose's."""


def _maps(bones: str, sigma: float) -> Heatmap:
    """What pose and parallel network are asked for."""
    return Heatmap(
        skeleton=skeleton(bones),
        stride=4,
        sigma=sigma,
        align="legacy",
        encoding="quantised",
        decoding="quarter",
        centred=1.3,
    )


def rmpe_res50_256x192() -> System:
    """FastPose on COCO, its last 60 epochs with drawn boxes, and AlphaPose's parametric pose NMS.

        vitruvian train rmpe_res50_256x192 --start fastpose.safetensors --data coco:TRAIN.json

    Paper: 72.0 AP on val2017 (AlphaPose's model zoo). Ours: not yet measured.
    """
    page = fastpose_res50_256x192()
    return replace(
        page,
        name="rmpe_res50_256x192",
        recipe=replace(
            page.recipe,
            epochs=60,
            lr=1e-5,
            milestones=(20, 50),
            augment=replace(page.recipe.augment, proposals=Proposals()),
        ),
        test=replace(
            page.test, rescoring="sum", keypoint_floor=-1.0, oks_nms=1.0, pose_nms=PoseNms()
        ),
        paper=_PAPER,
        url=_URL,
    )


def rmpe_sstn_res50_256x192() -> System:
    """The same between a spatial transformer and its inverse, with a frozen parallel network.

        vitruvian train rmpe_sstn_res50_256x192 --start rmpe.safetensors --data coco:TRAIN.json

    Paper: not reported with this network. Ours: not yet measured.
    """
    page = rmpe_res50_256x192()
    return replace(
        page,
        name="rmpe_sstn_res50_256x192",
        net="sstn:sstn",
        net_args={"pose": page.net, "channels": 17, "settings": {"depth": 50}},
        codec=_maps("coco17", 2.0),
        recipe=replace(page.recipe, epochs=10, lr=5e-5, milestones=(5,), freeze=("parallel",)),
    )


def rmpe_mpii_256x256() -> System:
    """The paper's own: 8 hourglasses, on MPII.

        vitruvian train rmpe_mpii_256x256 --start hourglass.safetensors --data mpii:train.json

    Paper: 76.7 mAP on the multi-person test split. Ours: not yet measured.
    """
    people = skeleton("mpii16")
    return System(
        name="rmpe_mpii_256x256",
        task="topdown",
        net="sstn:sstn",
        net_args={
            "pose": "hourglass:hourglass",
            "channels": len(people),
            "settings": {"stacks": 8},
        },
        input=Input(
            size=(256, 256),
            padding=1.3,
            align="legacy",
            mean=(0.0, 0.0, 0.0),
            std=(255.0, 255.0, 255.0),
        ),
        codec=_maps("mpii16", 1.0),
        skeleton=people,
        recipe=Recipe(
            epochs=20,
            samples_per_epoch=40_000,
            batch=5,
            optimizer="rmsprop",
            lr=5e-5,
            schedule="step",
            milestones=(10,),
            gamma=0.2,
            loss="joints_mse",
            freeze=("parallel",),
            augment=Augment(
                flip=0.5, scale=0.0, rotation=0.0, colour=0.5, proposals=Proposals(patch=0.3)
            ),
        ),
        test=Test(flip=True, shift_flipped=True, rescore=True, oks_nms=1.0, pose_nms=RELEASED),
        paper=_PAPER,
        url=_URL,
    )


def rmpe_s() -> System:
    """Gaussian maps on the bundled pose network's features, and the parametric pose NMS.

    Not the authors' network; without the transformer around it and, as it ships, without drawn
    boxes while training.

        vitruvian train rmpe_s --start pose.safetensors --data coco:TRAIN.json

    Paper: has no such network. Ours: see docs/models/rmpe.md.
    """
    people = skeleton("coco17")
    return System(
        name="rmpe_s",
        task="topdown",
        net="small:small_maps",
        net_args={"channels": len(people)},
        input=Input(size=(192, 144), padding=1.25),
        codec=Heatmap(skeleton=people, sigma=1.5, decoding="quarter"),
        skeleton=people,
        recipe=heads_recipe("joints_mse"),
        test=Test(flip=True, rescoring="sum", keypoint_floor=-1.0, oks_nms=1.0, pose_nms=PoseNms()),
        paper=_PAPER,
        url=_URL,
        licence="Apache-2.0",
    )
