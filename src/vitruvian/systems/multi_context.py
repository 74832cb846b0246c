"""Multi-context attention for human pose estimation.

Chu, Yang, Ouyang, Ma, Yuille and Wang, CVPR 2017, https://arxiv.org/abs/1702.07432; written from
the paper and the layers of the authors' Torch7 code, bearpaw/pose-attention at 417a501, which we
cannot run: no number of theirs is compared. Cells are those of the Stacked Hourglass, whose code
theirs comes from: counted from the corner of the crop, the keypoint in the cell that contains it.

Kept on purpose: the network is the code's, whose attention looks at one resolution; the paper's
looks at four (``--set net_args.resolutions=4``).

Differences from the authors:

- One view and its mirror image; they average six scales between 0.7 and 1.2, too.
- One process takes the batch that they spread over four devices.
- Views are cut from the picture; theirs from a crop, and their targets are turned with it as maps.
- A keypoint that is not labelled has no weight in the loss; theirs is a target without a peak.
- Colours change and views are rotated as often as in the same group's PyraNet.
"""

from vitruvian.codecs.heatmap import Heatmap
from vitruvian.core.skeleton import skeleton
from vitruvian.image.augment import Augment
from vitruvian.systems.spec import Input, Recipe, System, Test


def _page(name: str, bones: str, *, padding: float = 1.25) -> System:
    people = skeleton(bones)
    return System(
        name=name,
        task="topdown",
        net="multi_context:multi_context",
        net_args={"channels": len(people)},
        input=Input(
            size=(256, 256), padding=padding, mean=(127.5, 127.5, 127.5), std=(255.0, 255.0, 255.0)
        ),
        codec=Heatmap(
            skeleton=people,
            stride=4,
            sigma=1.0,
            encoding="quantised",
            cutoff=3.0,
            decoding="quarter",
        ),
        skeleton=people,
        recipe=Recipe(
            epochs=130,
            batch=8,
            optimizer="rmsprop",
            lr=2.5e-4,
            schedule="step",
            milestones=(100, 125),
            gamma=0.1,
            loss="joints_mse",
            augment=Augment(flip=0.5, scale=0.25, rotation=30.0, rotation_prob=0.4, colour=0.3),
        ),
        test=Test(flip=True, rescore=False, oks_nms=1.0),
        paper="Chu, Yang, Ouyang, Ma, Yuille, Wang: Multi-context attention for human pose "
        "estimation, CVPR 2017",
        url="https://arxiv.org/abs/1702.07432",
    )


def multi_context_mpii_256x256() -> System:
    """Eight stacks on MPII.

        vitruvian train multi_context_mpii_256x256 --data mpii:train.json

    Paper: 91.5 PCKh@0.5 on the test set, with six scales. Ours: not yet measured.
    """
    return _page("multi_context_mpii_256x256", "mpii16")


def multi_context_lsp_256x256() -> System:
    """Eight stacks on Leeds Sports.

        vitruvian train multi_context_lsp_256x256 --data lsp:lsp#train --data lspet:lspet

    Paper: 92.6 PCK@0.2, trained on MPII as well, with six scales. Ours: not yet measured.
    """
    return _page("multi_context_lsp_256x256", "lsp14", padding=1.3)
