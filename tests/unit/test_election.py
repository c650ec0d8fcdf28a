"""One test for each sentence of the election: promises, authority, candidates."""

import pytest

from powershare.election import Answer, Authority, Cause, Elector, Promise, Role, Term
from powershare.errors import ContractError
from powershare.timing import Timing

TIMING = Timing()
P, C = TIMING.promise_ms, TIMING.cycle_ms
ONE, TWO = Term(1, 1, 11), Term(2, 2, 22)


def free_promise() -> Promise:
    return Promise(P, -P)


def elector(member: int = 0, weights: tuple[int, ...] = (1, 1, 1), rank: int | None = 0, now_ms: int = 0) -> Elector:
    return Elector(member, 100 + member, weights, rank, TIMING, now_ms)


def asking(member: int = 0, weights: tuple[int, ...] = (1, 1, 1)) -> tuple[Elector, int]:
    """A candidate, and when it began to ask."""
    one = elector(member, weights)
    due_ms = one.next_ms()
    assert due_ms is not None
    assert one.tick(due_ms) is Cause.SILENCE
    one.ask(due_ms)
    return one, due_ms


def leading(weights: tuple[int, ...] = (1, 1, 1)) -> tuple[Elector, int]:
    """A leader, and when it got authority."""
    one, now_ms = asking(0, weights)
    assert one.answered(1, promised=True, sent_ms=now_ms, now_ms=now_ms + 50) is Cause.MAJORITY
    one.ask(now_ms + 50)
    return one, now_ms + 50


# Promises


def test_a_voter_promises_itself_to_the_first_who_asks_and_to_nobody_else_until_it_is_over() -> None:
    promise = free_promise()
    assert promise.heard(ONE, False, 0) is Answer.YES
    assert promise.heard(TWO, False, P - 1) is Answer.NO
    assert promise.heard(TWO, False, P) is Answer.YES


def test_asking_again_prolongs_the_promise_from_receipt() -> None:
    promise = free_promise()
    promise.heard(ONE, False, 0)
    promise.heard(Term(9, 1, 11), False, 3_000)
    assert promise.until_ms == 3_000 + P


def test_another_boot_of_the_same_leader_is_another_leader() -> None:
    promise = free_promise()
    promise.heard(ONE, False, 0)
    assert promise.heard(Term(1, 1, 12), False, 1) is Answer.NO


def test_a_restarted_voter_promises_nothing_for_one_promise_length() -> None:
    promise = Promise(P, 0)
    assert promise.heard(ONE, False, P - 1) is Answer.NO
    assert promise.heard(ONE, False, P) is Answer.YES


def test_the_fence_moves_with_a_yes_or_with_a_claim_and_with_nothing_else() -> None:
    promise = free_promise()
    promise.heard(ONE, False, 0)
    assert promise.fence == ONE
    promise.heard(TWO, False, 1)
    assert promise.fence == ONE
    assert promise.heard(TWO, True, 2) is Answer.NO
    assert promise.fence == TWO


def test_below_the_fence_nothing_is_promised() -> None:
    promise = free_promise()
    promise.heard(TWO, False, 0)
    assert promise.heard(ONE, True, 2 * P) is Answer.BELOW
    assert (promise.to, promise.fence) == ((2, 22), TWO)


def test_a_leader_may_give_a_promise_back_and_nobody_else_may() -> None:
    promise = free_promise()
    promise.heard(ONE, False, 0)
    promise.released((2, 22), 1)
    assert not promise.free(1)
    promise.released((1, 11), 1)
    assert promise.free(1)


# Authority


def test_authority_needs_more_than_half_of_the_weight_at_once() -> None:
    authority = Authority((2, 1, 1, 1), 4_900)
    authority.count(1, 0)
    authority.count(2, 0)
    assert authority.until_ms < 0
    authority.count(3, 100)
    assert authority.until_ms == 4_900
    authority.count(0, 200)
    assert authority.until_ms == 5_000, "the primary and any other suffice: the third of them ends first"


def test_a_promise_counts_from_sending_and_an_older_one_never_shortens_it() -> None:
    authority = Authority((1,), 4_900)
    authority.count(0, 1_000)
    authority.count(0, 500)
    assert authority.until_ms == 5_900


def test_weights_whose_sum_is_even_are_refused() -> None:
    with pytest.raises(ContractError, match="odd"):
        Authority((1, 1), 4_900)


# Candidates and leaders


def test_who_hears_nobody_asks_after_a_promise_length_its_rank_and_some_jitter() -> None:
    for rank in (0, 1, 4):
        due_ms = elector(rank=rank).next_ms()
        assert due_ms is not None
        assert P + rank * C <= due_ms <= P + rank * C + C // 2


def test_a_member_without_a_rank_never_asks() -> None:
    assert elector(rank=None).next_ms() is None
    assert elector(rank=None).tick(10**9) is None


def test_a_majority_makes_a_new_authority_with_a_counter_of_its_own() -> None:
    one, now_ms = asking()
    asked = one.term
    assert one.answered(2, promised=False, sent_ms=now_ms, now_ms=now_ms + 10) is None
    assert one.answered(1, promised=True, sent_ms=now_ms, now_ms=now_ms + 20) is Cause.MAJORITY
    assert one.role is Role.LEADER
    assert one.term > asked
    assert one.fence == one.term


def test_a_promise_that_is_over_when_its_answer_comes_counts_for_nothing() -> None:
    one, now_ms = asking()
    late_ms = now_ms + TIMING.counted_ms
    assert one.answered(1, promised=True, sent_ms=now_ms, now_ms=late_ms) is None


def test_an_answer_from_the_future_or_to_something_old_counts_for_nothing() -> None:
    one, now_ms = asking()
    assert one.answered(1, promised=True, sent_ms=now_ms + 1, now_ms=now_ms) is None
    assert one.answered(1, promised=True, sent_ms=now_ms - P, now_ms=now_ms) is None


def test_authority_is_lost_at_its_end_even_if_the_same_event_restores_it() -> None:
    one, _ = leading()
    before, end_ms = one.term, one.authority.until_ms
    assert one.tick(end_ms) is Cause.LAPSED
    one.ask(end_ms)
    assert one.answered(1, promised=True, sent_ms=end_ms, now_ms=end_ms) is Cause.MAJORITY
    assert one.term > before, "a regained majority is a new authority"


def test_a_leader_without_a_majority_for_a_promise_length_gives_up() -> None:
    one, _ = leading()
    end_ms = one.authority.until_ms
    one.tick(end_ms)
    assert one.tick(end_ms + P) is Cause.NO_MAJORITY
    assert one.role is Role.FOLLOWER


def test_a_failed_candidate_waits_twice_as_long_each_time_at_most_sixteen_promise_lengths() -> None:
    one, _ = asking()
    waits = []
    for _ in range(7):
        given_up_ms = one.next_ms()
        assert given_up_ms is not None
        assert one.tick(given_up_ms) is Cause.NO_MAJORITY
        due_ms = one.next_ms()
        assert due_ms is not None
        waits.append((due_ms - given_up_ms) // P)
        one.tick(due_ms)
    assert waits == [2, 4, 8, 16, 16, 16, 16]


def test_a_deaf_candidate_does_not_drive_the_counter_up() -> None:
    one, _ = asking()
    for _ in range(6):
        due_ms = one.next_ms()
        assert due_ms is not None
        one.tick(due_ms)
    assert one.term.counter == 1


def test_whom_somebody_can_be_heard_raises_the_counter_at_its_next_candidacy() -> None:
    one, _ = asking()
    due_ms = one.next_ms()
    assert due_ms is not None
    one.tick(due_ms)
    one.heard_of()
    due_ms = one.next_ms()
    assert due_ms is not None
    one.tick(due_ms)
    assert one.term.counter == 2


def test_nobody_who_leads_is_preempted_by_a_better_rank() -> None:
    one = elector(0, rank=0)
    now_ms = P
    for hb in range(20):
        one.tick(now_ms)
        assert one.heard(TWO, claims=True, releases=False, sent_ms=hb, now_ms=now_ms) is Answer.YES
        now_ms += C
    assert one.role is Role.FOLLOWER


def test_a_leader_that_hears_a_newer_claim_steps_down_at_once_its_own_vote_included() -> None:
    one, now_ms = leading()
    newer = Term(one.term.counter + 1, 2, 22)
    assert one.heard(newer, claims=True, releases=False, sent_ms=1, now_ms=now_ms) is Answer.YES
    assert one.role is Role.FOLLOWER
    assert one.authority.until_ms < 0
    assert one.promise.to == (2, 22)


def test_a_newer_term_that_does_not_claim_authority_moves_no_leader() -> None:
    one, now_ms = leading()
    newer = Term(one.term.counter + 9, 2, 22)
    assert one.heard(newer, claims=False, releases=False, sent_ms=1, now_ms=now_ms) is Answer.NO
    assert one.role is Role.LEADER


def test_a_refusal_raises_the_counter_above_the_fence_and_authority_goes_on() -> None:
    one, now_ms = leading()
    until_ms = one.authority.until_ms
    assert one.refused(Term(40, 2, 22))
    assert one.term.counter == 41
    assert (one.role, one.authority.until_ms) == (Role.LEADER, until_ms)
    assert not one.refused(Term(3, 2, 22)), "a fence below its own term says nothing new"
    one.ask(now_ms)
    assert one.fence == one.term


def test_a_heartbeat_not_newer_than_the_last_of_that_leader_is_dropped_silently() -> None:
    one = elector(now_ms=-P)
    assert one.heard(ONE, claims=True, releases=False, sent_ms=7, now_ms=0) is Answer.YES
    assert one.heard(ONE, claims=True, releases=False, sent_ms=7, now_ms=1) is None
    assert one.heard(ONE, claims=True, releases=False, sent_ms=6, now_ms=2) is None
    assert one.heard(Term(1, 1, 12), claims=False, releases=False, sent_ms=1, now_ms=3) is not None


def test_a_leader_that_hands_over_frees_its_followers_and_asks_last() -> None:
    one, now_ms = leading()
    one.hand_over(now_ms)
    due_ms = one.next_ms()
    assert one.role is Role.FOLLOWER
    assert due_ms is not None
    assert due_ms >= now_ms + 2 * P
    follower = elector(1, rank=1, now_ms=now_ms - P)
    follower.heard(one.term, claims=True, releases=False, sent_ms=1, now_ms=now_ms)
    answer = follower.heard(one.term, claims=False, releases=True, sent_ms=2, now_ms=now_ms + 10)
    due_ms = follower.next_ms()
    assert answer is Answer.NO
    assert follower.promise.free(now_ms + 10)
    assert due_ms is not None
    assert due_ms <= now_ms + 10 + C + C // 2


def test_after_it_handed_over_answers_to_older_heartbeats_count_for_nothing() -> None:
    one, now_ms = leading()
    one.hand_over(now_ms)
    assert one.answered(1, promised=True, sent_ms=now_ms, now_ms=now_ms + 1) is None
    assert not one.leads


def test_the_commissioned_primary_alone_is_a_majority_of_two() -> None:
    primary, now_ms = elector(0, (2, 1)), P + C
    assert primary.tick(now_ms) is Cause.SILENCE
    assert primary.ask(now_ms) is Cause.MAJORITY
    other, now_ms = elector(1, (2, 1), rank=1), P + 2 * C
    assert other.tick(now_ms) is Cause.SILENCE
    assert other.ask(now_ms) is None


def test_its_own_vote_is_not_counted_while_it_is_promised_to_another() -> None:
    one = elector(0, (2, 1), now_ms=-P)
    one.heard(TWO, claims=False, releases=False, sent_ms=1, now_ms=0)
    one.role = Role.CANDIDATE
    one.term = Term(9, 0, 100)
    assert one.ask(P - 1) is None


# What is late


def test_a_yes_from_before_a_hand_over_gives_no_authority_after_it() -> None:
    """Its voter was given back its promise, and may have given it to somebody else since."""
    one, now_ms = leading()
    one.hand_over(now_ms + 100)
    asked_ms = one.next_ms()
    assert asked_ms is not None
    one.heard(Term(9, 1, 11), claims=False, releases=True, sent_ms=1, now_ms=now_ms + 200)
    asked_ms = one.next_ms()
    assert asked_ms is not None
    assert asked_ms < now_ms + P
    assert one.tick(asked_ms) is Cause.SILENCE
    one.ask(asked_ms)
    assert one.answered(2, promised=True, sent_ms=now_ms + 50, now_ms=asked_ms) is None
    assert one.role is Role.CANDIDATE
    assert one.answered(2, promised=True, sent_ms=asked_ms, now_ms=asked_ms + 50) is Cause.MAJORITY


def test_late_words_of_former_processes_do_not_make_a_voter_forget_the_present_one() -> None:
    """Else a doubled release from its earlier reign would free the voter while it is counted on."""
    voter, boots = elector(2, rank=2), (11, 12, 13)
    now_ms = P
    for counter, boot in enumerate(boots, 1):
        now_ms += P + 1_000
        voter.heard(Term(counter, 0, boot), claims=False, releases=False, sent_ms=now_ms, now_ms=now_ms)
    released_ms = now_ms + 1_000
    voter.heard(Term(3, 0, 13), claims=False, releases=True, sent_ms=released_ms, now_ms=released_ms)
    now_ms = released_ms + 3_000
    assert voter.heard(Term(9, 0, 13), claims=True, releases=False, sent_ms=now_ms, now_ms=now_ms) is Answer.YES
    for counter, boot in enumerate(boots[:2], 1):
        at_ms = now_ms + counter
        late = voter.heard(Term(counter, 0, boot), claims=False, releases=False, sent_ms=now_ms, now_ms=at_ms)
        assert late is Answer.BELOW
    voter.heard(Term(3, 0, 13), claims=False, releases=True, sent_ms=released_ms, now_ms=now_ms + 10)
    assert not voter.promise.free(now_ms + 10)


def test_a_release_under_a_term_below_the_fence_is_not_looked_at() -> None:
    voter = elector(2, rank=2)
    voter.heard(Term(1, 0, 11), claims=False, releases=False, sent_ms=1, now_ms=P)
    voter.heard(Term(5, 1, 12), claims=True, releases=False, sent_ms=1, now_ms=P + 10)
    assert voter.heard(Term(1, 0, 11), claims=False, releases=True, sent_ms=2, now_ms=P + 20) is Answer.BELOW
    assert not voter.promise.free(P + 20)
