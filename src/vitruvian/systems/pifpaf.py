"""PifPaf: cells that point at keypoints and at both ends of limbs; people grow along them.

Kreiss, Bertoni and Alahi, CVPR 2019, https://arxiv.org/abs/1903.06593; "OpenPifPaf", T-ITS 2021,
https://arxiv.org/abs/2103.02440. Checked against numbers of the authors' program, openpifpaf 0.13
(37aacea); being AGPL, its code was not read. Fields are at stride 8, which the sizes of the
published files imply. Trunks start from ImageNet weights: a torchvision ResNet-50 loads with
``--start``; ImageNet weights of ShuffleNetV2K have the authors' names and load likewise.

Kept on purpose: view sides are 16 n + 1 pixels and cell i lies at pixel 8 i; the scales of people
who are partly seen are guessed from a standing body; hidden keypoints behind others are not taught.

Differences from the authors:

- Seeds that are exactly equal are taken in the order of the map; theirs in the order that an
  unstable sort leaves them. With that order every person of the fixture is the same (the card).
- Each picture is decoded from nothing; their evidence keeps traces of earlier pictures, which moves
  keypoints after some hundred calls.
- Evidence of scales beyond a fourth of the view, which no person has, is cut off there.
- Pictures are tested at the size of training, a long side of 513; theirs at 641.
- No JPEG or grey distortion; colour jitter in our terms. Plain momentum; theirs is Nesterov's.
- Gradients are limited by norm; theirs by value. The rate falls at once; theirs over ten epochs.
- One process sees the batch of 32 that they spread over two devices.
"""

from vitruvian.codecs.composite import Composite
from vitruvian.core.skeleton import skeleton
from vitruvian.image.augment import Augment
from vitruvian.systems.spec import Input, Recipe, System, Test


def _page(name: str, net: str, args: dict[str, object]) -> System:
    """The command that the authors document."""
    people = skeleton("coco17")
    return System(
        name=name,
        task="bottomup",
        net=net,
        net_args={
            **args,
            "keypoints": len(people),
            "limbs": len(people.limbs),
            "upsample": 2,
        },
        input=Input(size=(513, 513), fit="long", divisor=16, remainder=1),
        codec=Composite(skeleton=people, stride=8),
        skeleton=people,
        recipe=Recipe(
            epochs=250,
            batch=32,
            optimizer="sgd",
            lr=3e-4,
            momentum=0.95,
            weight_decay=1e-5,
            schedule="step",
            milestones=(220, 240),
            warmup=1770,
            clip_norm=10.0,
            ema=0.99,
            loss="cif=pifpaf_cif,caf=pifpaf_caf",
            augment=Augment(
                flip=0.5, rotation=15.0, rotation_prob=0.4, zoom=(0.5, 4.0), colour=0.4
            ),
        ),
        test=Test(oks_nms=1.0),
        paper="Kreiss, Bertoni, Alahi: OpenPifPaf: composite fields for semantic keypoint "
        "detection and spatio-temporal association, T-ITS 2021",
        url="https://arxiv.org/abs/2103.02440",
    )


def pifpaf_shufflenetv2k16() -> System:
    """PifPaf on ShuffleNetV2K16.

        vitruvian train pifpaf_shufflenetv2k16 --data coco:person_keypoints_train2017.json

    Paper: 68.1 AP on val2017 (the program's guide, long edge 641). Ours: not yet measured.
    """
    return _page("pifpaf_shufflenetv2k16", "pifpaf:pifpaf_shufflenet", {"k": 16})


def pifpaf_shufflenetv2k30() -> System:
    """PifPaf on ShuffleNetV2K30.

        vitruvian train pifpaf_shufflenetv2k30 --data coco:person_keypoints_train2017.json

    Paper: 71.8 AP on val2017 (the program's guide, long edge 641). Ours: not yet measured.
    """
    return _page("pifpaf_shufflenetv2k30", "pifpaf:pifpaf_shufflenet", {"k": 30})


def pifpaf_resnet50() -> System:
    """PifPaf on ResNet-50 without its pooling.

        vitruvian train pifpaf_resnet50 --data coco:person_keypoints_train2017.json

    Paper: 68.1 AP on val2017 (the program's guide, long edge 641). Ours: not yet measured.
    """
    return _page("pifpaf_resnet50", "pifpaf:pifpaf_resnet", {"depth": 50})
