"""Where what was sent lies in the whole stream."""

from clients.live.timeline import Timeline


def test_times_go_on_over_what_was_left_out() -> None:
    timeline = Timeline()
    assert timeline.position(7) == 7
    timeline.skip(10, 100)
    timeline.skip(10, 5)
    timeline.skip(20, 1000)
    assert [timeline.position(offset) for offset in (0, 9, 10, 19, 20, 21)] == [0, 9, 115, 124, 1125, 1126]


def test_what_is_forgotten_takes_no_room_and_changes_nothing_after_it() -> None:
    timeline = Timeline()
    for offset in range(10, 1000, 10):
        timeline.skip(offset, 1)
    timeline.forget(985)
    assert len(timeline) <= 2
    assert timeline.position(985) == 985 + 98
    assert timeline.position(990) == 990 + 99
