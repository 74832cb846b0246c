"""EvoPose2D: pushing the boundaries of 2D human pose estimation using accelerated neuroevolution.

McNally, Vats, Wong and McPhee, IEEE Access 2021, https://arxiv.org/abs/2011.08446; sizes, mutation
and weight transfer are checked against the authors' code, wmcnally/evopose2d at ea05b81. Their
scores on COCO are with boxes of a detector of 56.4 person AP and the flip test.

Kept on purpose: a crop and its cells are aligned at corners (``legacy``); the Gaussian stands on
the nearest cell and is two cells wide for every 64 rows of maps; the mirrored maps move one cell
right before averaging.

Differences from the authors:

- Maps have a peak of 1, theirs of 255; the loss is scaled so that it has their size, and converted
  checkpoints are divided by 255.
- The Gaussian ends where it is below 3e-4; theirs fills the map. A keypoint up to that far outside
  the crop is learnt; theirs must be inside.
- Decay of the weights acts on normalisation and biases too; theirs on kernels.
- Half-body crops are never made; their program makes them of half of the people although the
  configuration asks for none, since it compares a normal number with that chance.
- One device takes the whole batch, theirs is spread over eight, so normalisation sees all of it.
"""

from vitruvian.codecs.heatmap import Heatmap
from vitruvian.core.skeleton import skeleton
from vitruvian.image.augment import Augment
from vitruvian.systems.spec import Input, Recipe, System, Test

_PEOPLE = 149_813
"""Labelled people of train2017."""


def _coco(name: str, net: str, size: tuple[int, int], *, stride: int, batch: int) -> System:
    people = skeleton("coco17")
    return System(
        name=name,
        task="topdown",
        net=net,
        net_args={"channels": len(people)},
        input=Input(size=size, padding=1.25, align="legacy"),
        codec=Heatmap(
            skeleton=people,
            stride=stride,
            sigma=2 * size[0] / stride / 64,
            align="legacy",
            encoding="quantised",
            cutoff=4.0,
            decoding="quarter",
        ),
        skeleton=people,
        recipe=Recipe(
            epochs=200,
            batch=batch,
            optimizer="adam",
            lr=2.5e-4 * batch / 32,
            weight_decay=2e-5,
            schedule="cosine",
            warmup=5 * (_PEOPLE // batch),
            loss=f"joints_mse*{2 * 255**2}",
            augment=Augment(flip=0.5, scale=0.3, rotation=40.0, rotation_prob=0.6),
        ),
        test=Test(flip=True, shift_flipped=True, rescore=True, keypoint_floor=0.2, oks_nms=1.0),
        paper="McNally, Vats, Wong, McPhee: EvoPose2D: pushing the boundaries of 2D human pose "
        "estimation using accelerated neuroevolution with weight transfer, IEEE Access 2021",
        url="https://arxiv.org/abs/2011.08446",
    )


def evopose2d_xs_256x192() -> System:
    """EvoPose2D-XS on COCO at 256 x 192.

        vitruvian train evopose2d_xs_256x192 --data coco:person_keypoints_train2017.json

    Paper: 67.7 AP on val2017 (a figure that we could not confirm). Ours: not yet measured.
    """
    name = "evopose2d_xs_256x192"
    return _coco(name, "evopose2d:evopose2d_xs", (256, 192), stride=4, batch=512)


def evopose2d_s_256x192() -> System:
    """EvoPose2D-S on COCO at 256 x 192.

        vitruvian train evopose2d_s_256x192 --data coco:person_keypoints_train2017.json

    Paper: 69.8 AP on val2017 (a figure that we could not confirm). Ours: not yet measured.
    """
    name = "evopose2d_s_256x192"
    return _coco(name, "evopose2d:evopose2d_s", (256, 192), stride=2, batch=512)


def evopose2d_m_384x288() -> System:
    """EvoPose2D-M on COCO at 384 x 288.

        vitruvian train evopose2d_m_384x288 --data coco:person_keypoints_train2017.json

    Paper: 75.1 AP on val2017 (a figure that we could not confirm). Ours: not yet measured.
    """
    name = "evopose2d_m_384x288"
    return _coco(name, "evopose2d:evopose2d_m", (384, 288), stride=2, batch=256)


def evopose2d_l_512x384() -> System:
    """EvoPose2D-L on COCO at 512 x 384.

        vitruvian train evopose2d_l_512x384 --data coco:person_keypoints_train2017.json

    Paper: 76.6 AP on val2017 (a figure that we could not confirm), 75.7 on test-dev.
    Ours: not yet measured.
    """
    name = "evopose2d_l_512x384"
    return _coco(name, "evopose2d:evopose2d_l", (512, 384), stride=2, batch=128)


def evopose2d_ancestor_256x192() -> System:
    """The network from which the paper's search starts; for ``vitruvian evolve``.

        vitruvian train evopose2d_ancestor_256x192 --data coco:person_keypoints_train2017.json

    Paper: not reported. Ours: not yet measured.
    """
    name = "evopose2d_ancestor_256x192"
    return _coco(name, "evopose2d:evopose2d_ancestor", (256, 192), stride=4, batch=512)
