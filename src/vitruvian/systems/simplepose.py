"""SimplePose: body parts as lines, found by identity mapping hourglasses.

Li, Su and Wang, AAAI 2020, https://arxiv.org/abs/1911.10529; checked against
hellojialee/Improved-Body-Parts at df0a8ce. The authors' repository holds two networks: the released
weights are of ``posenet``, the four-stack network of the paper's figure is ``posenet_final``.

Kept on purpose: pictures are BGR in [0, 1] and 512 high; the neck lies between the shoulders;
targets, loss weights and grouping as in the authors' program, where they differ from the paper
(factor ``|1 - s|`` instead of its square, parts as bands in boxes instead of ellipses).

Differences from the authors:

- One scale, and its mirror image; they average five scales, and rotations if asked.
- The penalty on long limbs looks at the height of the view, theirs at that of the picture.
- Where people are is not learnt, because outlines are not labelled; the network still has that map.
- Sub-pixel steps are not swapped (x for y); ``codec.faithful`` swaps them again.
- Views of whole pictures; theirs are crops around a main person who fills 0.6 of them.
- One phase at 512 with the paper's rate; they train at 384 first, and average weights at the end.
"""

from vitruvian.codecs.limbs import Limbs
from vitruvian.core.skeleton import skeleton
from vitruvian.image.augment import Augment
from vitruvian.systems.spec import Input, Recipe, System, Test

_BONES = skeleton("body18")

_ENDS = (
    *((1, 0), (1, 14), (1, 15), (1, 16), (1, 17), (0, 14), (0, 15), (14, 16), (15, 17)),
    *((1, 2), (2, 3), (3, 4), (1, 5), (5, 6), (6, 7)),
    *((1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13)),
    *((0, 2), (0, 5), (2, 8), (8, 12), (5, 11), (11, 9), (16, 2), (17, 5), (8, 11)),
)

PARTS = tuple((_BONES.keypoints[a], _BONES.keypoints[b]) for a, b in _ENDS)
"""The 30 body parts, in the authors' order; 17 of them are the edges of a tree."""

SCALE_WEIGHTS = tuple(weight / 8.7 for weight in (6.4, 1.6, 0.4, 0.2, 0.1))
"""Of a stack's loss at stride 64, 32, 16, 8 and 4."""


def _page(name: str, net: str, stacks: int) -> System:
    return System(
        name=name,
        task="bottomup",
        net=net,
        net_args={"stacks": stacks, "limbs": len(PARTS), "channels": len(_BONES)},
        input=Input(
            size=(512, 512),
            fit="height",
            divisor=64,
            mean=(0.0, 0.0, 0.0),
            std=(255.0, 255.0, 255.0),
            channels="bgr",
        ),
        codec=Limbs(skeleton=_BONES, limbs=PARTS),
        skeleton=_BONES,
        recipe=Recipe(
            epochs=52,
            batch=32,
            optimizer="sgd",
            lr=1e-4,
            momentum=0.9,
            weight_decay=5e-4,
            schedule="step",
            milestones=(15, 30, 45),
            gamma=0.2,
            warmup=5_300,
            loss="limb=focal_l2,heatmap=focal_l2*3,person=focal_l2*0.1,foreground=focal_l2",
            stage_weights=tuple(weight / stacks for weight in SCALE_WEIGHTS) * stacks,
            augment=Augment(flip=0.5, rotation=20.0, rotation_prob=1.0, colour=0.2),
        ),
        test=Test(flip=True, oks_nms=1.0),
        paper="Li, Su, Wang: Simple pose: rethinking and improving a bottom-up approach for "
        "multi-person pose estimation, AAAI 2020",
        url="https://arxiv.org/abs/1911.10529",
    )


def simplepose_4_512x512() -> System:
    """Four stacks, the network of the released weights, on COCO.

        vitruvian train simplepose_4_512x512 --data coco:person_keypoints_train2017.json

    Paper: 68.1 AP on test-dev with five scales; the authors' repository 68.5. Ours: not yet
    measured.
    """
    return _page("simplepose_4_512x512", "simplepose:simplepose", 4)


def simplepose_3_512x512() -> System:
    """Three stacks of the same network.

        vitruvian train simplepose_3_512x512 --data coco:person_keypoints_train2017.json

    Paper: 65.2 AP on test-dev, trained at 384. Ours: not yet measured.
    """
    return _page("simplepose_3_512x512", "simplepose:simplepose", 3)


def simplepose_final_4_512x512() -> System:
    """Four stacks of the other published network, without bottlenecks.

        vitruvian train simplepose_final_4_512x512 --data coco:person_keypoints_train2017.json

    Paper: not told apart from the other network. Ours: not yet measured.
    """
    return _page("simplepose_final_4_512x512", "simplepose:simplepose_final", 4)
