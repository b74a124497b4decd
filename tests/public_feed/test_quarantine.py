from bybitd.public_feed.quarantine import EXCERPT_CHARACTERS, Quarantine


def test_it_counts_all_and_keeps_the_last_newest_first():
    quarantine = Quarantine(keep=3)
    for number in range(5):
        quarantine.add(number, f"reason {number}", "x")
    assert quarantine.count == 5
    assert [bad["at_ns"] for bad in quarantine.last(2)] == [4, 3]
    assert [bad["at_ns"] for bad in quarantine.last(9)] == [4, 3, 2]


def test_a_huge_frame_is_cut_short():
    quarantine = Quarantine()
    quarantine.add(1, "r" * 10_000, "e" * 10_000)
    (bad,) = quarantine.last(1)
    assert len(bad["reason"]) == len(bad["excerpt"]) == EXCERPT_CHARACTERS
