"""L2, L2 of the hardest keypoints (OHKM), or focal L2: which loss teaches Gaussian maps best.

python experiments/losses.py --train coco:TRAIN.json@IMAGES --val coco:VAL.json@IMAGES \
    --trunk pose.safetensors --cache CACHE [-o experiments/losses.json] [--keep FOLDER]

Three heads of ``rmpe_s`` that differ in the loss alone. With true boxes, OKS of poses and labels
(mean share of people above t = .50:.05:.95), 95 % intervals of a bootstrap over people; differences
are paired.
"""

from dataclasses import replace

from heads import teach
from report import versus
from study import begin, finish, keep_weights, parser

from vitruvian.systems.rmpe import rmpe_s

LOSSES = {"L2": "joints_mse", "OHKM": "joints_ohkm", "focal L2": "focal_l2"}


def main() -> None:
    """Teach three heads."""
    study = begin(parser(__doc__).parse_args(), rmpe_s())
    recipe = study.page.recipe
    taught = {
        name: teach(replace(study.page, recipe=replace(recipe, loss=loss)), study.views)
        for name, loss in LOSSES.items()
    }
    keep_weights(study, taught["L2"])
    found = {name: study.score(one) for name, one in taught.items()}
    finish(study, "Losses of heat maps", versus("L2", found, study.sources), taught)


if __name__ == "__main__":
    main()
