import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitruvian.core.errors import ConfigError
from vitruvian.core.genome import Gene, mutate

GENES = {
    "rows": tuple((Gene(options=(3, 5)), Gene(options=(1, 2, 3, 4), step=True)) for _ in range(3)),
    "width": Gene(options=(8, 16, 32)),
    "depth": Gene(options=()),
}
ARGS = {"rows": ((3, 1), (5, 4), (3, 2)), "width": 16, "depth": 7, "channels": 17}


@given(st.integers(0, 10_000))
def test_a_child_differs_from_its_parent_in_one_gene(seed):
    child = mutate(ARGS, GENES, np.random.default_rng(seed))

    flat = [[*sum(args["rows"], ()), *(args[k] for k in ("width", "depth", "channels"))]
            for args in (ARGS, child)]  # fmt: skip
    changed = [(a, b) for a, b in zip(*flat, strict=True) if a != b]
    assert len(changed) == 1
    assert child["depth"] == 7
    assert child["channels"] == 17


@given(st.integers(0, 10_000))
def test_a_step_goes_to_a_neighbour(seed):
    genes = {"depth": Gene(options=(1, 2, 4, 8), step=True)}
    child = mutate({"depth": 4}, genes, np.random.default_rng(seed))
    assert child["depth"] in (2, 8)


@pytest.mark.parametrize("present, only", [(1, 2), (8, 4)])
def test_a_step_from_the_first_or_last_option_has_one_way_to_go(present, only):
    genes = {"depth": Gene(options=(1, 2, 4, 8), step=True)}
    assert mutate({"depth": present}, genes, np.random.default_rng(0)) == {"depth": only}


def test_all_is_drawn_again_until_the_child_is_valid():
    rng = np.random.default_rng(0)
    children = [mutate(ARGS, GENES, rng, lambda args: args["width"] == 8) for _ in range(5)]
    assert all(child == ARGS | {"width": 8} for child in children)


def test_the_parent_is_not_modified():
    rows = [[3, 1], [5, 4], [3, 2]]
    args = {**ARGS, "rows": rows}
    for seed in range(50):
        mutate(args, GENES, np.random.default_rng(seed))
    assert rows == [[3, 1], [5, 4], [3, 2]]


def test_genes_that_no_argument_has_are_refused():
    with pytest.raises(ConfigError, match="gene at 'heads'"):
        mutate(ARGS, {"heads": Gene(options=(1, 2))}, np.random.default_rng(0))


def test_genes_without_a_valid_child_are_refused():
    with pytest.raises(ConfigError, match="too narrow"):
        mutate(ARGS, {"depth": Gene(options=())}, np.random.default_rng(0))
