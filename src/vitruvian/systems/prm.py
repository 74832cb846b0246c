"""Learning feature pyramids for human pose estimation: PyraNet, hourglasses of pyramid modules.

Yang, Li, Ouyang, Li and Wang, ICCV 2017, https://arxiv.org/abs/1708.01101; sizes are checked
against a count of the layers of the authors' Torch7 code, bearpaw/PyraNet at 56d4f47, which we
cannot run.
Cells are those of the Stacked Hourglass, whose code theirs comes from: counted from the corner of
the crop, the keypoint in the cell that contains it.

Differences from the authors:

- Pooling regions are evenly spaced; theirs are drawn at random, at test time too, so that their
  answers differ from run to run.
- Weights start as the paper says (Sec. 3.3); the module that does so is missing from their code,
  which starts from Torch's defaults.
- One view and its mirror image; they average six scales between 0.8 and 1.3, too.
- Views are cut from the picture; theirs from a crop, and their targets are turned with it as maps.
- A keypoint that is not labelled has no weight in the loss; theirs is a target without a peak.
- The rate is that of the paper for its batch of 16, from memory; their README has 6.7e-4, their
  script 2.5e-4 for a batch of 6.
"""

from vitruvian.codecs.heatmap import Heatmap
from vitruvian.core.skeleton import skeleton
from vitruvian.image.augment import Augment
from vitruvian.systems.spec import Input, Recipe, System, Test


def _page(name: str, bones: str, net_args: dict[str, object], *, padding: float = 1.25) -> System:
    people = skeleton(bones)
    return System(
        name=name,
        task="topdown",
        net="prm:prm",
        net_args={**net_args, "channels": len(people)},
        input=Input(
            size=(256, 256), padding=padding, mean=(112.3, 113.2, 110.3), std=(255.0, 255.0, 255.0)
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
            epochs=250,
            batch=16,
            optimizer="rmsprop",
            lr=7e-4,
            schedule="step",
            milestones=(150, 170, 200),
            gamma=0.1,
            loss="joints_mse",
            augment=Augment(flip=0.5, scale=0.25, rotation=30.0, rotation_prob=0.4, colour=0.3),
        ),
        test=Test(flip=True, rescore=False, oks_nms=1.0),
        paper="Yang, Li, Ouyang, Li, Wang: Learning feature pyramids for human pose estimation, "
        "ICCV 2017",
        url="https://arxiv.org/abs/1708.01101",
    )


def prm_8_mpii_256x256() -> System:
    """Eight stacks of PRM-B on MPII.

        vitruvian train prm_8_mpii_256x256 --data mpii:train.json

    Paper: 92.0 PCKh@0.5 on the test set, with six scales. Ours: not yet measured.
    """
    return _page("prm_8_mpii_256x256", "mpii16", {"stacks": 8})


def prm_8_lsp_256x256() -> System:
    """Eight stacks of PRM-B on Leeds Sports.

        vitruvian train prm_8_lsp_256x256 --data lsp:lsp#train --data lspet:lspet

    Paper: 93.9 PCK@0.2, trained on MPII as well, with six scales. Ours: not yet measured.
    """
    return _page("prm_8_lsp_256x256", "lsp14", {"stacks": 8}, padding=1.3)


def prm_2_mpii_256x256() -> System:
    """Two stacks of PRM-B on MPII, with which the paper compares its variants.

        vitruvian train prm_2_mpii_256x256 --data mpii:train.json

    The others: ``--set net_args.variant=A`` (C, D), ``--set net_args.levels=3`` (5).
    Paper: unconfirmed. Ours: not yet measured.
    """
    return _page("prm_2_mpii_256x256", "mpii16", {"stacks": 2})
