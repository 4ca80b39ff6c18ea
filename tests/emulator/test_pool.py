"""Which environment works next: the platform's habits, and what holds in any order of events."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from emulator.pool import Pool


def filled(size: int, **options: float) -> Pool[str]:
    pool: Pool[str] = Pool(size, **options)
    for name in "abcdefgh"[:size]:
        assert pool.grant_start(size)
        pool.add(name, 0.0)
    return pool


def test_the_most_recently_used_is_taken_first() -> None:
    """So that the others grow cold."""
    pool = filled(3)
    first, second = pool.take(), pool.take()
    pool.give_back(first, 1.0)
    pool.give_back(second, 2.0)
    assert [pool.take(), pool.take()] == [second, first]


def test_an_environment_holds_one_invocation() -> None:
    """A second one is not given to it before the first is over."""
    pool = filled(1)
    assert pool.take() == "a"
    assert pool.take() is None
    pool.give_back("a", 1.0)
    assert pool.take() == "a"


def test_a_managed_instance_holds_several() -> None:
    """As many as its capacity."""
    pool = filled(2, capacity=3)
    assert sorted(str(pool.take()) for _ in range(7)) == ["None", *"aaabbb"]


def test_starts_are_granted_for_those_that_wait() -> None:
    """One for each waiting invocation that no start under way will serve, and never more than the size."""
    pool: Pool[str] = Pool(3)
    assert [pool.grant_start(2) for _ in range(3)] == [True, True, False]
    assert [pool.grant_start(9) for _ in range(2)] == [True, False]
    pool.give_up()
    assert pool.grant_start(9)


def test_idle_ones_expire() -> None:
    """Counted from when they were last used; a busy one does not."""
    pool = filled(3, keep_alive_s=10.0)
    busy = pool.take()
    used = pool.take()
    pool.give_back(used, 5.0)
    assert pool.next_expiry() == 10.0
    (expired,) = pool.remove_expired(10.0)
    assert expired not in {busy, used}
    assert pool.next_expiry() == 15.0
    assert pool.remove_expired(15.0) == [used]
    assert pool.members() == [busy]
    assert pool.next_expiry() is None


@given(
    st.integers(1, 4),
    st.integers(1, 3),
    st.lists(st.sampled_from(["take", "give back", "start", "add", "give up", "expire"]), max_size=60),
)
def test_any_story_keeps_the_bounds(size: int, capacity: int, events: list[str]) -> None:
    """Never more environments than the size, never more invocations in one than its capacity; none is lost."""
    pool: Pool[int] = Pool(size, capacity=capacity, keep_alive_s=3.0)
    coming = names = 0
    held: list[int] = []
    for now, event in enumerate(events):
        if event == "take":
            member = pool.take()
            assert (member is None) == (len(held) == len(pool) * capacity)
            held += [] if member is None else [member]
        elif event == "give back" and held:
            pool.give_back(held.pop(0), now)
        elif event == "start":
            coming += pool.grant_start(100)
        elif event == "add" and coming:
            coming, names = coming - 1, names + 1
            pool.add(names, now)
        elif event == "give up" and coming:
            coming -= 1
            pool.give_up()
        elif event == "expire":
            assert not set(pool.remove_expired(now)) & set(held)
        assert len(pool) + coming <= size
        assert all(held.count(member) <= capacity for member in held)
        assert set(held) <= set(pool.members())


def test_who_is_idle() -> None:
    """One that holds no invocation; one that is gone holds none."""
    pool: Pool[str] = Pool(1)
    pool.grant_start(1)
    pool.add("a", 0.0)
    assert pool.is_idle("a")
    assert pool.take() == "a"
    assert not pool.is_idle("a")
    pool.remove("a")
    assert pool.is_idle("a")
