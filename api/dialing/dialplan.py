"""Shows what a trunk's dial plan makes of numbers, by the functions that calls go by."""

from api.base.numbers import is_e164
from api.base.refusals import Invalid
from api.dialing.inbound_numbers import caller_number, owned_number, plain_number
from api.orders.destinations import read_destination
from api.policy.rewriting import Rule, steps
from api.resources.dialplan import DialplanObject, DialplanTest, RewrittenObject, RuleStepObject
from api.resources.trunk import NumberRule, Trunk, rules_of, trunks_for
from api.settings import FIRST_PBX, Settings
from api.store import Store
from pbx.dial_string import way_over
from pbx.switch import SwitchRefused
from pbx.values import check_number


async def try_dialplan(
    store: Store, settings: Settings, trunk: Trunk, asked: DialplanTest
) -> DialplanObject:
    """What becomes of those numbers on that trunk. Raises Invalid for a number that is none."""
    if asked.direction == "inbound":
        return await _inbound(store, settings, trunk, asked)
    calls = settings.calls
    try:
        number = await read_destination(store, calls, asked.number)
    except ValueError as error:
        raise Invalid(str(error), field="number") from error
    shown = asked.caller_number
    if shown is None:
        (shown, *_) = (*calls.numbers, None)
    called = _rewritten(number, rules_of(trunk.number_rules) if is_e164(number) else [])
    refusal = calls.destinations.refusal(number, shown or number)
    if refusal is None and not trunks_for(number, [trunk]):
        refusal = "is none that this trunk takes: it is inactive, or has another prefix or rule"
    try:
        check_number(called.result)
    except SwitchRefused as error:
        refusal = refusal or f"is made {called.result!r} by the rules, and {error}"
    pbx = settings.all_pbxs.get(trunk.pbx or FIRST_PBX)
    if pbx is None:
        pbx, refusal = settings.pbx, f"is on the PBX {trunk.pbx!r}, which the settings do not name"
    way = way_over(trunk.name, trunk.dial_string, pbx.dial_string, pbx.kind)
    dialled: str | None = None
    try:
        dialled = way.fill(called.result)
    except ValueError as error:
        refusal = refusal or f"goes nowhere: {way.dial_string!r} {error}"
    return DialplanObject(
        direction="outbound",
        number=called,
        caller_number=None if shown is None else _rewritten(shown, rules_of(trunk.caller_rules)),
        dial_string=dialled,
        refusal=refusal,
    )


async def _inbound(
    store: Store, settings: Settings, trunk: Trunk, asked: DialplanTest
) -> DialplanObject:
    dialled = _rewritten(plain_number(asked.number), rules_of(trunk.inbound_number_rules))
    ours = await owned_number(store.numbers.ending, settings.calls.inbound_numbers, dialled.result)
    caller = None
    if asked.caller_number is not None:
        told = plain_number(asked.caller_number)
        caller = _rewritten(told, rules_of(trunk.inbound_caller_rules))
        if ours is not None:
            caller.result = caller_number(caller.result, ours.number)
    if ours is not None:
        dialled.result = ours.number
    return DialplanObject(
        direction="inbound",
        number=dialled,
        caller_number=caller,
        dial_string=None,
        refusal=None if ours is not None else "is none of /v1/numbers, or of calls.inbound_numbers",
    )


def _rewritten(number: str, rules: list[Rule]) -> RewrittenObject:
    told = [
        RuleStepObject(rule=NumberRule(**vars(one.rule)), number=one.number, result=one.result)
        for one in steps(number, rules)
    ]
    result = told[-1].result if told else None
    return RewrittenObject(given=number, steps=told, result=number if result is None else result)
