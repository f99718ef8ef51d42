"""The Python client: every operation of the API as a typed coroutine.

    async with OffhookClient("http://127.0.0.1:8080", key) as offhook:
        call = await offhook.create_call(CreateCall(to="+15551234567", prompt="…"))
        call = await offhook.wait_until_over(call.id)

A method has the name of its operation in `/openapi.json`, and gives the object that is described
there. Lists are async iterators over all pages. Importing it loads neither server nor engines.
"""

from api.client.administration import Administration
from api.client.agents import Agents
from api.client.backoff import Backoff
from api.client.calendars import Calendars
from api.client.calls import Calls
from api.client.campaigns import Campaigns
from api.client.engines import Engines
from api.client.errors import AnswerError, ApiError, OffhookError, UnreachableError, WebhookError
from api.client.messages import Messages
from api.client.money import Money
from api.client.received import ReceivedEvent, read_webhook
from api.client.routing import Routing
from api.client.web_calls import WebCalls
from api.client.webhooks import Webhooks
from api.resources.agent import AgentNumber, AgentObject, AgentVersionObject, ChangeAgent
from api.resources.agent_fields import AgentFields, NewAgent
from api.resources.attempt import AttemptObject
from api.resources.budget import BudgetObject, ChangeBudget
from api.resources.calendar import (
    CalendarCheckObject,
    CalendarConnectionObject,
    ChangeCalendarConnection,
    CreateCalendarConnection,
    EventType,
)
from api.resources.call import CallObject, ConcurrencyField, CreateCall
from api.resources.campaign import (
    AddContacts,
    CampaignObject,
    CampaignReport,
    ChangeCampaign,
    ContactFields,
    ContactObject,
    CreateCampaign,
)
from api.resources.do_not_call import AddDoNotCall, DoNotCallObject
from api.resources.engine import ModelObject, TranscriberObject, VoiceObject, VoicePreview
from api.resources.event import EventObject
from api.resources.key import CreateKey, KeyObject
from api.resources.message import MessageObject
from api.resources.number import ChangeNumber, CreateNumber, NumberObject
from api.resources.rate import PutRate, RateObject
from api.resources.secret import NamedSecretObject, PutSecret
from api.resources.transfer import TransferCall
from api.resources.trunk import ChangeTrunk, CreateTrunk, TrunkObject
from api.resources.turn import Transcript, TurnObject
from api.resources.web_call import CreateWebCall, CreateWebCallToken
from api.resources.webhook import (
    ChangeEndpoint,
    CreateEndpoint,
    DeliveryObject,
    EndpointObject,
    RotateSecret,
)

__all__ = [
    "AddContacts",
    "AddDoNotCall",
    "AgentFields",
    "AgentNumber",
    "AgentObject",
    "AgentVersionObject",
    "AnswerError",
    "ApiError",
    "AttemptObject",
    "Backoff",
    "BudgetObject",
    "CalendarCheckObject",
    "CalendarConnectionObject",
    "CallObject",
    "CampaignObject",
    "CampaignReport",
    "ChangeAgent",
    "ChangeBudget",
    "ChangeCalendarConnection",
    "ChangeCampaign",
    "ChangeEndpoint",
    "ChangeNumber",
    "ChangeTrunk",
    "ConcurrencyField",
    "ContactFields",
    "ContactObject",
    "CreateCalendarConnection",
    "CreateCall",
    "CreateCampaign",
    "CreateEndpoint",
    "CreateKey",
    "CreateNumber",
    "CreateTrunk",
    "CreateWebCall",
    "CreateWebCallToken",
    "DeliveryObject",
    "DoNotCallObject",
    "EndpointObject",
    "EventObject",
    "EventType",
    "KeyObject",
    "MessageObject",
    "ModelObject",
    "NamedSecretObject",
    "NewAgent",
    "NumberObject",
    "OffhookClient",
    "OffhookError",
    "PutRate",
    "PutSecret",
    "RateObject",
    "ReceivedEvent",
    "RotateSecret",
    "TranscriberObject",
    "Transcript",
    "TransferCall",
    "TrunkObject",
    "TurnObject",
    "UnreachableError",
    "VoiceObject",
    "VoicePreview",
    "WebhookError",
    "read_webhook",
]


class OffhookClient(
    Calls,
    Campaigns,
    Agents,
    Engines,
    Calendars,
    Messages,
    Routing,
    Money,
    WebCalls,
    Webhooks,
    Administration,
):
    """A client of one server; see `Transport` for its settings.

    Whatever cannot do harm is tried again: a GET, a DELETE, and a POST under the `Idempotency-Key`
    that it always has. A PATCH only where the server has not had it.
    """
