"""Who a call shows itself as, and what its INVITE carries along."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from api.agents.templates import templates
from api.base.problems import FieldError, pointer
from api.base.text import Variables, render
from api.resources.agent_fields import AgentFields
from api.settings.pbx import Pbx
from pbx.freeswitch.originate import check_writable
from pbx.incoming import is_allowed, one_line
from pbx.switch import SwitchRefused
from pbx.values import check_account, check_caller_name, check_headers

#: Stands for a variable that is given later.
_LATER: Final = "0"
#: More than any of these texts may have: what is too long is refused, not cut.
_LENGTH: Final = 2000


@dataclass(frozen=True)
class Identity:
    """As the PBX is told it; every variable has its value."""

    name: str | None = None
    hidden: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    account: str | None = None


def identity_of(config: AgentFields, values: Mapping[str, Any]) -> Identity:
    """What a configuration comes to with these variables. Raises UnknownVariableError.

    What no header holds of a variable, such as a line break, is a space; a header that comes to
    nothing is left out.
    """

    def filled(text: str | None) -> str | None:
        made = None if text is None else render(text, values)
        return one_line(made, _LENGTH)

    headers = {name: filled(text) for name, text in (config.sip_headers or {}).items()}
    return Identity(
        filled(config.caller_name),
        config.hide_caller_number or False,
        {name: text for name, text in headers.items() if text is not None},
        filled(config.account_code),
    )


def check_identity(config: AgentFields, pbx: Pbx) -> Sequence[FieldError]:
    """What the PBX would refuse of it, as far as its variables are known.

    Args:
        config: which.
        pbx: the settings of the one that is to be told.
    """
    given = Variables(config.variables or {})
    named = {name for template in templates(config) for name in template.names}
    identity = identity_of(config, {name: given.get(name, _LATER) for name in named})
    errors: list[FieldError] = []
    for name, value in identity.headers.items():
        place = pointer("sip_headers", name)
        wrong = [*_refusal(place, check_headers, {name: value})]
        if not wrong and pbx.kind == "freeswitch":
            wrong += _refusal(place, check_writable, {name: value})
        if not wrong and not is_allowed(name, pbx.headers_out):
            wrong.append(FieldError("is no header that `pbx.headers_out` allows", place))
        errors += wrong
    if not errors:
        errors += _refusal(pointer("sip_headers"), check_headers, identity.headers)
    if identity.name is not None:
        errors += _refusal(pointer("caller_name"), check_caller_name, identity.name)
    if identity.account is not None:
        errors += _refusal(pointer("account_code"), check_account, identity.account)
    return errors


def _refusal(place: str, check: Callable[[Any], None], value: object) -> Iterator[FieldError]:
    try:
        check(value)
    except SwitchRefused as refused:
        yield FieldError(str(refused), place)
