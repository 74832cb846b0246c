"""OpenPose: everybody's keypoints, and fields that point along the limbs between them.

Cao, Simon, Wei and Sheikh, CVPR 2017, https://arxiv.org/abs/1611.08050; with Hidalgo, PAMI 2019,
https://arxiv.org/abs/1812.08008. The networks and decoding are checked against published ports
(pytorch-openpose at 5ee71dc), the targets against lightweight OpenPose at d23c284; the rest follows
the papers and the training files. Limbs are assembled in the order of the programmes. Start from a
torchvision ``vgg19`` with ``--start``.

Kept on purpose: pictures are BGR, from -0.5 to 0.5; the neck lies between the shoulders; peaks are
those of a blurred map, without a step between the grid's points.

Differences from the authors:

- Targets are the papers': of several people's Gaussians the highest, of their limbs the mean. The
  programmes add Gaussians up to 1; ``codec.faithful=true`` does so, too, and repeats slips.
- Of two peaks of a keypoint within 6 pixels the better one is kept; theirs keep both.
- A limb's field ends one cell beyond its joints, so that short limbs have one; the paper's ends at
  them, the programmes' at the box around the limb and one cell.
- A connection to somebody who already has such a keypoint is left out; theirs replaces it.
- People are ranked by the sum of their scores, as a share of the whole body's.
- A view shows half to one and a half of a picture's height; theirs is centred on one person, of 0.3
  to 0.66 of its height. What is outside the picture is black, not grey.
- One learning rate for all layers; theirs is twice as high for biases and four times as high in the
  stages after the first.
- Batches of 20 pictures on one device instead of 10 on each of two.
"""

from vitruvian.codecs.paf import Paf
from vitruvian.core.skeleton import skeleton
from vitruvian.image.augment import Augment
from vitruvian.systems.spec import Input, Recipe, System, Test

BODY18_ORDER = (6, 10, 7, 8, 11, 12, 0, 1, 2, 3, 4, 5, 14, 15, 17, 16, 18, 9, 13)
"""Limbs of ``body18`` in the order of assembly: arms, legs, face, then ears to shoulders."""

BODY25_ORDER = (
    *(0, 7, 11, 8, 9, 12, 13, 3, 1, 2, 4, 5, 6, 15, 16, 18, 17, 19, 10, 14),
    *(20, 21, 22, 23, 24, 25),
)
"""The same of ``body25``: trunk, arms, legs, face, ears to shoulders, feet."""

_RECIPE = Recipe(
    epochs=600,
    batch=20,
    samples_per_epoch=20_000,
    optimizer="sgd",
    lr=4e-5,
    momentum=0.9,
    weight_decay=5e-4,
    schedule="step",
    milestones=(136, 272, 408, 544),
    gamma=0.333,
    loss="paf_l2",
    augment=Augment(flip=0.5, rotation=40.0, rotation_prob=1.0, zoom=(0.5, 1.5), shift=0.2),
)


def openpose_coco18() -> System:
    """The two branches and six stages of CVPR 2017; views of four sizes.

        vitruvian train openpose_coco18 --data coco:person_keypoints_train2017.json

    Paper: 61.8 AP on COCO test-dev after CPM refined each person; without it others measured 52.9,
    and 56.0 on the validation set (Li et al. 2020). Ours: not yet measured.
    """
    bones = skeleton("body18")
    return System(
        name="openpose_coco18",
        task="bottomup",
        net="openpose:openpose",
        input=Input(
            size=(368, 368),
            fit="height",
            divisor=8,
            mean=(128.0, 128.0, 128.0),
            std=(256.0, 256.0, 256.0),
            channels="bgr",
        ),
        codec=Paf(skeleton=bones, order=BODY18_ORDER),
        skeleton=bones,
        recipe=_RECIPE,
        test=Test(scales=(0.5, 1.0, 1.5, 2.0), oks_nms=1.0),
        paper="Cao, Simon, Wei, Sheikh: Realtime multi-person 2D pose estimation, CVPR 2017",
        url="https://arxiv.org/abs/1611.08050",
    )


def openpose_body25() -> System:
    """The PAMI network: fields first, then heat maps, 25 keypoints with the feet; one view.

        vitruvian train openpose_body25 --data coco:person_keypoints_train2017.json

    Data without feet teach that there are none: use data that label them. The programme of 2019
    tells connections apart by another number of samples and other thresholds; decoding here is that
    of 2017.

    Paper: 64.2 AP on COCO test-dev (recalled, not checked again). Ours: not yet measured.
    """
    bones = skeleton("body25")
    return System(
        name="openpose_body25",
        task="bottomup",
        net="openpose:openpose_body25",
        input=Input(
            size=(368, 368),
            fit="height",
            divisor=16,
            mean=(128.0, 128.0, 128.0),
            std=(256.0, 256.0, 256.0),
            channels="bgr",
        ),
        codec=Paf(skeleton=bones, order=BODY25_ORDER),
        skeleton=bones,
        recipe=_RECIPE,
        test=Test(oks_nms=1.0),
        paper="Cao, Hidalgo, Simon, Wei, Sheikh: OpenPose, PAMI 2019",
        url="https://arxiv.org/abs/1812.08008",
    )


def openpose_s() -> System:
    """The same targets, loss and grouping on the bundled pose network's features, one view.

    Not the paper's network: half a million parameters and one stage. Cells are finer, at stride 4,
    since the views are smaller; the first half of the trunk stays as it is.

        vitruvian train openpose_s --start pose.safetensors --data coco:TRAIN.json
            --data synthetic:DIR --data coco:BACKGROUND.json

    Paper: has no such network. Ours: begun, see docs/models/openpose.md.
    """
    bones = skeleton("body18")
    return System(
        name="openpose_s",
        task="bottomup",
        net="small:small_paf",
        net_args={"channels": len(bones), "limbs": len(bones.limbs)},
        input=Input(size=(320, 320)),
        codec=Paf(
            skeleton=bones,
            stride=4,
            sigma=5.0,
            enlarge=2,
            to_view=False,
            blur=1.0,
            apart=4.0,
            order=BODY18_ORDER,
            min_keypoints=4,
            min_score=0.3,
        ),
        skeleton=bones,
        recipe=Recipe(
            epochs=3,
            samples_per_epoch=4800,
            batch=16,
            optimizer="adamw",
            lr=1e-3,
            weight_decay=0.05,
            schedule="cosine",
            warmup=50,
            clip_norm=5.0,
            ema=0.998,
            loss="paf_l2",
            freeze=("trunk.trunk.high",),
            weights={"coco": 0.35, "lsp": 0.05, "synthetic": 0.45, "background": 0.05},
            augment=Augment(
                flip=0.5,
                rotation=20.0,
                rotation_prob=0.5,
                zoom=(0.6, 1.6),
                shift=0.15,
                colour=0.6,
                blur=0.1,
            ),
        ),
        test=Test(oks_nms=1.0),
        paper="Cao, Simon, Wei, Sheikh: Realtime multi-person 2D pose estimation, CVPR 2017",
        url="https://arxiv.org/abs/1611.08050",
        licence="Apache-2.0",
    )
