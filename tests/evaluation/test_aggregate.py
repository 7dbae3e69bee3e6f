import json
import statistics

import pytest

from liverjax.errors import InputError
from liverjax.evaluation.aggregate import aggregate
from liverjax.evaluation.case import METRICS
from tests.evaluation.cases import UNKNOWN, case, labels, some_cases


def test_means_say_what_they_cover():
    cases = some_cases()
    found = aggregate(cases, resamples=200)
    for name in ("liver", "tumor"):
        for metric in METRICS:
            values = [getattr(getattr(each, name), metric) for each in cases]
            defined = [value for value in values if value is not None]
            entry = found[name][metric]
            assert (entry["cases"], entry["undefined"]) == (len(defined), 4 - len(defined))
            assert entry["mean"] == pytest.approx(statistics.fmean(defined))
            assert entry["median"] == pytest.approx(statistics.median(defined))
            if len(defined) > 1:
                assert entry["standard_deviation"] == pytest.approx(statistics.stdev(defined))
                assert entry["interval"][0] <= entry["mean"] + 1e-9
                assert entry["mean"] <= entry["interval"][1] + 1e-9
    assert found["tumor"]["assd"]["cases"] == 1
    assert found["tumor"]["assd"]["interval"] is None
    assert found["tumor"]["assd"]["standard_deviation"] is None


def test_both_means_of_dice_and_that_of_all_voxels():
    tumor = aggregate(some_cases(), resamples=200)["tumor"]
    # 8 of 12 reference voxels found, with 4 false ones; missed; nothing to find; a false one.
    assert tumor["dice"]["mean"] == pytest.approx((2 * 8 / 24 + 0) / 2)
    assert tumor["dice_challenge"]["mean"] == pytest.approx((2 * 8 / 24 + 0 + 1 + 0) / 4)
    assert (tumor["dice"]["cases"], tumor["dice_challenge"]["cases"]) == (2, 4)
    assert tumor["dice_challenge"]["undefined"] == 0
    assert tumor["dice_global"]["value"] == pytest.approx(2 * 8 / (12 + 12 + 4 + 6))
    assert (tumor["present"], tumor["missed"]) == (2, 1)


def test_lesions_are_pooled_over_cases():
    found = aggregate(some_cases(), resamples=200)["lesions"]["iou_over_0.5"]
    counts = [found[f"{name}s"] for name in ("true_positive", "false_positive", "false_negative")]
    assert counts == [1, 2, 2]
    assert found["precision"]["value"] == pytest.approx(1 / 3)
    assert found["recall"]["value"] == pytest.approx(1 / 3)
    assert found["f1"]["value"] == pytest.approx(1 / 3)
    assert found["detected_dice"]["mean"] == 1.0
    assert found["detected_dice"]["lesions"] == 1


def test_a_lesion_that_is_hardly_met_is_detected_at_0_alone():
    cases = [case("a", labels((0, 16), (5, 9)), labels((0, 16), (2, 6)))]
    found = aggregate(cases, resamples=10)["lesions"]
    assert found["iou_over_0"]["true_positives"] == 1
    assert found["iou_over_0"]["detected_dice"]["mean"] == pytest.approx(2 / 8)
    assert found["iou_over_0.5"]["false_negatives"] == 1
    assert found["iou_over_0.5"]["detected_dice"]["mean"] is None
    assert found["iou_over_0.5"]["precision"]["value"] == 0.0


def test_burden_and_cases_without_tumour():
    found = aggregate(some_cases(), resamples=10)
    # The reference livers have 192 voxels; tumours outside of the predicted one enlarge it.
    errors = [12 / 196 - 12 / 192, -4 / 192, 0.0, 6 / 144]
    burden = found["tumor_burden"]
    assert burden["rmse"] == pytest.approx((sum(e * e for e in errors) / 4) ** 0.5)
    assert burden["largest_absolute_error"] == pytest.approx(6 / 144)
    assert (burden["cases"], burden["undefined"]) == (4, 0)
    free = found["tumor_free"]
    assert (free["cases"], free["with_false_positives"], free["false_lesions"]) == (2, 1, 1)
    assert free["false_positive_ml"]["mean"] == pytest.approx(6 * 0.002 / 2)


def test_a_missed_liver_leaves_its_burden_undefined():
    found = aggregate([case("a", labels((0, 0)), labels((0, 16), (1, 3)))], resamples=10)
    assert found["tumor_burden"]["undefined"] == 1
    assert found["tumor_burden"]["rmse"] is None
    assert found["liver"]["missed"] == 1


def test_what_is_not_defined_is_null_in_json():
    empty = case("a", labels((0, 0)), labels((0, 0)), UNKNOWN)
    text = json.dumps(aggregate([empty], resamples=10), allow_nan=False)
    found = json.loads(text)
    assert found["liver"]["dice"] == {
        "mean": None,
        "interval": None,
        "median": None,
        "standard_deviation": None,
        "cases": 0,
        "undefined": 1,
    }
    assert found["liver"]["dice_global"] == {"value": None, "interval": None}
    assert found["lesions"]["iou_over_0"]["f1"]["value"] is None
    assert found["tumor_free"]["false_positive_ml"]["undefined"] == 1


def test_seeds_decide_and_seen_cases_are_named():
    cases = some_cases()
    assert aggregate(cases, resamples=50) == aggregate(cases, resamples=50)
    assert aggregate(cases, resamples=50) != aggregate(cases, resamples=50, seed=1)
    assert aggregate(cases, ("d", "a", "elsewhere"), resamples=10)["seen"] == ["a", "d"]
    with pytest.raises(InputError, match="at least one case"):
        aggregate([])
