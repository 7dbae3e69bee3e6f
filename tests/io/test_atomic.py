import json

import pytest

from liverjax.io.atomic import replacing, staging, write_json, write_text


def test_replacing_moves_on_success(tmp_path):
    target = tmp_path / "segmentation.nii.gz"
    target.write_text("old")
    with replacing(target) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.endswith("segmentation.nii.gz")
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_replacing_leaves_nothing_on_failure(tmp_path, error):
    target = tmp_path / "report.json"
    target.write_text("old")

    def write_half():
        with replacing(target) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        write_half()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_failure_before_anything_is_written(tmp_path):
    with pytest.raises(RuntimeError), replacing(tmp_path / "x.png"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_write_text_keeps_line_ends(tmp_path):
    write_text(tmp_path / "table.csv", "größe\r\n1\n")
    assert (tmp_path / "table.csv").read_bytes() == "größe\r\n1\n".encode()


def test_write_json(tmp_path):
    write_json(tmp_path / "report.json", {"liver_ml": None, "tumors": [1.5]})
    assert json.loads((tmp_path / "report.json").read_text()) == {"liver_ml": None, "tumors": [1.5]}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object()])
def test_write_json_refuses_what_json_cannot_hold(tmp_path, value):
    with pytest.raises((TypeError, ValueError), match=r"JSON"):
        write_json(tmp_path / "report.json", {"value": value})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_staging_is_empty_and_leaves_nothing(tmp_path, error):
    folder = tmp_path / "out" / ".unfinished"
    folder.mkdir(parents=True)
    (folder / "left by a killed run").touch()

    def work():
        with staging(folder) as made:
            assert list(made.iterdir()) == []
            (made / "new").touch()
            if error:
                raise error

    if error:
        with pytest.raises(error):
            work()
    else:
        work()
    assert list((tmp_path / "out").iterdir()) == []
