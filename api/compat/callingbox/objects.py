"""Calls, agents and numbers as CallingBox tells them."""

from typing import Any, Literal

import phonenumbers
from pydantic import BaseModel, Field

from api.base.json_object import JsonObject
from api.base.lifecycle import CallStatus
from api.base.text import unescaped
from api.base.times import Timestamp
from api.compat.mapping import CALLINGBOX_ANSWERED_BY
from api.compat.told import Told
from api.resources.agent import Agent
from api.resources.call import (
    Call,
    CallObject,
    ReservationStatus,
    ResultStatus,
    WebhookStatus,
)
from api.resources.masking import masked
from api.resources.number import OwnedNumber

#: The deployment has one organization.
ORG_ID: Any = Field(
    json_schema_extra={"format": "uuid"}, examples=["0b8f5b0e-4c3e-4f0a-9a52-8f3f5b7d1c11"]
)


def _ours(name: str) -> Any:
    """A field of our call object, as it is described there."""
    return CallObject.model_fields[name]


class CallingBoxCall(BaseModel):
    """A call: some of the keys of ours."""

    id: str = _ours("id")
    to_number: str = Field(examples=["+15551234567"], description="Empty for a web call.")
    from_number: str = Field(examples=["+15559876543"], description="Empty for a web call.")
    status: CallStatus = _ours("status")
    direction: Literal["outbound", "inbound"]
    prompt: str = _ours("prompt")
    context: dict[str, Any] = _ours("context")
    returns: dict[str, Any] = _ours("returns")
    result: dict[str, Any] | None = _ours("result")
    result_status: ResultStatus = _ours("result_status")
    result_error: str | None
    language: str = _ours("language")
    webhook_url: str | None
    webhook_status: WebhookStatus = _ours("webhook_status")
    webhook_error: str | None = _ours("webhook_error")
    created_at: Timestamp
    started_at: Timestamp | None = _ours("started_at")
    answered_at: Timestamp | None = _ours("answered_at")
    ended_at: Timestamp | None = _ours("ended_at")
    duration_seconds: int | None = _ours("duration_seconds")
    billed_duration_seconds: int | None = _ours("billed_duration_seconds")
    billing_amount_milli_cents: int | None = _ours("billing_amount_milli_cents")
    reservation_status: ReservationStatus = _ours("reservation_status")
    error_code: str | None = _ours("error_code")
    error_message: str | None
    hangup_cause: str | None = _ours("hangup_cause")
    metadata: dict[str, Any] = _ours("metadata")
    updated_at: str = _ours("updated_at")
    answered_by: Literal["human", "machine", "unknown"] | None


def callingbox_call(call: Call) -> CallingBoxCall:
    """A call as the service tells it."""
    # Our call object has checked what is told.
    return CallingBoxCall.model_construct(**callingbox_call_of(call.shown.model_dump()))


def callingbox_call_of(ours: JsonObject) -> dict[str, Any]:
    """The service's call object, which has some of the keys of ours."""
    told = {name: ours[name] for name in CallingBoxCall.model_fields}
    own: dict[str, Any] = {"answered_by": CALLINGBOX_ANSWERED_BY.get(ours["answered_by"])}
    if ours["direction"] == "web":
        own |= {"direction": "inbound", "to_number": "", "from_number": ""}
    return told | {"prompt": unescaped(ours["prompt"])} | own


class CallingBoxAgent(Told):
    """What an agent owns."""

    id: str = Field(json_schema_extra={"format": "uuid"})
    org_id: str = ORG_ID
    name: str = Field(examples=["Dental reminders"])
    type: Literal["outbound", "inbound"]
    status: Literal["active", "archived"]
    persona: str | None
    instructions: str | None
    voice: str | None = Field(examples=["en"], description="Id of a voice.")
    language: str | None = Field(examples=["en"])
    returns: dict[str, Any] = Field(examples=[{"confirmed": "boolean"}])
    tools: list[dict[str, Any]] = Field(examples=[[]])
    webhook_url: str | None
    voicemail_action: Literal["hangup", "leave_message"]
    number_ids: list[str] = Field(examples=[[]])
    primary_number_id: str | None
    created_at: Timestamp
    updated_at: Timestamp


def callingbox_agent(agent: Agent, organization_id: str) -> CallingBoxAgent:
    """An agent as the service tells it."""
    config = {name: value for name, value in masked(agent.config).items() if value is not None}
    defaults = {"returns": {}, "tools": [], "voicemail_action": "hangup"}
    own = {"org_id": organization_id, "voice": config.get("voice", {}).get("id")}
    for text in ("persona", "instructions"):
        if text in config:
            own[text] = unescaped(config[text])
    return CallingBoxAgent.made_of(defaults, config, vars(agent), own)


class CallingBoxNumber(Told):
    """A number of one's own trunk."""

    id: str = Field(json_schema_extra={"format": "uuid"})
    e164: str = Field(examples=["+15559876543"])
    friendly_name: str = Field(examples=["Front desk"])
    country_code: str | None = Field(examples=["US"])
    number_type: Literal["local", "mobile", "toll_free", "other"]
    status: Literal["active", "inactive"]
    monthly_cost_cents: int = Field(description="0: it is yours.", examples=[0])
    purchased_at: Timestamp
    inbound_agent_id: str | None
    outbound_agent_ids: list[str] = Field(examples=[[]])


_KINDS = {
    phonenumbers.PhoneNumberType.FIXED_LINE: "local",
    phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE: "local",
    phonenumbers.PhoneNumberType.MOBILE: "mobile",
    phonenumbers.PhoneNumberType.TOLL_FREE: "toll_free",
}


def callingbox_number(
    number: OwnedNumber, inbound: str | None, outbound: list[str]
) -> CallingBoxNumber:
    """A number as the service tells it, with the ids of the agents that it is attached to."""
    country, kind = _place(number.number)
    own = {
        "e164": number.number,
        "friendly_name": number.description,
        "country_code": country,
        "number_type": kind,
        "monthly_cost_cents": 0,
        "purchased_at": number.created_at,
        "inbound_agent_id": inbound,
        "outbound_agent_ids": outbound,
    }
    return CallingBoxNumber.made_of(vars(number), own)


def _place(number: str) -> tuple[str | None, Any]:
    """Country and kind of a number; one of a private plan may have neither."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return None, "other"
    kind = _KINDS.get(phonenumbers.number_type(parsed), "other")
    return phonenumbers.region_code_for_number(parsed), kind
