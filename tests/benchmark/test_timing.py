import pytest

from liverjax.benchmark.timing import (
    Contender,
    Timing,
    best_of,
    interleave,
    paired_ratio,
    rates,
    spread,
)
from liverjax.errors import BenchmarkError


class FakeMachine:
    """A clock that moves only while contenders work, each by the next of its durations."""

    def __init__(self):
        self.now = 0.0
        self.turns = []

    def clock(self):
        return self.now

    def contender(self, name, durations):
        remaining = iter(durations)

        def run(calls):
            self.turns.append((name, calls))
            self.now += next(remaining)

        return Contender(name, run)


def test_contenders_take_turns_after_two_warm_ups_each():
    machine = FakeMachine()
    contenders = [machine.contender("a", [9, 1, 2, 3]), machine.contender("b", [8, 1, 4, 5])]
    timings = interleave(contenders, repeats=2, calls=7, clock=machine.clock)
    assert machine.turns == [(name, 7) for name in "abababab"[:8]]
    assert timings == [Timing("a", 9, (2, 3), 7), Timing("b", 8, (4, 5), 7)]


def test_a_hopeless_peer_leaves_with_its_second_call():
    machine = FakeMachine()
    contenders = [
        machine.contender("ours", [1, 1, 1, 1]),
        machine.contender("fast", [1, 2, 2, 2]),
        machine.contender("slow", [1, 17]),
    ]
    timings = interleave(contenders, repeats=2, clock=machine.clock)
    assert [timing.seconds for timing in timings] == [(1, 1), (2, 2), (17,)]


def test_the_contender_in_question_stays_however_slow():
    machine = FakeMachine()
    contenders = [machine.contender("ours", [90] * 4), machine.contender("fast", [1] * 4)]
    ours, _ = interleave(contenders, repeats=2, clock=machine.clock)
    assert ours.seconds == (90, 90)


def test_one_contender_alone():
    machine = FakeMachine()
    (only,) = interleave([machine.contender("a", [5, 1, 1])], repeats=1, clock=machine.clock)
    assert only == Timing("a", 5, (1,), 1)


@pytest.mark.parametrize(("repeats", "calls"), [(0, 1), (1, 0)])
def test_no_repeats_are_refused(repeats, calls):
    with pytest.raises(BenchmarkError, match="at least 1, found"):
        interleave([], repeats, calls)


def test_spread_of_repeats():
    assert spread([4, 1, 3, 2, 5]) == (3, 2, 4, 1, 5)
    assert spread([7]) == (7, 7, 7, 7, 7)


def test_rates_count_all_items_of_a_turn():
    assert rates(Timing("a", 0, (2.0, 4.0), calls=3), items=8) == (9, 7.5, 10.5, 6, 12)


def test_best_is_by_the_median_not_by_the_luckiest_turn():
    lucky, steady = Timing("lucky", 0, (1, 9, 9), 1), Timing("steady", 0, (3, 3, 3), 1)
    assert best_of([lucky, steady]) is steady


def test_ratio_is_taken_turn_by_turn():
    # The machine was ten times slower in the second round, for both.
    ours, peer = Timing("ours", 0, (1, 10, 1), 1), Timing("peer", 0, (2, 20, 2), 1)
    assert paired_ratio(ours, peer) == (2, 2, 2, 2, 2)
    assert paired_ratio(peer, ours).median == 0.5
