"""Networks as they are shipped: what they cost, and that they refuse whom they have seen."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

from liverjax.choices import Stage
from liverjax.commands import predict as command
from liverjax.errors import ConfigError, SplitError
from liverjax.inference import bundle
from liverjax.inference.bundle import read_bundle
from liverjax.inference.cascade import load_cascade
from liverjax.io.ct import read_scan
from liverjax.io.nifti import write_segmentation
from liverjax.reporting.case_report import NO_LIVER
from liverjax.volume import Geometry, Segmentation, Volume
from liverjax.workflows.calibrate import calibrate
from liverjax.workflows.evaluate import evaluate
from liverjax.workflows.predict import has_result
from liverjax.workflows.prepared import open_prepared
from liverjax.workflows.ship import agreement, gflop_per_slice, ship
from tests.commands import run
from tests.conftest import ROOT
from tests.inference.bundles import contents
from tests.toy import toy_config, toy_slices


def test_rounding_costs_next_to_nothing_and_is_measured(untrained_runs, shipped):
    hu = np.ascontiguousarray(toy_slices(7)[0][..., 0])
    volume = Volume(hu, Geometry.from_axes((0, 0, 0), (4.0, 3.0, 3.0)))
    found = agreement(untrained_runs, shipped, volume)
    assert 0 < found.liver < 0.01
    assert found.liver_dice > 0.99


def test_arithmetic_grows_with_the_channels_and_the_pixels():
    config = toy_config(Stage.TUMOR)
    cost = gflop_per_slice(config)
    # The first convolution alone: 3 x 3 x 1 x 8 products for each pixel.
    assert cost > 2 * 9 * 8 * 32**2 / 1e9
    larger = dataclasses.replace(config, preprocess=dataclasses.replace(config.preprocess, size=64))
    assert gflop_per_slice(larger) == pytest.approx(4 * cost, rel=0.02)
    deeper = dataclasses.replace(config.preprocess, neighbors=1)
    more = gflop_per_slice(dataclasses.replace(config, preprocess=deeper)) - cost
    assert more == pytest.approx(2 * 2 * 9 * 8 * 32**2 / 1e9)


def write_ct(path, hu, mm=3.0):
    """A CT as NIfTI, with labels' own writer: values 0 to 255, in voxels of a known size."""
    geometry = Geometry.from_axes((0.5, 0, 0), (4.0, mm, mm))
    write_segmentation(path, Segmentation(hu.astype(np.uint8), geometry))
    return path


def call(capsys, *flags):
    """What the command prints, called in this process, where the package's weights are stood in."""
    command._OWN(["predict", *map(str, flags)])
    try:
        command.main()
    finally:
        command._OWN.unparse_flags()
        for name in command._OWN:
            command._OWN[name].unparse()
    return capsys.readouterr().out


def test_predict_without_workdirs_takes_the_weights_of_the_package(
    untrained_runs, shipped, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(bundle, "SHIPPED", shipped)
    ct = write_ct(tmp_path / "ct.nii", np.clip(toy_slices(7)[0][..., 0], 0, 2))
    output = tmp_path / "out"
    flags = [f"--input={ct}", f"--output={output}"]
    assert str(output / "report.json") in call(capsys, *flags)
    source = json.loads((output / "report.json").read_text())["source"]
    for stage, network in read_bundle().items():
        told = source[stage.value]
        assert told["checkpoint"] == network.fingerprint
        assert told["weights"] == {"version": "1.2", "sha256": network.shipped.sha256}
        assert told["trained_on"] == {
            "dataset": "lits",
            "train": ["volume-1", "img0027"],
            "validation": ["volume-2"],
        }
    scan = read_scan(ct)
    assert has_result(scan, load_cascade(), output)
    # The same checkpoints, but not rounded.
    assert not has_result(scan, load_cascade(*untrained_runs.values()), output)
    assert call(capsys, *flags).startswith("there already")
    assert call(capsys, *flags, f"--weights={shipped}").startswith("there already")
    with pytest.raises(ConfigError, match="--tumor: expected a folder as well as for --liver"):
        call(capsys, *flags, "--liver=l")
    with pytest.raises(ConfigError, match="--weights: expected nothing beside --liver"):
        call(capsys, *flags, "--liver=l", "--tumor=t", f"--weights={shipped}")


def test_a_ct_without_liver_is_a_message_and_ends_well(
    shipped, tmp_path, monkeypatch, capsys, caplog
):
    monkeypatch.setattr(bundle, "SHIPPED", shipped)
    # 16 slices of 3.2 x 3.2 mm hold less than any liver.
    ct = write_ct(tmp_path / "ct.nii", np.clip(toy_slices(7)[0][..., 0], 0, 2), mm=0.1)
    output = tmp_path / "out"
    printed = call(capsys, f"--input={ct}", f"--output={output}")
    assert str(output / "segmentation.nii.gz") in printed
    assert f"{output}: {NO_LIVER}" in caplog.text
    report = json.loads((output / "report.json").read_text())
    assert (report["liver_voxels"], report["messages"]) == (0, [NO_LIVER])
    assert not read_scan(output / "segmentation.nii.gz").volume.hu.any()


def test_the_weights_are_part_of_the_package():
    """As setuptools gathers it for a wheel, and for a source distribution by way of that."""
    command = (
        "import setuptools; from distutils.core import run_setup;"
        "build = run_setup('setup.py', stop_after='init').get_command_obj('build_py');"
        "build.finalize_options(); print(*(name for data in build.data_files for name in data[3]))"
    )
    told = subprocess.check_output([sys.executable, "-c", command], cwd=ROOT, text=True)
    assert {f"weights/{name}" for name in contents(bundle.SHIPPED)} <= {*told.split()}


def test_the_command_ships_and_measures(untrained_runs, tmp_path):
    flags = [f"--{stage.value}={path}" for stage, path in untrained_runs.items()]
    ct = write_ct(tmp_path / "ct.nii", np.zeros((4, 32, 32)))
    weights = tmp_path / "weights"
    shown = run("ship", *flags, "--weights_version=3", f"--output={weights}", f"--check={ct}")
    assert shown.returncode == 0, shown.stderr
    *_, total, liver, tumor, rounding = shown.stdout.splitlines()
    assert total.startswith("in all 0.")
    assert liver.startswith("liver network: 0.")
    assert tumor.endswith("GFLOP per slice")
    assert rounding.startswith("rounding changes probabilities by at most ")
    record = json.loads((weights / "cascade.json").read_text())
    assert record["version"] == "3"


def test_patients_that_shipped_weights_have_seen_are_refused(small_run, tmp_path):
    workdir, result = small_run
    collection = open_prepared("ircadb", workdir / "data")
    ship({stage: workdir / stage.value for stage in Stage}, tmp_path, "1")
    networks = read_bundle(tmp_path)
    for patient, how in (("patient01", "trained"), ("patient06", "selected")):
        with pytest.raises(SplitError, match=f"{patient}: the liver network was {how} on it"):
            evaluate(networks, collection, [patient])
    (expected,) = (score for score in result.scores if score.case == "patient05")
    (found,) = evaluate(networks, collection, ["patient05"]).cases
    assert found.liver.dice == pytest.approx(expected.liver.dice, abs=2e-3)
    # Under another name of the dataset they are known by what they show.
    others = {
        stage: network._replace(
            config=dataclasses.replace(
                network.config, dataset=dataclasses.replace(network.config.dataset, name="other")
            )
        )
        for stage, network in networks.items()
    }
    with pytest.raises(SplitError, match=r"patient01 of evaluation and patient01 of .* the same"):
        evaluate(others, collection, ["patient01"])
    with pytest.raises(ConfigError, match="expected networks that were loaded from workdirs"):
        calibrate(networks, collection)
