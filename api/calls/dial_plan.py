"""How an order's number and caller number are told to the PBX: by the trunk's own dial plan."""

from dataclasses import replace

from api.base.numbers import is_e164
from api.base.refusals import NotFound
from api.policy.rewriting import rewrite
from api.resources.trunk import NewTrunk, rules_of
from api.store import Store
from api.store.ledger_writer import insist
from pbx.switch import Dial


def as_dialled(dial: Dial, trunk: NewTrunk) -> Dial:
    """What the PBX is asked for in place of E.164; an extension or a SIP URI is
    dialled as it is."""
    number, shown = dial.number, dial.caller_number
    if is_e164(number):
        number = rewrite(number, rules_of(trunk.number_rules))
    return replace(
        dial,
        number=number,
        caller_number=None if shown is None else rewrite(shown, rules_of(trunk.caller_rules)),
        dial_string=trunk.dial_string,
    )


async def planned(store: Store, call_id: str, dial: Dial) -> Dial:
    """`as_dialled`, by the plan that its trunk has now."""
    name = dial.trunk
    if name is None:
        return dial
    try:
        trunk = await insist(call_id, lambda: store.trunks.get(name))
    except NotFound:  # it is the PBX's alone
        return dial
    return as_dialled(dial, trunk)
