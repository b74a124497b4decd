from bybitd.simulator.schedule import NEVER_MS, STEP_MS, Schedule

ONE, TWO = object(), object()


def test_the_earliest_deadline_comes_first_and_only_when_it_is_due():
    schedule = Schedule()
    schedule.set(ONE, 100, 0)
    schedule.set(TWO, 50, 0)
    assert schedule.next_ms() == 50
    assert schedule.pop(49) is None
    assert schedule.pop(60) is TWO
    assert schedule.pop(60) is None
    assert schedule.next_ms() == 100


def test_a_new_deadline_overtakes_the_old_one_earlier_or_later():
    schedule = Schedule()
    schedule.set(ONE, 100, 0)
    schedule.set(ONE, 50, 0)
    assert schedule.pop(60) is ONE
    assert schedule.pop(1000) is None
    schedule.set(ONE, 50, 0)
    schedule.set(ONE, 200, 0)
    assert schedule.pop(100) is None
    assert schedule.next_ms() == 200


def test_a_market_without_a_deadline_is_taken_out():
    schedule = Schedule()
    schedule.set(ONE, 10, 0)
    schedule.set(ONE, float("inf"), 0)
    assert schedule.next_ms() == NEVER_MS
    assert schedule.pop(1000) is None


def test_deadlines_share_steps_and_lie_ahead():
    schedule = Schedule()
    schedule.set(ONE, 11.2, 0)
    assert schedule.next_ms() == 11 // STEP_MS * STEP_MS + STEP_MS
    schedule.set(TWO, 0, 40)
    assert schedule.next_ms() == 15
    schedule.set(ONE, float("inf"), 40)
    assert schedule.next_ms() == 41
