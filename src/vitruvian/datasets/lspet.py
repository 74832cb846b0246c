"""LSP Extended (Johnson & Everingham 2011): 10 000 training pictures of one person, 14 joints.

``lspet:DIR[@IMAGES]`` with ``joints.mat`` in DIR. Labels come from Mechanical Turk and are noisy. A
joint whose flag is 0 has a placeholder for a location, often negative; only the flag tells.
"""

import numpy as np

from vitruvian.datasets.bad import Bad
from vitruvian.datasets.lsp import load_joints, single_people
from vitruvian.datasets.table import Table, parse_where


def lspet(argument: str, bad: Bad | None = None) -> Table:
    """Data set of ``DIR[@IMAGES]``."""
    del bad  # one array: it is read whole or not at all
    where = parse_where(argument)
    joints = load_joints(where.path, (14, 3))
    names = [f"im{i + 1:05}.jpg" for i in range(len(joints))]
    visible = np.where(joints[:, 2] == 1, 2, 0)
    return single_people(where, "lspet", names, joints[:, :2], visible)
