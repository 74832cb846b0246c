import numpy as np


def test_grouping_prints_a_row_for_each_system_and_number_of_people(vitruvian):
    words = ("--people", "1,2", "--scenes", "1", "--repeats", "1", "--size", "256")
    done = vitruvian("bench", "grouping", "higher_hrnet_w32_512", *words)
    assert done.code == 0
    head, *rows = done.out.splitlines()
    assert head.split() == ["system", "people", "found", "spurious", "OKS", "ms"]
    assert [row.split()[:4] for row in rows] == [
        ["higher_hrnet_w32_512", "(1)", "1", "1"],
        ["higher_hrnet_w32_512", "(2)", "2", "2"],
    ]
    assert all(np.isfinite(float(row.split()[-1])) for row in rows)


def test_what_cannot_be_tried_is_named(vitruvian):
    done = vitruvian("bench", "grouping", "hrnet_w32_256x192")
    assert done.code == 2
    assert "groups no keypoints of maps" in done.err
    assert vitruvian("bench", "grouping", "--people", "many").code == 2
    assert vitruvian("bench", "grouping", "--size", "100").code == 2
