"""Whose turn it is: in order, in steps between steps, and never on more seats than there are."""

from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from asr.engine.scheduler import STEPS_BETWEEN_ENCODINGS, ScheduledBatch, Scheduler


@dataclass(eq=False)
class Item:
    name: str = ""
    seats: int = 1
    kind: int = 0


def scheduler_with(*items: Item, seats: int = 8, encode_at_once: int = 1) -> Scheduler[Item]:
    scheduler: Scheduler[Item] = Scheduler(seats, encode_at_once)
    for item in items:
        scheduler.add(item)
    return scheduler


def encoded_in(scheduler: Scheduler[Item], turns: int) -> list[str]:
    """The names of those encoded in so many turns, together as `ab`; `-` where none was."""
    return ["".join(item.name for item in scheduler.next_turn().encode) or "-" for _ in range(turns)]


def encoded_when_each_ends_at_once(scheduler: Scheduler[Item], turns: int) -> list[str]:
    names = []
    for _ in range(turns):
        items = scheduler.next_turn().encode
        assert items
        for item in items:
            scheduler.remove(item)
        names.append("".join(item.name for item in items))
    return names


def test_the_first_to_come_is_encoded_first() -> None:
    scheduler = scheduler_with(Item("a"), Item("b"), Item("c"))
    assert encoded_when_each_ends_at_once(scheduler, 3) == ["a", "b", "c"]
    assert not scheduler.has_work


def test_what_is_encoded_is_read_in_the_same_turn_and_until_it_is_removed() -> None:
    item = Item()
    scheduler = scheduler_with(item)
    assert scheduler.next_turn() == ScheduledBatch((item,), (item,))
    assert scheduler.next_turn() == ScheduledBatch((), (item,))
    assert scheduler.has_work
    scheduler.remove(item)
    assert not scheduler.has_work
    assert scheduler.next_turn() == ScheduledBatch((), ())


def test_those_being_read_go_on_for_a_few_steps_before_the_next_joins() -> None:
    scheduler = scheduler_with(Item("a"), Item("b"), Item("c"))
    wait = ["-"] * (STEPS_BETWEEN_ENCODINGS - 1)
    assert encoded_in(scheduler, 2 * STEPS_BETWEEN_ENCODINGS + 1) == ["a", *wait, "b", *wait, "c"]


def test_nobody_waits_where_nobody_is_read() -> None:
    scheduler = scheduler_with(Item("a"), Item("b"))
    assert encoded_when_each_ends_at_once(scheduler, 2) == ["a", "b"]


def test_a_newcomer_after_a_while_joins_at_once() -> None:
    scheduler = scheduler_with(Item("a"))
    assert encoded_in(scheduler, STEPS_BETWEEN_ENCODINGS) == ["a", "-", "-", "-"]
    scheduler.add(Item("b"))
    assert encoded_in(scheduler, 1) == ["b"]


def test_seats_that_are_taken_keep_others_waiting_until_they_are_free() -> None:
    first = Item("first", seats=6)
    scheduler = scheduler_with(first, Item("second", seats=3), seats=8)
    assert encoded_in(scheduler, 20) == ["first", *["-"] * 19]
    scheduler.remove(first)
    assert encoded_in(scheduler, 1) == ["second"]


def test_an_item_that_needs_more_seats_than_there_are_is_read_alone() -> None:
    small, large, last = Item("small"), Item("large", seats=100), Item("last")
    scheduler = scheduler_with(small, large, last, seats=8)
    assert encoded_in(scheduler, 10) == ["small", *["-"] * 9]
    scheduler.remove(small)
    assert encoded_in(scheduler, 10) == ["large", *["-"] * 9]
    scheduler.remove(large)
    assert encoded_in(scheduler, 1) == ["last"]


def test_what_is_removed_while_it_waits_is_never_encoded() -> None:
    gone = Item("gone")
    scheduler = scheduler_with(Item("a"), gone, Item("b"))
    scheduler.remove(gone)
    assert encoded_when_each_ends_at_once(scheduler, 2) == ["a", "b"]
    assert not scheduler.has_work


def test_removing_what_is_not_there_changes_nothing() -> None:
    scheduler = scheduler_with(Item("a"))
    scheduler.remove(Item("a"))
    assert encoded_in(scheduler, 1) == ["a"]


def test_what_is_added_first_comes_before_all_that_wait() -> None:
    scheduler = scheduler_with(Item("a"), Item("b"))
    scheduler.add_first(Item("again"))
    assert encoded_when_each_ends_at_once(scheduler, 3) == ["again", "a", "b"]


def test_what_can_be_deferred_waits_for_all_others_also_those_that_come_later() -> None:
    scheduler = scheduler_with()
    scheduler.add(Item("interim"), deferrable=True)
    scheduler.add(Item("later interim"), deferrable=True)
    scheduler.add(Item("final"))
    assert [item.name for item in scheduler.queued] == ["final", "interim", "later interim"]
    assert encoded_when_each_ends_at_once(scheduler, 2) == ["final", "interim"]
    scheduler.add(Item("later final"))
    assert encoded_when_each_ends_at_once(scheduler, 2) == ["later final", "later interim"]
    assert not scheduler.has_work


def test_what_can_be_deferred_does_not_take_the_seats_that_another_waits_for() -> None:
    reading = Item("reading", seats=6)
    scheduler = scheduler_with(reading, Item("final", seats=3), seats=8)
    scheduler.add(Item("interim"), deferrable=True)
    assert encoded_in(scheduler, 20) == ["reading", *["-"] * 19]
    scheduler.remove(reading)
    assert encoded_in(scheduler, 1) == ["final"]


def test_a_long_clip_lets_those_that_wait_in_between_its_windows() -> None:
    long = Item("long")
    scheduler = scheduler_with(long, Item("short"), Item("shorter"))
    scheduler.next_turn()
    scheduler.remove(long)
    scheduler.add(long)
    assert encoded_when_each_ends_at_once(scheduler, 3) == ["short", "shorter", "long"]


def test_clips_of_one_kind_are_encoded_together_past_others_that_wait() -> None:
    a, b, c, d = Item("a", kind=1), Item("b", kind=2), Item("c", kind=1), Item("d", kind=1)
    scheduler = scheduler_with(a, b, c, d, encode_at_once=16)
    assert scheduler.next_turn() == ScheduledBatch((a, c, d), (a, c, d))
    assert list(scheduler.waiting) == [b]


def test_no_more_are_encoded_together_than_may_be() -> None:
    scheduler = scheduler_with(*(Item(name) for name in "abcde"), encode_at_once=2)
    assert encoded_when_each_ends_at_once(scheduler, 3) == ["ab", "cd", "e"]


def test_only_those_that_find_seats_join() -> None:
    scheduler = scheduler_with(Item("a", seats=3), Item("b", seats=6), Item("c", seats=4), Item("d"), encode_at_once=16)
    assert encoded_in(scheduler, 2) == ["acd", "-"]
    assert [item.name for item in scheduler.waiting] == ["b"]


def test_one_that_is_read_alone_takes_nobody_with_it() -> None:
    scheduler = scheduler_with(Item("a", seats=100), Item("b"), seats=8, encode_at_once=16)
    assert encoded_in(scheduler, 1) == ["a"]


def test_whoever_is_overtaken_is_next_and_decides() -> None:
    """Small clips of another kind never stop coming; the large one is first after one batch, and waits for no more."""
    scheduler = scheduler_with(Item("s"), Item("L", seats=8, kind=1), Item("s"), Item("s"), encode_at_once=2)
    turns = []
    for _ in range(6):
        scheduler.add(Item("s"))
        turn = scheduler.next_turn()
        turns.append("".join(item.name for item in turn.encode))
        for item in turn.read:
            scheduler.remove(item)
    assert turns == ["ss", "L", "ss", "ss", "ss", "s"]


def test_those_encoded_together_make_one_pause_for_those_being_read() -> None:
    scheduler = scheduler_with(*(Item(name) for name in "abcd"), encode_at_once=2)
    wait = ["-"] * (STEPS_BETWEEN_ENCODINGS - 1)
    assert encoded_in(scheduler, STEPS_BETWEEN_ENCODINGS + 1) == ["ab", *wait, "cd"]


@dataclass(eq=False)
class Clip:
    """Comes at the turn `arrives`; each of its windows is read for as many steps as `readings` says.

    One that is doubted is heard a second time. `gone` turns after it came it is cancelled, if that is soon enough.
    """

    arrives: int
    seats: int
    readings: list[tuple[int, bool]]
    gone: int
    kind: int
    left: int = field(default=0, init=False)
    heard_again: bool = field(default=False, init=False)


CLIPS = st.lists(
    st.builds(
        Clip,
        arrives=st.integers(0, 30),
        seats=st.integers(1, 12),
        readings=st.lists(st.tuples(st.integers(1, 12), st.booleans()), min_size=1, max_size=3),
        gone=st.integers(0, 200),
        kind=st.integers(0, 2),
    ),
    min_size=1,
    max_size=12,
)
MANY_TURNS = 12 * 3 * 2 * (12 + STEPS_BETWEEN_ENCODINGS) + 31  # windows, twice each, one after the other


@given(clips=CLIPS, seats=st.integers(1, 10), encode_at_once=st.integers(1, 4))
@settings(deadline=None)
def test_whatever_comes_is_encoded_once_for_every_adding_and_seats_are_respected(
    clips: list[Clip], seats: int, encode_at_once: int
) -> None:
    scheduler: Scheduler[Clip] = Scheduler(seats, encode_at_once)
    added: Counter[Clip] = Counter()
    encoded: Counter[Clip] = Counter()
    cancelled_in_the_queue: Counter[Clip] = Counter()
    for turn_number in range(MANY_TURNS):
        for clip in clips:
            if clip.arrives == turn_number:
                scheduler.add(clip)
                added[clip] += 1
            if clip.arrives + clip.gone == turn_number:
                cancelled_in_the_queue[clip] += scheduler.waiting.count(clip)
                scheduler.remove(clip)
        if not scheduler.has_work:
            continue
        first = scheduler.waiting[0] if scheduler.waiting else None
        turn = scheduler.next_turn()
        for clip in turn.encode:
            encoded[clip] += 1
            clip.left = clip.readings[0][0]
        assert not turn.encode or turn.encode[0] is first
        assert len({clip.kind for clip in turn.encode}) <= 1
        assert len(turn.encode) <= encode_at_once
        assert turn.read
        assert len(set(turn.read)) == len(turn.read)
        assert set(turn.encode) <= set(turn.read)
        assert sum(clip.seats for clip in turn.read) <= seats or len(turn.read) == 1
        for clip in turn.read:
            clip.left -= 1
            if clip.left:
                continue
            scheduler.remove(clip)
            if clip.readings[0][1] and not clip.heard_again:
                clip.heard_again = True
                scheduler.add_first(clip)
                added[clip] += 1
            elif len(clip.readings) > 1:
                clip.readings, clip.heard_again = clip.readings[1:], False
                scheduler.add(clip)
                added[clip] += 1
    assert not scheduler.has_work
    assert encoded + cancelled_in_the_queue == added
