"""PoseFix: a refinement of the poses that another system found.

Moon, Chang and Lee, CVPR 2019, https://arxiv.org/abs/1812.03595; checked against the authors' code,
mks0601/PoseFix_RELEASE at 5556364. The network learns from labels whose errors are drawn anew for
every view (``image/pose_errors.py``), so it needs no system to learn from and fits any. Its trunk
starts from ImageNet weights: give a torchvision checkpoint with ``--start``. Once exported,

    vitruvian predict photo.jpg --refine posefix.onnx -o out.jpg

runs it after whatever system found the people.

Kept on purpose: pictures are BGR while the mean stands in RGB order, as in the released weights; a
crop and its cells are aligned at corners (``legacy``); an inversion leads to where the mirrored
keypoint was put, not to its label.

Differences from the authors:

- A keypoint that is not labelled is absent from the pose that the network learns from; theirs
  stands where another network saw it.
- A keypoint that the other system did not find is absent from the pose; theirs is drawn in the
  corner (0, 0) of the view. Its position is that of the refinement, its score the person's.
- Other keypoints keep their scores; theirs all get the person's.
- The last cell of a row or column takes what the bilinear target leaves beyond it, and the label's
  coordinate in the loss follows; theirs stays beyond. A label less than half a cell from the right
  or lower border is ignored.
- The head starts near zero, as in SimpleBaselines; theirs ten times wider, the last layer by
  fan-in.
"""

from vitruvian.codecs.spatial_softmax import SpatialSoftmax
from vitruvian.core.skeleton import skeleton
from vitruvian.image.augment import Augment
from vitruvian.systems.spec import Input, Recipe, System, Test


def _coco(name: str, depth: int, size: tuple[int, int]) -> System:
    people = skeleton("coco17")
    return System(
        name=name,
        task="refine",
        net="posefix:posefix",
        net_args={
            "depth": depth,
            "channels": len(people),
            "sigma": 7.0 if size == (256, 192) else 9.0,
        },
        input=Input(
            size=size,
            padding=1.25,
            align="legacy",
            mean=(123.68, 116.78, 103.94),
            std=(1.0, 1.0, 1.0),
            channels="bgr",
        ),
        codec=SpatialSoftmax(
            skeleton=people, stride=4, sigma=0.0, whole=True, outside=0.0, align="legacy"
        ),
        skeleton=people,
        recipe=Recipe(
            epochs=140,
            batch=32,
            optimizer="adam",
            lr=5e-4,
            weight_decay=1e-5,
            schedule="step",
            milestones=(90, 120),
            gamma=0.1,
            loss="integral_ce",
            augment=Augment(flip=0.5, scale=0.3, rotation=40.0, rotation_prob=0.6),
        ),
        test=Test(flip=True, rescore=False, oks_nms=0.9),
        paper="Moon, Chang, Lee: PoseFix: model-agnostic general human pose refinement network, "
        "CVPR 2019",
        url="https://arxiv.org/abs/1812.03595",
    )


def posefix_res50_256x192() -> System:
    """ResNet-50 on COCO at 256 x 192.

        vitruvian train posefix_res50_256x192 --data coco:person_keypoints_train2017.json

    Paper: not reported. Ours: not yet measured.
    """
    return _coco("posefix_res50_256x192", 50, (256, 192))


def posefix_res152_384x288() -> System:
    """ResNet-152 on COCO at 384 x 288, the setting of the paper's comparisons.

        vitruvian train posefix_res152_384x288 --data coco:person_keypoints_train2017.json

    Paper: HRNet-W48's 76.3 AP on val2017 become 77.3 (the authors' repository). Ours: not yet
    measured.
    """
    return _coco("posefix_res152_384x288", 152, (384, 288))
