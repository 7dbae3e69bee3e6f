"""Where commands take their patients from."""

from types import SimpleNamespace

import pytest

from liverjax.commands.data import DataFlags, PairFlags, open_data
from liverjax.errors import ConfigError, InputError
from tests.datasets.pairs.files import write_btcv, write_lits, write_pair


def given(data=None, coarsen=1, **pairs):
    """The flags as absl holds them."""
    texts = {name: pairs.get(name) for name in PairFlags._fields}
    values = {"data_dir": "data", "data": data, "coarsen": coarsen}
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


def test_flags_of_files_need_files():
    for flags in (given(coarsen=2), given(label_map="liver=1"), given(spacing_known=False)):
        with pytest.raises(ConfigError, match="expected --data with them"):
            open_data(flags, "lits")
    with pytest.raises(InputError, match="label map: expected"):
        open_data(given(label_map="spleen=1"), "lits")
