import pytest

from liverjax.datasets.known_overlap import check_known_overlap
from liverjax.errors import SplitError


@pytest.mark.parametrize("name", ["volume-27", "liver_48", "patient30", "segmentation-028", "35"])
@pytest.mark.parametrize("dataset", ["lits", "msd", "msd_liver"])
def test_ircadb_within_lits_is_refused_in_both_directions(dataset, name):
    listed = rf"^{name} of {dataset}: .* set ircadb; .* among volumes 27 to 48"
    with pytest.raises(SplitError, match=listed):
        check_known_overlap(dataset, ("volume-1", name, "volume-26"), "ircadb")
    with pytest.raises(SplitError, match=listed):
        check_known_overlap("ircadb", ("patient01",), dataset, ("volume-49", name))


def test_a_whole_test_set_holds_them_all():
    with pytest.raises(SplitError, match=r"volume-27, .*, volume-48 of lits"):
        check_known_overlap("ircadb", ("patient01",), "lits")


def test_lits_and_the_decathlon_number_the_same_patients():
    with pytest.raises(SplitError, match=r"^volume-5 of lits: are in the test set msd"):
        check_known_overlap("lits", ("volume-4", "volume-5"), "msd", ("liver_005", "liver_70"))
    with pytest.raises(SplitError, match=r"^liver_4, liver_5 of msd: are in the test set lits"):
        check_known_overlap("msd", ("liver_4", "liver_5"), "lits")
    check_known_overlap("lits", ("volume-4", "test-volume-5"), "msd", ("liver_5",))


def test_others_pass():
    check_known_overlap("lits", ("volume-26", "volume-49", "volume-1", "volume-127"), "ircadb")
    check_known_overlap("lits", ("test-volume-30",), "ircadb")
    check_known_overlap("lits", ("volume-27",), "btcv")
    check_known_overlap("btcv", ("img0027",), "ircadb")
    check_known_overlap("lits", (), "ircadb")
    check_known_overlap("ircadb", ("patient01",), "lits", ("volume-1",))
    check_known_overlap("ircadb", ("patient01",), "ircadb")


@pytest.mark.parametrize("name", ["somebody", "volume-", "volume-27b", ""])
def test_a_name_without_number_is_refused(name):
    with pytest.raises(SplitError, match=f"{name} of lits: expected a name with the number"):
        check_known_overlap("lits", (name,), "ircadb")
