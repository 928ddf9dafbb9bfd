"""What is kept until its finals have come."""

from clients.live.backlog import PIECE_BYTES, Backlog, Marker


def sent(backlog: Backlog) -> list[bytes | Marker]:
    """All that is to be sent now."""
    return list(iter(backlog.next, None))


def test_audio_comes_out_in_order_with_the_finalizes_at_their_places() -> None:
    backlog = Backlog()
    backlog.add_finalize()
    backlog.add(b"ab")
    backlog.add(b"c")
    backlog.add_finalize()
    backlog.add_finalize()
    backlog.add(b"d")
    assert sent(backlog) == [Marker.FINALIZE, b"abc", Marker.FINALIZE, Marker.FINALIZE, b"d"]
    backlog.add(b"e")
    assert sent(backlog) == [b"e"]


def test_no_piece_is_too_large_for_a_message() -> None:
    backlog = Backlog()
    backlog.add(bytes(2 * PIECE_BYTES + 1))
    assert [len(piece) for piece in sent(backlog) if isinstance(piece, bytes)] == [PIECE_BYTES, PIECE_BYTES, 1]


def test_after_a_rewind_what_is_not_released_is_sent_again() -> None:
    backlog = Backlog()
    backlog.add(b"abcdef")
    backlog.add_finalize()
    sent(backlog)
    backlog.release(4)
    backlog.rewind()
    assert sent(backlog) == [b"ef", Marker.FINALIZE]
    assert (backlog.start, backlog.end, len(backlog)) == (4, 6, 2)


def test_an_answered_finalize_takes_what_was_before_it() -> None:
    backlog = Backlog()
    backlog.add(b"abc")
    backlog.add_finalize()
    backlog.add(b"de")
    backlog.add_finalize()
    sent(backlog)
    assert backlog.release_finalized()
    backlog.rewind()
    assert sent(backlog) == [b"de", Marker.FINALIZE]


def test_what_was_not_sent_is_not_released() -> None:
    backlog = Backlog()
    backlog.add(b"abc")
    sent(backlog)
    backlog.add(b"def")
    backlog.add_finalize()
    backlog.release(6)
    assert not backlog.release_finalized()
    assert backlog.start == 3


def test_audio_before_an_open_finalize_is_released_but_not_beyond() -> None:
    backlog = Backlog()
    backlog.add(b"abc")
    backlog.add_finalize()
    backlog.add(b"def")
    sent(backlog)
    backlog.release(5)
    assert backlog.start == 3
    backlog.rewind()
    assert sent(backlog) == [Marker.FINALIZE, b"def"]
