import pytest


def test_every_kind_is_listed(vitruvian):
    done = vitruvian("list")
    assert done.code == 0
    for headline in ("models:", "systems:", "skeletons:", "nets:", "datasets:", "codecs:"):
        assert headline in done.out
    assert "vitruvian_pose_s" in done.out


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("pipelines", "grmi"),
        ("skeletons", "coco17"),
        ("systems", "hrnet_w32_256x192"),
        ("nets", "hrnet"),
        ("datasets", "coco"),
        ("codecs", "heatmap"),
    ],
)
def test_one_kind_is_listed_alone(vitruvian, kind, line):
    out = vitruvian("list", kind).out
    assert line in {row.split()[0] for row in out.splitlines()}
    assert ":" not in out


def test_rows_say_what_a_thing_is(vitruvian):
    assert "17 keypoints" in vitruvian("list", "skeletons").out
    parts = "faster_rcnn_g_rmi_800x1200 or detector, then g_rmi_res101_353x257 or g_rmi_s"
    assert parts in vitruvian("list", "pipelines").out
    assert "topdown, coco17, 256x192" in vitruvian("list", "systems").out


def test_an_unknown_kind_is_wrong_usage(vitruvian, capsys):
    with pytest.raises(SystemExit) as caught:
        vitruvian("list", "animals")
    assert caught.value.code == 2
    assert "invalid choice: 'animals'" in capsys.readouterr().err


def test_a_family_is_listed_alone(vitruvian):
    rows = vitruvian("list", "--family", "mspn").out.splitlines()
    assert all(row.startswith("mspn_") for row in rows)
    assert any("mspn_4stg_384x288" in row and "384x288" in row for row in rows)


def test_an_unknown_family_suggests_one(vitruvian):
    done = vitruvian("list", "--family", "hrnets")
    assert done.code == 2
    assert "did you mean 'hrnet'?" in done.errors[0]
