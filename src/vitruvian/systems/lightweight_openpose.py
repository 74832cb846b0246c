"""Lightweight OpenPose: the same fields from a MobileNet, for processors without a GPU.

Osokin, ICPRAM 2019, https://arxiv.org/abs/1811.12004; network, targets and decoding are checked
against Daniil-Osokin/lightweight-human-pose-estimation.pytorch at d23c284, whose training script's
last phase is the recipe. Start from the author's MobileNet with ``--start``.

Kept on purpose: pictures are BGR, (x - 128) / 256; the demo's decoding, which enlarges maps four
times; connections score by the samples that agree.

Differences from the author:

- Targets are those of :mod:`vitruvian.systems.openpose`; ``codec.faithful=true`` makes his, where
  fields lie half a cell aside.
- Halves of a person that a limb connects become one; his stay two, as with
  ``codec.assembly=extend``.
- Of two near peaks the better one is kept, not the left one.
- One training with three refinements instead of three, the first two with one; the network tested
  here keeps one, as his.
- One learning rate for all layers; weight decay for all of them.
- The augmentation is that of OpenPose.
"""

from vitruvian.codecs.paf import Paf
from vitruvian.core.skeleton import skeleton
from vitruvian.image.augment import Augment
from vitruvian.systems.openpose import BODY18_ORDER
from vitruvian.systems.spec import Input, Recipe, System, Test


def lightweight_openpose_coco18() -> System:
    """Two stages, 18 keypoints, one view.

        vitruvian train lightweight_openpose_coco18 --data coco:person_keypoints_train2017.json

    Paper: 40.0 AP on COCO val2017. Ours: not yet measured.
    """
    bones = skeleton("body18")
    return System(
        name="lightweight_openpose_coco18",
        task="bottomup",
        net="lightweight_openpose:lightweight_openpose",
        input=Input(
            size=(368, 368),
            fit="height",
            divisor=8,
            mean=(128.0, 128.0, 128.0),
            std=(256.0, 256.0, 256.0),
            channels="bgr",
        ),
        codec=Paf(
            skeleton=bones,
            order=BODY18_ORDER,
            enlarge=4,
            to_view=False,
            blur=0.0,
            apart=6.0,
            passing_only=True,
            length_prior=0.0,
            min_keypoints=3,
            min_score=0.2,
        ),
        skeleton=bones,
        recipe=Recipe(
            epochs=280,
            batch=80,
            optimizer="adam",
            lr=4e-5,
            weight_decay=5e-4,
            schedule="step",
            milestones=(100, 200, 260),
            gamma=0.333,
            loss="paf_l2",
            augment=Augment(flip=0.5, rotation=40.0, rotation_prob=1.0, zoom=(0.5, 1.5), shift=0.2),
        ),
        test=Test(oks_nms=1.0),
        paper="Osokin: Real-time 2D multi-person pose estimation on CPU, ICPRAM 2019",
        url="https://arxiv.org/abs/1811.12004",
    )
