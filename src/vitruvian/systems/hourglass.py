"""Stacked hourglass networks for human pose estimation.

Newell, Yang and Deng, ECCV 2016, https://arxiv.org/abs/1603.06937; checked against both public
ports to PyTorch: princeton-vl/pytorch_stacked_hourglass at ceedc14, from the authors' group, and
bearpaw/pytorch-pose at edc7aec. The original is in Torch7. The ports differ in the stem, in the
pictures' mean, in the window of the target and in the recipe; each page keeps its port's.

Both count cells from the corner of the crop and put a point into the cell that contains it, which
is our ``centre`` alignment with the nearest cell.

Differences from the ports:

- A crop is one bilinear warp of the picture; they cut whole pixels and resize.
- Keypoints of the crop and of the answer are not rounded to whole pixels.
- A keypoint that is not labelled has no weight in the loss; theirs is a target without a peak. One
  just outside the crop has the part of its window that is inside; theirs has none (princeton).
- Where the cells beside the highest are equal, the answer stays between them; theirs moves a
  quarter cell up or left.
- Rotation and scale are clipped normals, as in the Torch7 code, of princeton's range; princeton
  draws them evenly. It changes colours in mirrored views only, and harder than we do.
"""

from vitruvian.codecs.heatmap import Heatmap
from vitruvian.core.skeleton import skeleton
from vitruvian.image.augment import Augment
from vitruvian.systems.spec import Input, Recipe, System, Test

_MPII = skeleton("mpii16")


def _princeton(name: str, stacks: int) -> System:
    """1000 steps are an epoch; the rate falls after 100 of them."""
    return _page(
        name,
        {"stacks": stacks, "port": "princeton"},
        Input(size=(256, 256), mean=(0.0, 0.0, 0.0), std=(255.0, 255.0, 255.0)),
        cutoff=4.0,
        recipe=Recipe(
            epochs=200,
            batch=16,
            samples_per_epoch=16_000,
            optimizer="adam",
            lr=1e-3,
            schedule="step",
            milestones=(100,),
            gamma=0.2,
            loss="joints_mse",
            augment=Augment(flip=0.5, scale=0.25, rotation=15.0, rotation_prob=1.0, colour=0.5),
        ),
    )


def _bearpaw(name: str, stacks: int) -> System:
    return _page(
        name,
        {"stacks": stacks, "port": "bearpaw"},
        Input(size=(256, 256), mean=(112.3, 113.2, 110.3), std=(255.0, 255.0, 255.0)),
        cutoff=3.0,
        recipe=Recipe(
            epochs=100,
            batch=6,
            optimizer="rmsprop",
            lr=2.5e-4,
            schedule="step",
            milestones=(60, 90),
            gamma=0.1,
            loss="joints_mse",
            augment=Augment(flip=0.5, scale=0.25, rotation=30.0, rotation_prob=0.6, colour=0.3),
        ),
    )


def _page(
    name: str, net_args: dict[str, object], view: Input, *, cutoff: float, recipe: Recipe
) -> System:
    return System(
        name=name,
        task="topdown",
        net="hourglass:hourglass",
        net_args={**net_args, "channels": len(_MPII)},
        input=view,
        codec=Heatmap(
            skeleton=_MPII,
            stride=4,
            sigma=1.0,
            encoding="quantised",
            cutoff=cutoff,
            decoding="quarter",
        ),
        skeleton=_MPII,
        recipe=recipe,
        test=Test(flip=True, rescore=False, oks_nms=1.0),
        paper="Newell, Yang, Deng: Stacked hourglass networks for human pose estimation, ECCV 2016",
        url="https://arxiv.org/abs/1603.06937",
    )


def hourglass_2_mpii_256x256() -> System:
    """Two stacks on MPII, princeton's port.

        vitruvian train hourglass_2_mpii_256x256 --data mpii:train.json

    Paper: not reported; the port 88.3 PCKh@0.5 on its validation split, all 16 keypoints.
    Ours: not yet measured.
    """
    return _princeton("hourglass_2_mpii_256x256", 2)


def hourglass_8_mpii_256x256() -> System:
    """Eight stacks on MPII, princeton's port.

        vitruvian train hourglass_8_mpii_256x256 --data mpii:train.json

    Paper: 90.9 PCKh@0.5 on the test set; the port 90.2 on its validation split, all 16 keypoints.
    Ours: not yet measured.
    """
    return _princeton("hourglass_8_mpii_256x256", 8)


def hourglass_2_bearpaw_mpii_256x256() -> System:
    """Two stacks on MPII, bearpaw's port.

        vitruvian train hourglass_2_bearpaw_mpii_256x256 --data mpii:train.json

    Paper: not reported; the port 86.95 PCKh@0.5 on the validation split. Ours: not yet measured.
    """
    return _bearpaw("hourglass_2_bearpaw_mpii_256x256", 2)


def hourglass_8_bearpaw_mpii_256x256() -> System:
    """Eight stacks on MPII, bearpaw's port.

        vitruvian train hourglass_8_bearpaw_mpii_256x256 --data mpii:train.json

    Paper: 90.9 PCKh@0.5 on the test set; the port 88.78 on the validation split.
    Ours: not yet measured.
    """
    return _bearpaw("hourglass_8_bearpaw_mpii_256x256", 8)
