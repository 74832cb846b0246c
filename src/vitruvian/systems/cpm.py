"""Convolutional pose machines.

Wei, Ramakrishna, Kanade and Sheikh, CVPR 2016, https://arxiv.org/abs/1602.00134; the networks are
checked against the Caffe graphs of shihenw/convolutional-pose-machines-release at a345bc5, the rest
follows the paper and the training files. The maps are in that order of keypoints (``cpm14``), and
the last is the background. Start the VGG network from a torchvision ``vgg19`` with ``--start``.

Kept on purpose: pictures are BGR, from -0.5 to 0.5; the person meant stands in the middle of the
view, and a Gaussian says so; MPII's people fill 1 / 1.57 of it, so that 200 x scale pixels of the
picture are 41 / 35 x 200 of the view.

Differences from the authors:

- One view; they average the maps of several scales between 0.7 and 1.3, enlarged to the picture. A
  Newton step between the cells stands for their search in the enlarged maps.
- Every stage learns the person meant; their first one learns all people in the view.
- One learning rate for all layers; theirs is five times as high in the first stage, and twice as
  high for biases.
- The standard deviation of the target, 7 pixels, is that of the same authors' OpenPose; the paper
  names none.
- The background is learnt from the keypoints that are labelled.
- Rotation and scale are clipped normals of the authors' range, which they draw from evenly.
- The view's middle is that of the data set's box; MPII's is 15 x scale pixels below the labelled
  position, which the authors take. A crop of LSP is 1.3 times the reader's box.
"""

from vitruvian.codecs.heatmap import Heatmap
from vitruvian.core.skeleton import skeleton
from vitruvian.image.augment import Augment
from vitruvian.systems.spec import Input, Recipe, System, Test

_CELLS = (14 + 1) * 46 * 46
"""The authors' loss is the sum over these, ours the mean."""


def _page(name: str, net: str, *, padding: float) -> System:
    people = skeleton("cpm14")
    return System(
        name=name,
        task="topdown",
        net=net,
        net_args={"channels": len(people) + 1},
        input=Input(
            size=(368, 368),
            padding=padding,
            mean=(128.0, 128.0, 128.0),
            std=(256.0, 256.0, 256.0),
            channels="bgr",
        ),
        codec=Heatmap(
            skeleton=people,
            stride=8,
            sigma=7 / 8,
            encoding="subpixel",
            decoding="udp",
            blur_kernel=3,
            background=True,
        ),
        skeleton=people,
        recipe=Recipe(
            epochs=600,
            batch=16,
            samples_per_epoch=16_000,
            optimizer="sgd",
            lr=8e-5,
            momentum=0.9,
            weight_decay=5e-4,
            schedule="step",
            milestones=(136, 272, 408, 544),
            gamma=0.333,
            loss=f"heatmap=joints_mse*{_CELLS}",
            augment=Augment(flip=0.5, scale=0.3, rotation=20.0, rotation_prob=1.0),
        ),
        test=Test(rescore=False, oks_nms=1.0),
        paper="Wei, Ramakrishna, Kanade, Sheikh: Convolutional pose machines, CVPR 2016",
        url="https://arxiv.org/abs/1602.00134",
    )


def cpm_mpii_368x368() -> System:
    """The paper's six stages on MPII.

        vitruvian train cpm_mpii_368x368 --data mpii:train.json

    Paper: 87.95 PCKh@0.5 on the test set. Ours: not yet measured.
    """
    return _page("cpm_mpii_368x368", "cpm:cpm", padding=1.57)


def cpm_vgg_mpii_368x368() -> System:
    """The authors' later network on MPII.

        vitruvian train cpm_vgg_mpii_368x368 --data mpii:train.json

    Paper: not reported; the authors' repository 90.1 PCKh@0.5 on the test set.
    Ours: not yet measured.
    """
    return _page("cpm_vgg_mpii_368x368", "cpm:cpm_vgg", padding=1.57)


def cpm_lsp_368x368() -> System:
    """The paper's six stages on Leeds Sports.

        vitruvian train cpm_lsp_368x368 --data lsp:lsp#train

    Paper: 90.5 PCK@0.2, person-centric, trained on MPII as well. Ours: not yet measured.
    """
    return _page("cpm_lsp_368x368", "cpm:cpm", padding=1.3)
