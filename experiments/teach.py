"""Teach the head of a small system on frozen features and keep its weights.

python experiments/teach.py cpn_s --train coco:TRAIN.json@IMAGES --val coco:VAL.json@IMAGES \
    --trunk pose.safetensors --cache CACHE --keep FOLDER -o experiments/cpn_s.json

The same views, losses and optimiser as in ``vitruvian train cpn_s``, but for this: views do not
change from epoch to epoch, and their features are computed once.
"""

from heads import teach
from report import versus
from study import begin, finish, keep_weights, parser

from vitruvian.core.lookup import find


def main() -> None:
    """Teach one page."""
    options = parser(__doc__)
    options.add_argument("page", help="cpn_s, g_rmi_s, mspn_s, rmpe_s")
    args = options.parse_args()
    study = begin(args, find("vitruvian.systems", args.page)())
    taught = teach(study.page, study.views)
    keep_weights(study, taught)
    rows = versus(args.page, {args.page: study.score(taught)}, study.sources)
    finish(study, "A small head", rows, {args.page: taught})


if __name__ == "__main__":
    main()
