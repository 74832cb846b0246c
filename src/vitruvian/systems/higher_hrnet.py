"""HigherHRNet: everybody's keypoints at two resolutions, told apart by tags.

Cheng, Xiao, Wang, Shi, Huang and Zhang, CVPR 2020, https://arxiv.org/abs/1908.10357; checked
against the authors' code, HRNet/HigherHRNet-Human-Pose-Estimation at aa23881. The trunk starts from
ImageNet weights: give their classifier's checkpoint with ``--start``. For the test with several
scales add ``--set test.scales=0.5,1,2`` when exporting.

Kept on purpose: a keypoint belongs to the cell that its coordinates, divided by the stride and cut
off, name (``legacy``); both heatmaps have a Gaussian of two cells; keypoints that a person lacks
are looked for where the tags are most like its own, and score what the heatmap says there.

Differences from the authors:

- Keypoints too far from everybody do not compete for people, and any number of people can be
  joined. Theirs push one another to other people, and nobody joins who comes after the thirtieth:
  of their 100 people in a scene of 30, 32 are left. ``--set codec.faithful=true`` does as theirs.
- Of points of the enlarged heatmap that are equally high the first is the peak; theirs are all.
- The picture lies in the top left of the view, theirs in the middle.
- Crowds and people without keypoints are masked by their boxes, theirs by their outlines.
- One process takes the batch that they spread over four devices.
- People are sorted by score, and scores are cut off at 0 and 1.
"""

from vitruvian.codecs.tags import Tags
from vitruvian.core.skeleton import skeleton
from vitruvian.image.augment import Augment
from vitruvian.systems.spec import Input, Recipe, System, Test

ORDER = tuple(
    f"{side}{part}"
    for part in ("nose", "eye", "ear", "shoulder", "hip", "elbow", "wrist", "knee", "ankle")
    for side in (("",) if part == "nose" else ("left_", "right_"))
)
"""COCO's keypoints from the head outwards, the order of matching."""


def _page(name: str, net: str, size: int, *, batch: int) -> System:
    people = skeleton("coco17")
    return System(
        name=name,
        task="bottomup",
        net=net,
        net_args={"channels": len(people)},
        input=Input(size=(size, size), fit="short", divisor=64),
        codec=Tags(
            skeleton=people,
            stride=4,
            fine_stride=2,
            sigma=2.0,
            align="legacy",
            search=1,
            radius=2,
            order=ORDER,
        ),
        skeleton=people,
        recipe=Recipe(
            epochs=300,
            batch=batch,
            optimizer="adam",
            lr=1e-3,
            schedule="step",
            milestones=(200, 260),
            gamma=0.1,
            loss="heatmap=joints_mse*2,heatmap_fine=joints_mse*2,tag=associative*0.001",
            augment=Augment(
                flip=0.5, rotation=30.0, rotation_prob=1.0, zoom=(0.75, 1.5), shift=0.2
            ),
        ),
        test=Test(flip=True, oks_nms=1.0),
        paper="Cheng, Xiao, Wang, Shi, Huang, Zhang: HigherHRNet: scale-aware representation "
        "learning for bottom-up human pose estimation, CVPR 2020",
        url="https://arxiv.org/abs/1908.10357",
    )


def higher_hrnet_w32_512() -> System:
    """HigherHRNet-W32 on COCO, shorter side 512.

        vitruvian train higher_hrnet_w32_512 --data coco:person_keypoints_train2017.json

    Paper: 67.1 AP on val2017, 69.9 with three scales; 66.4 on test-dev. Ours: not yet measured.
    """
    return _page("higher_hrnet_w32_512", "higher_hrnet:higher_hrnet_w32", 512, batch=48)


def higher_hrnet_w32_640() -> System:
    """HigherHRNet-W32 on COCO, shorter side 640.

        vitruvian train higher_hrnet_w32_640 --data coco:person_keypoints_train2017.json

    Paper: 68.5 AP on val2017, 70.6 with three scales. Ours: not yet measured.
    """
    return _page("higher_hrnet_w32_640", "higher_hrnet:higher_hrnet_w32", 640, batch=48)


def higher_hrnet_w48_640() -> System:
    """HigherHRNet-W48 on COCO, shorter side 640.

        vitruvian train higher_hrnet_w48_640 --data coco:person_keypoints_train2017.json

    Paper: 69.9 AP on val2017, 72.1 with three scales; 68.4 and 70.5 on test-dev. Ours: not yet
    measured.
    """
    return _page("higher_hrnet_w48_640", "higher_hrnet:higher_hrnet_w48", 640, batch=40)
