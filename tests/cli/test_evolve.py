import pytest

from vitruvian.core.genome import Gene

LOG = {"generation": 0, "parent": None, "args": {}, "fitness": 1.0}
WORDS = ["evolve", "hourglass_2_mpii_256x256", "--data", "coco:a.json", "--val", "coco:b.json"]


@pytest.fixture
def searched(monkeypatch):
    """What the command asks for; nothing is trained."""
    from vitruvian.train import evolve as module

    asked = {}
    sizes = ((10, 1.0), (20, 2.0), (30, 0.5))
    found = [module.Member(id=i, parameters=n, loss=x, **LOG) for i, (n, x) in enumerate(sizes)]

    def evolve(system, data, val, search, place, **more):
        asked.update(system=system, data=data, val=val, search=search, place=place, **more)
        return found

    monkeypatch.setattr(module, "evolve", evolve)
    return asked


def test_a_search_gets_what_was_asked_for_and_the_front_is_shown(vitruvian, searched, tmp_path):
    words = ["--gene", "blocks=1,2", "--gene", "port=princeton,bearpaw", "--children", "3"]
    done = vitruvian(*WORDS, "-o", str(tmp_path), *words, "--set", "train.augment.scale=0.1")

    assert done.code == 0
    rows = [line for line in done.out.splitlines() if "parameters" in line]
    assert [row.split()[0] for row in rows] == ["0", "2"]
    assert searched["genes"] == {
        "blocks": Gene(options=(1, 2)),
        "port": Gene(options=("princeton", "bearpaw")),
    }
    assert (searched["search"].children, searched["search"].parents) == (3, 4)
    augment = searched["system"].recipe.augment
    assert (augment.rotation, augment.scale) == (0.0, 0.1)


def test_genes_are_the_networks_own_unless_given(vitruvian, searched, tmp_path):
    assert vitruvian(*WORDS, "-o", str(tmp_path)).code == 0
    assert searched["genes"] is None


def test_a_gene_without_values_is_refused(vitruvian, searched, tmp_path):
    done = vitruvian(*WORDS, "-o", str(tmp_path), "--gene", "blocks")
    assert done.code == 2
    assert "write NAME=VALUE,VALUE" in done.errors[0]
