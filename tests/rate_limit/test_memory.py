"""What one process remembers of shared limits stays small."""

from arbvantage_provider.rate_limit.redis.limit_state import MOST_KEYS, LimitState

MINUTE = 60_000_000


def note(memory: LimitState, key: bytes, *, ahead: float, now: float) -> None:
    memory.note(key, mark=int((now + ahead) * 1e6), ahead=ahead, now=now, owned=True)


def test_of_any_number_of_keys_the_last_ones_are_remembered() -> None:
    memory = LimitState(MINUTE, 1)

    for number in range(50_000):
        note(memory, b"%d" % number, ahead=3600, now=number / 1000)

    assert len(memory) == MOST_KEYS
    assert memory.find(b"49999") is not None
    assert memory.find(b"0") is None


def test_what_says_nothing_anymore_is_forgotten_first() -> None:
    memory = LimitState(MINUTE, 1, most=3)
    note(memory, b"busy", ahead=60, now=0)
    note(memory, b"idle", ahead=1, now=0)
    note(memory, b"busy too", ahead=60, now=0)

    note(memory, b"new", ahead=60, now=2)

    remembered = [key for key in (b"busy", b"idle", b"busy too") if memory.find(key)]
    assert remembered == [b"busy", b"busy too"]


def test_what_was_asked_for_longest_ago_is_forgotten_next() -> None:
    memory = LimitState(MINUTE, 1, most=2)
    for key in (b"a", b"b", b"a", b"c"):
        note(memory, key, ahead=60, now=0)

    assert [bool(memory.find(key)) for key in (b"a", b"b", b"c")] == [True, False, True]


def test_a_share_is_lent_to_no_more_keys_than_can_be_remembered() -> None:
    memory = LimitState(MINUTE, 1, most=2)

    lent = [
        memory.lend(key, share=1.0, patience=0, now=now)
        for key, now in ((b"a", 0), (b"b", 0), (b"c", 0), (b"a", 0), (b"c", 60))
    ]

    assert lent == [(True, 0), (True, 0), (False, 60), (False, 60), (True, 0)]


def test_what_was_lent_claims_no_more_than_the_whole_bucket() -> None:
    memory = LimitState(MINUTE, 2)
    for _ in range(3):
        memory.lend(b"a", share=0.1, patience=10**6, now=0)

    assert memory.claim(b"a", 0) == (0, 2 * MINUTE)
    assert memory.claim(b"a", 1700) == (0, 100_000_000)
    assert memory.claim(b"a", 1800) == (0, 0)


def test_what_the_server_told_last_is_claimed_until_it_is_past() -> None:
    memory = LimitState(MINUTE, 2)
    note(memory, b"a", ahead=30, now=100)

    claims = [memory.claim(b"a", now) for now in (100, 129, 130)]

    assert [mark for mark, _ in claims] == [130_000_000] * 3
    assert [ahead for _, ahead in claims] == [30_000_000, 1_000_000, 0]
    assert memory.claim(b"b", 100) == (0, 0)
