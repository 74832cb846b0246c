"""What every page owes. A page is a public function of a file in ``systems/`` that returns a
``System``; its name begins with that of its file."""

from functools import cache

import pytest

from tests.golden.measure import SYSTEMS, describe_system, read, systems
from vitruvian.core.lookup import find

PAGES = systems()

every_page = pytest.mark.parametrize("page", [pytest.param(p, id=n) for n, p in PAGES.items()])


@cache
def _found(name: str) -> dict:
    return describe_system(PAGES[name])


@every_page
def test_page_is_found_by_its_name(page):
    assert page().name == page.__name__
    assert find("vitruvian.systems", page.__name__) is page


@every_page
def test_outputs_of_the_network_are_the_fields_of_the_codec(page):
    system = page()
    fields = {f.name: [f.channels, *f.cells(system.input.size)] for f in system.codec.fields}
    assert _found(system.name)["stages"][-1] == fields


@every_page
def test_page_says_how_to_train_it_and_what_it_scored(page):
    system, text = page(), " ".join((page.__doc__ or "").split())
    assert f"vitruvian train {system.name} " in text
    assert system.paper
    if system.url:
        assert "Paper: " in text
        assert "Ours: " in text


@every_page
def test_loss_names_the_fields_of_the_codec(page):
    system = page()
    named = {part.split("=")[0] for part in system.recipe.loss.split(",") if "=" in part}
    assert named <= {f.name for f in system.codec.fields}


@every_page
def test_size_input_and_fields_are_those_of_the_golden_file(page):
    golden = read(SYSTEMS).get(page.__name__)
    assert _found(page.__name__) == golden, "if it is meant: python -m tests.golden"


def test_golden_file_names_no_page_that_is_gone():
    assert read(SYSTEMS).keys() <= PAGES.keys(), "if it is meant: python -m tests.golden"
