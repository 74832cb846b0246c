"""CPN: cascaded pyramid network for multi-person pose estimation.

Chen, Wang, Peng, Zhang, Yu and Sun, CVPR 2018, https://arxiv.org/abs/1711.07319. Two programs are
known, and their networks differ: the authors' own, chenyilun95/tf-cpn at 48ea10d, and a PyTorch
port, GengDavid/pytorch-cpn at 48696a9, that most people use. The port's networks were checked
against its code; of the authors' only the size and the names in its checkpoints could be, and the
targets and the decoding, which both share. Trunks start from ImageNet weights: give a torchvision
checkpoint with ``--start``.

Kept on purpose: labels peak at 255; where a label is drawn and where it is read are half a cell
apart from the crop's own grid; hidden keypoints are pushed to nothing in GlobalNet; keypoint scores
count from one half. The authors ask GlobalNet's finest level for the widest labels, a slip that
they keep so that their scores can be reproduced; the port asks its coarsest level for them.

Differences from the programs:

- The crop grows the box evenly by 1.25; theirs by 1.2 across and 1.3 down.
- Outside the picture is black, theirs the mean colour.
- Four copies of a person, plain, mirrored and twice turned, are random draws here.
- The port changes colours by up to a fifth; here pictures keep theirs.
- The person detector is whichever the user chooses; theirs find people with 55.3 AP.
- A keypoint scores at most 1, theirs a little more where a map exceeds its label's peak.
- The paper names the trunk of its best entry, "ResNet-Inception", and says no more of it. Here it
  is Inception-ResNet-v2 with every convolution padded, so that its strides divide the crop; the
  pyramid stands on the last map of each stride; pictures are RGB in [-1, 1], as its ImageNet
  weights expect; pyramid, targets and recipe are those of the authors' ResNets.
"""

from vitruvian.codecs.blurred_heatmap import BlurredHeatmap
from vitruvian.core.skeleton import skeleton
from vitruvian.image.augment import Augment
from vitruvian.systems.small import heads_recipe
from vitruvian.systems.spec import Input, Recipe, System, Test


def _authors(name: str, depth: int, size: tuple[int, int], *, batch: int = 32) -> System:
    """Pictures are BGR."""
    rule = Input(
        size=size,
        padding=1.25,
        align="legacy",
        mean=(102.9801, 115.9465, 122.7717),
        std=(255.0, 255.0, 255.0),
        channels="bgr",
    )
    return _page(name, "cpn", {"depth": depth, "variant": "authors"}, rule, _authors_recipe(batch))


def _authors_recipe(batch: int) -> Recipe:
    """Their epochs are 60,000 draws; GlobalNet's loss is a mean over levels."""
    return Recipe(
        epochs=350,
        samples_per_epoch=60_000,
        batch=batch,
        optimizer="adam",
        lr=5e-4,
        weight_decay=1e-5,
        schedule="step",
        milestones=(60, 120, 180, 240, 300),
        gamma=0.5,
        loss=_loss(0.25),
        augment=Augment(flip=0.25, scale=0.35, rotation=22.5, rotation_prob=0.5),
    )


def _port(name: str, depth: int, size: tuple[int, int]) -> System:
    """Pictures are RGB; 32 passes over four copies of everybody; GlobalNet's loss is a sum."""
    rule = Input(
        size=size,
        padding=1.25,
        align="legacy",
        mean=(122.7717, 115.9465, 102.9801),
        std=(255.0, 255.0, 255.0),
    )
    recipe = Recipe(
        epochs=128,
        batch=32,
        optimizer="adam",
        lr=5e-4,
        weight_decay=1e-5,
        schedule="step",
        milestones=(24, 48, 72, 96, 120),
        gamma=0.5,
        loss=_loss(1.0),
        augment=Augment(flip=0.25, scale=0.35, rotation=22.5, rotation_prob=0.5),
    )
    return _page(name, "cpn", {"depth": depth, "variant": "port"}, rule, recipe)


def _loss(level: float) -> str:
    """Each level of GlobalNet by half its squared error; RefineNet's hardest eight keypoints."""
    easy = [f"coarse_{steps}=joints_mse*{level}" for steps in (3, 2, 1, 0)]
    return ",".join(["heatmap=joints_ohkm*2", *easy])


def _page(name: str, net: str, net_args: dict[str, object], rule: Input, recipe: Recipe) -> System:
    people = skeleton("coco17")
    kernels = (15, 11, 9, 7) if rule.size == (256, 192) else (23, 17, 13, 9)
    return System(
        name=name,
        task="topdown",
        net=f"cpn:{net}",
        net_args={**net_args, "channels": len(people)},
        input=rule,
        codec=BlurredHeatmap(skeleton=people, kernels=kernels, coarse=(3, 2, 1, 0), blur_kernel=21),
        skeleton=people,
        recipe=recipe,
        test=Test(flip=True, keypoint_floor=-1.0, score_offset=0.5, oks_nms=1.0),
        paper="Chen, Wang, Peng, Zhang, Yu, Sun: Cascaded pyramid network for multi-person pose "
        "estimation, CVPR 2018",
        url="https://arxiv.org/abs/1711.07319",
    )


def cpn_res50_256x192() -> System:
    """The authors' ResNet-50 on COCO at 256 x 192.

        vitruvian train cpn_res50_256x192 --data coco:person_keypoints_train2017.json

    Paper: 69.7 AP on minival2014, in their repository. Ours: not yet measured.
    """
    return _authors("cpn_res50_256x192", 50, (256, 192))


def cpn_res50_384x288() -> System:
    """The authors' ResNet-50 on COCO at 384 x 288.

        vitruvian train cpn_res50_384x288 --data coco:person_keypoints_train2017.json

    Paper: 72.3 AP on minival2014, in their repository. Ours: not yet measured.
    """
    return _authors("cpn_res50_384x288", 50, (384, 288), batch=24)


def cpn_res101_384x288() -> System:
    """The authors' ResNet-101 on COCO at 384 x 288.

        vitruvian train cpn_res101_384x288 --data coco:person_keypoints_train2017.json

    Paper: 72.9 AP on minival2014, in their repository. Ours: not yet measured.
    """
    return _authors("cpn_res101_384x288", 101, (384, 288), batch=24)


def cpn_inception_384x288() -> System:
    """Inception-ResNet-v2 on COCO at 384 x 288, the trunk of the paper's best single network.

        vitruvian train cpn_inception_384x288 --data coco:person_keypoints_train2017.json

    Paper: 72.1 AP on test-dev. Ours: not yet measured.
    """
    rule = Input(
        size=(384, 288),
        padding=1.25,
        align="legacy",
        mean=(127.5, 127.5, 127.5),
        std=(127.5, 127.5, 127.5),
    )
    return _page("cpn_inception_384x288", "cpn_inception", {}, rule, _authors_recipe(batch=24))


def cpn_port_res50_256x192() -> System:
    """The port's ResNet-50 on COCO at 256 x 192.

        vitruvian train cpn_port_res50_256x192 --data coco:person_keypoints_train2017.json

    Paper: 69.2 AP on val2017, the port's. Ours: not yet measured.
    """
    return _port("cpn_port_res50_256x192", 50, (256, 192))


def cpn_port_res50_384x288() -> System:
    """The port's ResNet-50 on COCO at 384 x 288.

        vitruvian train cpn_port_res50_384x288 --data coco:person_keypoints_train2017.json

    Paper: 72.2 AP on val2017, the port's. Ours: not yet measured.
    """
    return _port("cpn_port_res50_384x288", 50, (384, 288))


def cpn_port_res101_384x288() -> System:
    """The port's ResNet-101 on COCO at 384 x 288.

        vitruvian train cpn_port_res101_384x288 --data coco:person_keypoints_train2017.json

    Paper: 72.3 AP on val2017, the port's. Ours: not yet measured.
    """
    return _port("cpn_port_res101_384x288", 101, (384, 288))


def cpn_s() -> System:
    """Two levels and their refinement on the bundled pose network's features at 192 x 144.

    Not the authors' network: the pyramid has strides 8 and 4 alone, the coarser level is asked for
    the wider labels, and labels peak at 1 instead of 255, for the heads have no normalisation.

        vitruvian train cpn_s --start pose.safetensors --data coco:TRAIN.json

    Paper: has no such network. Ours: see docs/models/cpn.md.
    """
    people = skeleton("coco17")
    return System(
        name="cpn_s",
        task="topdown",
        net="small:small_cascade",
        net_args={"channels": len(people)},
        input=Input(size=(192, 144), padding=1.25),
        codec=BlurredHeatmap(
            skeleton=people, kernels=(7, 5), coarse=(1, 0), peak=1.0, blur_kernel=5
        ),
        skeleton=people,
        recipe=heads_recipe("heatmap=joints_ohkm*2,coarse_1=joints_mse*1,coarse_0=joints_mse*1"),
        test=Test(flip=True, keypoint_floor=-1.0, score_offset=0.5, oks_nms=1.0),
        paper="Chen, Wang, Peng, Zhang, Yu, Sun: Cascaded pyramid network for multi-person pose "
        "estimation, CVPR 2018",
        url="https://arxiv.org/abs/1711.07319",
        licence="Apache-2.0",
    )
