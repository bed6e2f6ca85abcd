import asyncio
import signal
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.chaos import predict
from labkit.chaos.faults import (
    AFTER_HANDLE,
    BEFORE_HANDLE,
    POINTS,
    Decision,
    Fault,
    FaultError,
    FaultPlan,
    Faults,
    Refused,
    chance,
    decide,
)

KEYS = [str(i) for i in range(400)]
SERVICES = ("inventory", "notification", "analytics")


def all_of(plan):
    return dict.fromkeys(SERVICES, plan)


probabilities = st.floats(0, 1)
faults = st.builds(Fault, probabilities, st.floats(0, 60_000), probabilities, probabilities)
plans = st.builds(FaultPlan, st.integers(-(2**63), 2**63 - 1), faults, faults, faults, faults)


@settings(deadline=None)
@given(plans)
def test_a_plan_comes_back_from_json_as_it_was(plan):
    assert FaultPlan.from_json(plan.to_json()) == plan


def test_a_plan_names_only_what_it_wants():
    plan = FaultPlan.from_json('{"seed": 7, "before_handle": {"refuse": 0.01}}')
    assert plan == FaultPlan(7, before_handle=Fault(refuse=0.01))
    assert FaultPlan.from_json("{}") == FaultPlan()


WRONG = [
    ('{"seed": "7"}', "seed"),
    ('{"seed": 1.5}', "seed"),
    ('{"seed": true}', "seed"),
    ('{"before_handle": 3}', "before_handle"),
    ('{"before_handle": {"refuse": 1.01}}', "before_handle.refuse"),
    ('{"before_handle": {"refuse": -0.1}}', "before_handle.refuse"),
    ('{"after_handle": {"crash": "often"}}', "after_handle.crash"),
    ('{"before_ack": {"delay_ms": 60001}}', "before_ack.delay_ms"),
    ('{"before_publish": {"slow": null}}', "before_publish.slow"),
    ('{"before_publish": {"slow": true}}', "before_publish.slow"),
    ('{"before_handel": {}}', "before_handel"),
    ('{"before_handle": {"refuze": 1}}', "before_handle.refuze"),
    ("[]", "plan"),
    ("{nope", ""),
]


@pytest.mark.parametrize(("raw", "field"), WRONG)
def test_a_wrong_plan_is_refused_with_the_name_of_its_field(raw, field):
    with pytest.raises(FaultError) as caught:
        FaultPlan.from_json(raw)
    assert caught.value.field == field
    assert field in caught.value.what
    assert caught.value.cure


def test_a_slip_in_a_name_gets_a_hint():
    with pytest.raises(FaultError, match=r"did you mean before_handle\.refuse"):
        FaultPlan.from_json('{"before_handle": {"refuze": 1}}')


def test_not_a_number_is_refused():
    with pytest.raises(FaultError, match=r"before_handle\.refuse"):
        FaultPlan(before_handle=Fault(refuse=float("nan")))


def test_the_numbers_of_a_seed_never_change():
    # Every machine, every version: the counts that a lesson has printed stay true.
    assert chance(1, "inventory", BEFORE_HANDLE, "refuse", "42", 1) == 0.8456656115674992
    assert chance(1, "inventory", BEFORE_HANDLE, "refuse", "42", 2) == 0.29595554461745
    plan = FaultPlan(4271, before_handle=Fault(refuse=0.05))
    assert len(predict.chain(all_of(plan), KEYS).answered) == 350


def test_each_word_that_is_hashed_matters_and_none_runs_into_the_next():
    tries = [
        (1, "a", "p", "k", "42", 1),
        (2, "a", "p", "k", "42", 1),
        (1, "b", "p", "k", "42", 1),
        (1, "a", "q", "k", "42", 1),
        (1, "a", "p", "l", "42", 1),
        (1, "a", "p", "k", "43", 1),
        (1, "a", "p", "k", "42", 2),
        (1, "a", "p", "k", "4", 21),
        (1, "a'", "p", "k", "42", 1),
    ]
    assert len({chance(*words) for words in tries}) == len(tries)


def test_the_numbers_are_spread_evenly():
    numbers = [chance(3, "inventory", point, "refuse", key, 1) for point in POINTS for key in KEYS]
    for tenth in range(10):
        share = sum(tenth / 10 <= number < (tenth + 1) / 10 for number in numbers) / len(numbers)
        assert 0.07 < share < 0.13


@settings(deadline=None)
@given(st.integers(), probabilities, probabilities)
def test_a_higher_probability_fails_the_same_tries_and_more(seed, p, q):
    low, high = (FaultPlan(seed, before_handle=Fault(refuse=x)) for x in sorted((p, q)))
    for key in KEYS[:50]:
        fails = decide(low, "inventory", BEFORE_HANDLE, key).refuse
        assert not fails or decide(high, "inventory", BEFORE_HANDLE, key).refuse


def test_probability_zero_never_hits_and_one_always_does():
    plan = FaultPlan(before_handle=Fault(refuse=1, delay_ms=20, crash=0), before_ack=Fault(crash=1, delay_ms=9, slow=0))
    assert {decide(plan, "inventory", BEFORE_HANDLE, key) for key in KEYS} == {Decision(0.02, False, True)}
    assert {decide(plan, "inventory", "before_ack", key) for key in KEYS} == {Decision(0, True, False)}
    assert {decide(plan, "inventory", AFTER_HANDLE, key) for key in KEYS} == {Decision()}


def test_the_plan_can_be_changed_while_a_service_runs():
    service = Faults("inventory", FaultPlan(before_handle=Fault(refuse=1)))
    with pytest.raises(Refused, match="inventory refuses 42, try 1"):
        service.act(BEFORE_HANDLE, "42")
    with pytest.raises(Refused):
        asyncio.run(service.act_async(BEFORE_HANDLE, "42"))
    service.plan = FaultPlan()
    service.act(BEFORE_HANDLE, "42")
    asyncio.run(service.act_async(BEFORE_HANDLE, "42"))


def test_a_delayed_try_in_an_event_loop_lets_others_go_first():
    service = Faults("inventory", FaultPlan(before_handle=Fault(delay_ms=30)))
    order = []

    async def slow():
        await service.act_async(BEFORE_HANDLE, "42")
        order.append("slow")

    async def quick():
        order.append("quick")

    async def both():
        await asyncio.gather(slow(), quick())

    asyncio.run(both())
    assert order == ["quick", "slow"]


def test_a_crash_comes_before_a_refusal():
    class CrashedError(Exception):
        pass

    def crash():
        raise CrashedError

    with pytest.raises(CrashedError):
        Faults("inventory", FaultPlan(before_ack=Fault(refuse=1, crash=1)), crash).act("before_ack", "42")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no SIGKILL")
def test_a_crash_is_a_real_kill_9():
    code = (
        "from labkit.chaos.faults import *\n"
        "try: Faults('inventory', FaultPlan(after_handle=Fault(crash=1))).act('after_handle', '42')\n"
        "finally: print('cleaned up')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "")


@settings(deadline=None)
@given(plans, st.integers(1, 3), st.booleans())
def test_the_prediction_is_what_a_run_gives(plan, attempts, stops):
    """The services are really asked here, one try after the other."""
    keys = KEYS[:40]
    effects, calls, answered = dict.fromkeys(SERVICES, 0), dict.fromkeys(SERVICES, 0), []

    def ask(service, key):
        for attempt in range(1, attempts + 1):
            calls[service] += 1
            if decide(plan, service, BEFORE_HANDLE, key, attempt).refuse:
                continue
            effects[service] += 1
            if not decide(plan, service, AFTER_HANDLE, key, attempt).refuse:
                return True
        return False

    for key in keys:
        asked = (ask(service, key) for service in SERVICES)
        ok = all(asked) if stops else all(list(asked))
        answered += [key] if ok else []
    told = (predict.chain if stops else predict.independent)(all_of(plan), keys, attempts)
    assert (list(told.answered), dict(told.effects), dict(told.calls)) == (answered, effects, calls)
    assert set(told.answered) | set(told.failed) == set(keys)


def test_a_chain_leaves_orders_half_done_and_the_law_is_near():
    told = predict.chain(all_of(FaultPlan(1, before_handle=Fault(refuse=0.05))), KEYS)
    assert predict.law(0.05, 3, 400) == pytest.approx(342.95)
    assert abs(len(told.answered) - 342.95) < 25
    assert told.half_done["inventory"]
    assert set(told.half_done["inventory"]) <= set(told.failed)
    assert not told.half_done["analytics"], "the last of the chain does nothing for an order that fails"
