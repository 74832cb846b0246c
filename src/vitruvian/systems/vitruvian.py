"""Our own small systems, the bundled default: a person detector and a pose network for it.

No paper; the parts are: residual U-shapes (Ronneberger et al. 2015; Newell et al. 2016), a softmax
over the map (He et al. 2017) read by its local expectation (Sun et al. 2018). The model card,
docs/models/vitruvian.md, holds data, scores and known failures.
"""

from vitruvian.codecs.centres import Centres
from vitruvian.codecs.spatial_softmax import SpatialSoftmax
from vitruvian.core.skeleton import skeleton
from vitruvian.image.augment import Augment
from vitruvian.systems.spec import Input, Recipe, System, Test


def vitruvian_pose_s() -> System:
    """The bundled pose network, 192 x 144.

    It starts from the weights that the authors of EfficientPose published (Apache-2.0):

        vitruvian train vitruvian_pose_s --data coco:train.json --data coco:synthetic.json
            --start efficientpose-rt.pt -o runs/pose

    Measured: see the model card.
    """
    bones = skeleton("coco17")
    return System(
        name="vitruvian_pose_s",
        task="topdown",
        net="vitruvian:pose_s",
        input=Input(size=(192, 144), padding=1.1),
        codec=SpatialSoftmax(skeleton=bones),
        skeleton=bones,
        recipe=Recipe(
            epochs=5,
            samples_per_epoch=9600,
            batch=16,
            optimizer="adamw",
            lr=1e-3,
            weight_decay=0.05,
            schedule="cosine",
            warmup=100,
            clip_norm=5.0,
            ema=0.998,
            loss="spatial_ce",
            freeze=("trunk.high.stem_conv", "trunk.high.stem_bn", "trunk.high.blocks.1a"),
            weights={"coco": 0.3, "lsp": 0.12, "synthetic": 0.18},
            augment=Augment(
                scale=0.25,
                rotation=30.0,
                rotation_prob=0.6,
                shift=0.03,
                half_body=0.15,
                occlude=0.15,
                colour=0.6,
                blur=0.1,
            ),
        ),
        test=Test(flip=False, keypoint_floor=0.2, min_score=0.2, oks_nms=0.65),
        paper="ours",
        licence="Apache-2.0",
    )


def vitruvian_person_s() -> System:
    """The bundled person detector, 320 x 320, on the trunk of the pose network.

    The trunk knows what people look like before the detector's training begins; its first half
    stays as it is.

        vitruvian train vitruvian_person_s --data coco:train.json --data coco:synthetic.json
            --data coco:background.json --start runs/pose/final.safetensors -o runs/person

    Measured: see the model card.
    """
    return System(
        name="vitruvian_person_s",
        task="detector",
        net="vitruvian:person_s",
        input=Input(size=(320, 320)),
        codec=Centres(threshold=0.25),
        recipe=Recipe(
            epochs=4,
            samples_per_epoch=4800,
            batch=16,
            optimizer="adamw",
            lr=1e-3,
            weight_decay=0.05,
            schedule="cosine",
            warmup=100,
            clip_norm=10.0,
            ema=0.998,
            loss="centre=quality_focal*2,box=box_giou*2",
            freeze=("trunk.high",),
            weights={
                "coco": 0.38,
                "lsp": 0.03,
                "lspet": 0.12,
                "background": 0.14,
                "synthetic": 0.33,
            },
            augment=Augment(
                scale=0.0, rotation=0.0, rotation_prob=0.0, colour=0.6, blur=0.1, occlude=0.1
            ),
        ),
        paper="ours",
        licence="Apache-2.0",
    )
