"""DeeperCut: candidates of keypoints, suppressed and grouped by one integer programme.

Insafutdinov, Pishchulin, Andres, Andriluka and Schiele, ECCV 2016, https://arxiv.org/abs/1605.03170,
and its programme's origin, Pishchulin et al., "DeepCut", CVPR 2016, https://arxiv.org/abs/1511.06645;
written from the papers and the facts of eldar/pose-tensorflow at 6a8f5ee and eldar/deepcut-cnn.

Kept on purpose: a candidate has one keypoint, as in the released programs, where the paper lets the
programme choose; discs of 17 pixels, steps to the keypoint in units of 7.28, costs
log((1 - p) / p).

Differences from the authors:

- The optimum is proven where it can be within ``codec.seconds`` (see the card); theirs is a local
  search.
- The logistic models of a pair, which they fit in Matlab and ship apart, are a rule on the distance
  unless ``codec.weights`` are given. Likewise the statistics of the steps, 0 and 32 pixels here.
- Every pair of keypoints counts; theirs are 40 of COCO's 136 (``codec.graph``).
- Doubled maps begin at the centre of a coarse cell, TensorFlow's at its corner.
- Batch normalisation is learnt; theirs is frozen. Batches hold more than one picture.
- One scale; they look in tiles and at several scales, and choose the surest.
"""

from vitruvian.codecs.pairwise import Pairwise
from vitruvian.core.skeleton import skeleton
from vitruvian.image.augment import Augment
from vitruvian.systems.spec import Input, Recipe, System, Test


def _page(
    name: str, bones_name: str, net: str, *, depth: int, milestones: tuple[int, ...]
) -> System:
    bones = skeleton(bones_name)
    return System(
        name=name,
        task="bottomup",
        net=net,
        net_args={"depth": depth, "channels": len(bones)},
        input=Input(
            size=(512, 512),
            fit="box",
            divisor=16,
            mean=(123.68, 116.779, 103.939),
            std=(1.0, 1.0, 1.0),
        ),
        codec=Pairwise(skeleton=bones),
        skeleton=bones,
        recipe=Recipe(
            epochs=milestones[-1] + 10,
            batch=8,
            samples_per_epoch=80_000,
            optimizer="sgd",
            lr=0.02,
            momentum=0.9,
            schedule="step",
            milestones=milestones,
            gamma=0.1,
            warmup=1_000,
            loss="heatmap=disk_logistic,locref=huber*0.05,pairwise=huber*0.05",
            augment=Augment(flip=0.5, scale=0.15, rotation=0.0, rotation_prob=0.0),
        ),
        test=Test(oks_nms=1.0),
        paper="Insafutdinov, Pishchulin, Andres, Andriluka, Schiele: DeeperCut: a deeper, "
        "stronger, and faster multi-person pose estimation model, ECCV 2016",
        url="https://arxiv.org/abs/1605.03170",
    )


def deepercut_res152_mpii_512x512() -> System:
    """The Caffe network on MPII.

        vitruvian train deepercut_res152_mpii_512x512 --data mpii:train.json

    Paper: 59.5 mAP on MPII's multi-person test set, solved in stages. Ours: not yet measured.
    """
    return _page(
        "deepercut_res152_mpii_512x512",
        "cpm14",
        "deepercut:deepercut",
        depth=152,
        milestones=(43, 73),
    )


def deepercut_res101_512x512() -> System:
    """The TensorFlow network on COCO.

        vitruvian train deepercut_res101_512x512 --data coco:person_keypoints_train2017.json

    Paper: not reported. Ours: not yet measured.
    """
    return _page(
        "deepercut_res101_512x512",
        "coco17",
        "deepercut:deepercut_tensorflow",
        depth=101,
        milestones=(45, 75, 105, 155),
    )
