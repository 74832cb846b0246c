"""L2, L2 of the hardest keypoints (OHKM), or focal L2: which loss teaches Gaussian maps best.

python experiments/losses.py --train coco:TRAIN.json@IMAGES --val coco:VAL.json@IMAGES \
    --trunk pose.safetensors --cache CACHE [-o experiments/losses.json] [--keep FOLDER]

Three heads of ``rmpe_s`` that differ in the loss alone. With true boxes, OKS of poses and labels
(mean share of people above t = .50:.05:.95), 95 % intervals of a bootstrap over people; differences
are paired.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from features import add_arguments, drawn_views, still_views
from heads import answers, passed, similarity, teach, told
from report import keep, versus
from weights import complete

from vitruvian.systems.rmpe import rmpe_s

LOSSES = {"L2": "joints_mse", "OHKM": "joints_ohkm", "focal L2": "focal_l2"}


def main() -> None:
    """Teach three heads."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    parser.add_argument("--keep", type=Path, help="folder for the weights of rmpe_s")
    args = parser.parse_args()
    page = told(rmpe_s(), args)
    views, people = drawn_views(args, page), still_views(args, page)
    found, seconds = {}, {}
    for name, loss in LOSSES.items():
        taught = teach(replace(page, recipe=replace(page.recipe, loss=loss)), views)
        if args.keep and loss == page.recipe.loss:
            complete(taught, page, args)
        found[name] = passed(similarity(page, answers(taught.net, people), people))
        seconds[name] = taught.seconds
    rows = versus("L2", found, np.array(people.source))
    out = args.out or Path(__file__).with_suffix(".json")
    keep(
        out,
        "Losses of heat maps",
        rows,
        seed=args.seed,
        views=len(views),
        epochs=page.recipe.epochs,
        seconds=seconds,
    )


if __name__ == "__main__":
    main()
