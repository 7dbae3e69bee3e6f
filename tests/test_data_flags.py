"""Where commands take their patients from."""

from types import SimpleNamespace

import pytest

from liverjax.commands.data import DataFlags, PairFlags, open_data
from liverjax.errors import ConfigError, InputError
from tests.datasets.pairs.files import write_btcv, write_lits, write_pair


def given(data=None, coarsen=1, exclude=None, **pairs):
    """The flags as absl holds them."""
    texts = {name: pairs.get(name) for name in PairFlags._fields}
    values = {"data_dir": "data", "data": data, "coarsen": coarsen, "exclude": exclude}
    holders = {name: SimpleNamespace(value=value) for name, value in (values | texts).items()}
    own = PairFlags(**{name: holders.pop(name) for name in PairFlags._fields})
    return DataFlags(**holders, pairs=own)


def test_folders_of_several_data_sets_become_one_in_memory(tmp_path):
    write_lits(tmp_path / "lits", 1)
    write_btcv(tmp_path / "btcv", 28)
    write_pair(tmp_path / "own/p1/ct.nii.gz", tmp_path / "own/p1/liver.nii.gz", 3)
    data = [str(tmp_path / name) for name in ("lits", "btcv", "own")]
    flags = given(data, 2, label_map="liver=1+2", images="*/ct.nii.gz", labels="*/liver.nii.gz")
    found = open_data(flags, "lits")
    known = {name: each.tumors_known for name, each in found.summaries.items()}
    assert known == {"volume-1": True, "img0028": False, "own-p1": False}
    assert found.summaries["own-p1"].height == 12
    with pytest.raises(ConfigError, match=r"--data: expected the dataset lits.* found ircadb"):
        open_data(flags, "ircadb")


def test_patients_are_left_out_unread(tmp_path):
    for number in (1, 27, 31):
        write_lits(tmp_path, number)
    (tmp_path / "volume-31.nii.gz").write_bytes(b"damaged")
    data = [str(tmp_path)]
    found = open_data(given(data, exclude=["volume-2[7-9]", "volume-3?"]), "lits")
    assert list(found.summaries) == ["volume-1"]
    with pytest.raises(InputError, match="exclude: expected a patient, found volume-9; there are "):
        open_data(given(data, exclude=["volume-9"]), "lits")
    with pytest.raises(InputError, match=r"exclude: expected that somebody is left, found \*"):
        open_data(given(data, exclude=["*"]), "lits")


def test_flags_of_files_need_files():
    others = ({"exclude": ["volume-1"]}, {"label_map": "liver=1"}, {"spacing_known": False})
    for flags in (given(coarsen=2), *(given(**other) for other in others)):
        with pytest.raises(ConfigError, match="expected --data with them"):
            open_data(flags, "lits")
    with pytest.raises(InputError, match="label map: expected"):
        open_data(given(label_map="spleen=1"), "lits")
