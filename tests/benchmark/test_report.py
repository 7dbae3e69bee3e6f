import json

from liverjax.benchmark.comparison import Comparison
from liverjax.benchmark.machine import cores, describe_machine
from liverjax.benchmark.report import format_comparison, write_json
from liverjax.benchmark.timing import Timing

COMPARISON = Comparison(
    "train_step",
    "slices/s",
    4,
    (Timing("liverjax", 30.0, (1.0, 2.0), 1), Timing("torch eager", 0.5, (2.0, 4.0), 1)),
    {"torch eager": 1e-6},
    {"GFLOP per call": 12.5},
)
ALONE = Comparison("dicom", "slices/s", 8, (Timing("liverjax", 0.1, (2.0,), 4),))


def test_table_names_everyone_and_the_ratio():
    lines = format_comparison(COMPARISON).splitlines()
    assert lines[0] == "train_step"
    ours, theirs = (next(line for line in lines if name in line) for name in ("liverjax", "torch"))
    assert ours.split() == ["liverjax", "3", "2.5", "-", "3.5", "2", "30.0"]
    assert theirs.split() == ["torch", "eager", "1.5", "1.25", "-", "1.75", "2", "0.5", "1e-06"]
    assert "2.00 times the speed of torch eager (median of paired turns" in lines[-2]
    assert lines[-1].strip() == "GFLOP per call: 12.5"


def test_table_without_peers_has_no_ratio():
    assert "times" not in format_comparison(ALONE)


def test_json_holds_machine_and_every_turn(tmp_path):
    path = tmp_path / "figures.json"
    write_json(path, [COMPARISON, ALONE], describe_machine())
    found = json.loads(path.read_text())
    assert found["machine"]["cores"] == cores() >= 1
    assert found["machine"]["versions"]["jax"]
    train, dicom = found["benchmarks"]["train_step"], found["benchmarks"]["dicom"]
    assert train["contenders"]["liverjax"]["turn_s"] == [1.0, 2.0]
    assert train["contenders"]["liverjax"]["warmup_s"] == 30.0
    assert train["contenders"]["torch eager"]["median"] == 1.5
    assert train["ratios_to_best_peers"]["torch eager"]["median"] == 2.0
    assert train["difference_from_ours"] == {"torch eager": 1e-6}
    assert dicom["contenders"]["liverjax"]["median"] == 16.0
    assert dicom["ratios_to_best_peers"] == {}
