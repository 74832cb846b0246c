"""Associative Embedding: four hourglasses that give heatmaps and tags.

Newell, Huang and Deng, NeurIPS 2017, https://arxiv.org/abs/1611.05424; the network is checked
against the authors' code, princeton-vl/pose-ae-train at 3c80a16, and the grouping against
HigherHRNet's, which came from it. For the test with several scales add
``--set test.scales=0.5,1,2`` when exporting.

Kept on purpose: pictures are RGB in [0, 1]; a keypoint belongs to the cell that its coordinates,
divided by the stride and cut off, name (``legacy``); peaks are cells, moved a quarter of a cell;
distances of tags are root mean squares; keypoints that are found at the second look score 1.

Differences from the authors:

- Keypoints too far from everybody do not compete for people, and any number of people can be
  joined; with theirs all keypoints of a kind are dropped once there are 30 people.
  ``--set codec.faithful=true`` does as theirs.
- A keypoint that nobody can place stays missing; theirs lies at the mean of the person's others.
- The picture lies in the top left of the square view, theirs in the middle; a mirrored training
  view is the plain one's mirror image, theirs lies one pixel to the right.
- Crowds are masked by their boxes, theirs by their outlines; so are people without keypoints, whom
  theirs teach to be nobody.
- Colours change by our own rule, about as much.
- They lower the rate after 200,000 steps and stop by hand; here 20,000 steps follow.
"""

from vitruvian.codecs.tags import Tags
from vitruvian.core.skeleton import skeleton
from vitruvian.image.augment import Augment
from vitruvian.systems.higher_hrnet import ORDER
from vitruvian.systems.spec import Input, Recipe, System, Test


def associative_embedding_512() -> System:
    """Associative Embedding on COCO, longer side 512.

        vitruvian train associative_embedding_512 --data coco:person_keypoints_train2017.json

    Paper: 65.5 AP on test-dev with several scales and a single-person network on top; without that,
    as others report, 56.6 with one scale and 63.0 with several. Ours: not yet measured.
    """
    people = skeleton("coco17")
    return System(
        name="associative_embedding_512",
        task="bottomup",
        net="associative_embedding:associative_embedding",
        net_args={"channels": len(people), "tags": len(people)},
        input=Input(
            size=(512, 512), fit="box", divisor=64, mean=(0.0, 0.0, 0.0), std=(255.0, 255.0, 255.0)
        ),
        codec=Tags(
            skeleton=people,
            stride=4,
            sigma=2.0,
            align="legacy",
            search=4,
            radius=1,
            distance="rms",
            full="skip",
            order=ORDER,
            refined_score="one",
        ),
        skeleton=people,
        recipe=Recipe(
            epochs=220,
            samples_per_epoch=32000,
            batch=32,
            optimizer="adam",
            lr=2e-4,
            schedule="step",
            milestones=(200,),
            gamma=0.05,
            loss="heatmap=joints_mse*2,tag=associative*0.001",
            augment=Augment(
                flip=0.5,
                rotation=30.0,
                rotation_prob=1.0,
                zoom=(0.75, 1.25),
                shift=0.2,
                colour=0.6,
            ),
        ),
        test=Test(flip=True, oks_nms=1.0),
        paper="Newell, Huang, Deng: Associative embedding: end-to-end learning for joint detection "
        "and grouping, NeurIPS 2017",
        url="https://arxiv.org/abs/1611.05424",
    )
