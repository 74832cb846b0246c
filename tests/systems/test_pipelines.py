import pytest

from vitruvian.core.config import from_json, to_json
from vitruvian.core.errors import ConfigError, UnknownName
from vitruvian.core.lookup import names
from vitruvian.runtime.weights import bundled
from vitruvian.systems.pipelines import Pipeline, pipeline, pipeline_names

every_name = pytest.mark.parametrize("name", pipeline_names())


def test_the_published_pipelines_are_there():
    assert pipeline_names() == ["cpn", "grmi", "mask_rcnn", "megvii2018", "rmpe"]


@every_name
def test_a_pipeline_is_called_as_it_is_found_and_says_where_it_is_from(name):
    plan = pipeline(name)
    assert plan.name == name
    assert plan.paper
    assert plan.url.startswith("https://")
    assert from_json(Pipeline, to_json(plan)) == plan


@every_name
def test_its_parts_are_pages_or_models_that_ship(name):
    plan = pipeline(name)
    known = {*names("vitruvian.systems"), *bundled()}
    assert {*plan.model, *plan.detector} <= known


def test_g_rmi_has_the_numbers_of_the_paper():
    plan = pipeline("grmi")
    assert plan.boxes.nms == 0.6
    assert plan.test.oks_nms == 0.5
    assert (plan.test.rescoring, plan.test.keypoint_floor) == ("pose", -1.0)


def test_rmpe_merges_poses_and_cpn_leaves_duplicates_to_the_ranking():
    assert pipeline("rmpe").test.pose_nms is not None
    assert (pipeline("cpn").test.oks_nms, pipeline("cpn").test.pose_nms) == (1.0, None)


def test_an_unknown_name_suggests_one():
    with pytest.raises(UnknownName, match="did you mean 'grmi'"):
        pipeline("grmy")


def test_a_pipeline_of_somebody_else_needs_no_list():
    assert pipeline("tests.systems.test_pipelines:_mine").name == "mine"


def _mine() -> Pipeline:
    return Pipeline(name="mine")


def test_soft_suppression_has_a_width():
    with pytest.raises(ConfigError, match="soft_oks"):
        to_json(pipeline("grmi").test.__class__(soft_oks=-1.0))
