import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from liverjax.errors import InputError
from liverjax.reporting.curves import best_epoch, draw_curves, save_curves


def record(epoch, train, validation=None):
    """One line of metrics.jsonl; losses are one minus Dice."""
    found = {"step": 10 * epoch, "epoch": epoch, "train_loss": 1 - train, "train_dice": train}
    if validation is not None:
        found |= {"validation_loss": 1 - validation, "validation_dice": validation}
    return found


RECORDS = [record(1, 0.5, 0.6), record(2, 0.7, 0.9), record(3, 0.8, 0.9), record(4, 0.9, 0.8)]


def draw(records):
    """The two axes, and what is drawn on each: {label: [(epoch, value), ...]}."""
    axes = Figure().subplots(1, 2)
    draw_curves(axes, records, "liver network")
    lines = [
        {
            line.get_label(): list(zip(*line.get_data(), strict=True))
            for line in plot.lines
            if not line.get_label().startswith("_")
        }
        for plot in axes
    ]
    return axes, lines


def test_loss_and_dice_of_both_sides_per_epoch():
    axes, (loss, dice) = draw(RECORDS)
    assert dice["training"] == [(1, 0.5), (2, 0.7), (3, 0.8), (4, 0.9)]
    assert dice["validation"] == [(1, 0.6), (2, 0.9), (3, 0.9), (4, 0.8)]
    assert loss["training"] == [(1, 0.5), (2, pytest.approx(0.3)), *loss["training"][2:]]
    assert loss["validation"][3] == (4, pytest.approx(0.2))
    assert [plot.get_ylabel() for plot in axes] == ["loss, mean per slice", "Dice over all pixels"]
    assert {plot.get_xlabel() for plot in axes} == {"epoch"}


def test_best_validation_dice_is_marked_at_the_first_of_equals():
    axes, (loss, dice) = draw(RECORDS)
    assert best_epoch(RECORDS) == RECORDS[1]
    assert dice["best, epoch 2: 0.900"] == [(2, 0.9)]
    assert loss["best Dice, epoch 2"] == [(2, pytest.approx(0.1))]
    for plot in axes:
        texts = [text.get_text() for text in plot.get_legend().get_texts()]
        assert len(texts) == 3
        assert "epoch 2" in texts[2]


def test_epochs_without_validation_are_left_out():
    records = [record(1, 0.5), record(2, 0.7, 0.6), record(3, 0.8), record(4, 0.9, 0.7)]
    _, (_, dice) = draw(records)
    assert dice["validation"] == [(2, 0.6), (4, 0.7)]
    assert len(dice["training"]) == 4
    assert dice["best, epoch 4: 0.700"] == [(4, 0.7)]


def test_a_run_without_validation_has_no_best():
    records = [record(1, 0.5), record(2, 0.7)]
    assert best_epoch(records) is None
    assert [set(lines) for lines in draw(records)[1]] == [{"training"}, {"training"}]


def test_a_single_epoch_is_seen(tmp_path):
    axes, (_, dice) = draw(RECORDS[:1])
    assert dice["training"] == [(1, 0.5)]
    assert axes[1].lines[0].get_marker() == "o"  # a line through one point shows nothing
    save_curves(tmp_path / "c.png", RECORDS[:1], "liver network")
    assert [path.name for path in tmp_path.iterdir()] == ["c.png"]


def test_epochs_are_whole_numbers():
    for count in (1, 2, 4):
        axes, _ = draw(RECORDS[:count])
        assert all(tick == int(tick) for tick in axes[0].get_xticks())


def test_no_epoch_is_refused_and_nothing_written(tmp_path):
    with pytest.raises(InputError, match="liver network: expected the metrics of at least one"):
        save_curves(tmp_path / "c.png", [], "liver network")
    assert list(tmp_path.iterdir()) == []


def test_pyplot_keeps_no_figure(tmp_path):
    before = plt.get_fignums()
    save_curves(tmp_path / "c.png", RECORDS, "liver network")
    assert plt.get_fignums() == before
