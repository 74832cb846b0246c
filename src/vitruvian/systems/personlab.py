"""PersonLab: disks around keypoints, votes for their centres, offsets from one to the next.

Papandreou, Zhu, Chen, Gidaris, Tompson and Murphy, ECCV 2018, https://arxiv.org/abs/1803.08225. The
authors published no program. The decoder is checked against KerasPersonLab (octiapp, 32d44dd), a
partial implementation, whose sizes and thresholds are taken where the paper gives none. The trunk
starts from ImageNet weights: give a torchvision ResNet with ``--start``.

Kept on purpose: view sides are 16 n + 1 pixels, cell i lies at pixel 16 i; people take the nearest
peak to where an offset leads, as KerasPersonLab does (the paper takes the offset's end as it is).

Differences from the paper:

- Instance masks are not made: data are read without masks. The network has their heads
  (``masks=True``); nothing trains them.
- Losses are taken at the cells; theirs are of the interpolated fields. Mid offsets are refined when
  decoding only, and each of the three losses is a mean over its own cells and channels.
- Every second pixel votes on each axis, and none where the chance is below 0.1 (``codec.step=1``
  and ``codec.floor=0`` are the published way).
- One scale; people are scored by keypoints that no better person has within 10 pixels (Sec. 3.2).
- Adam at 1e-4 and 130 epochs; the paper trains asynchronously, KerasPersonLab 125 epochs at 1e-3.
"""

from vitruvian.codecs.offsets import Offsets
from vitruvian.core.skeleton import skeleton
from vitruvian.image.augment import Augment
from vitruvian.systems.spec import Input, Recipe, System, Test


def _page(name: str, depth: int) -> System:
    people = skeleton("coco17")
    return System(
        name=name,
        task="bottomup",
        net="personlab:personlab",
        net_args={"depth": depth, "channels": len(people), "edges": len(people.parents)},
        input=Input(
            size=(401, 401),
            fit="long",
            divisor=16,
            remainder=1,
            mean=(127.5, 127.5, 127.5),
            std=(255.0, 255.0, 255.0),
        ),
        codec=Offsets(skeleton=people, stride=16),
        skeleton=people,
        recipe=Recipe(
            epochs=130,
            batch=4,
            optimizer="adam",
            lr=1e-4,
            ema=0.999,
            loss="heatmap=disk_logistic*4,short=offset_l1,mid=offset_l1*0.25",
            augment=Augment(flip=0.5, rotation=20.0, rotation_prob=1.0, zoom=(0.5, 1.5), shift=0.1),
        ),
        test=Test(flip=True, oks_nms=1.0),
        paper="Papandreou, Zhu, Chen, Gidaris, Tompson, Murphy: PersonLab: person pose estimation "
        "and instance segmentation with a bottom-up, part-based, geometric embedding model, ECCV "
        "2018",
        url="https://arxiv.org/abs/1803.08225",
    )


def personlab_res101_401x401() -> System:
    """PersonLab on ResNet-101 at KerasPersonLab's size.

        vitruvian train personlab_res101_401x401 --data coco:person_keypoints_train2017.json

    Paper: not reported at 401 pixels. Ours: not yet measured.
    """
    return _page("personlab_res101_401x401", 101)


def personlab_res152_401x401() -> System:
    """PersonLab on ResNet-152 at KerasPersonLab's size.

        vitruvian train personlab_res152_401x401 --data coco:person_keypoints_train2017.json

    Paper: 66.5 AP on COCO test-dev at 1401 pixels and one scale, 68.7 at several; not reported at
    401. Ours: not yet measured.
    """
    return _page("personlab_res152_401x401", 152)
