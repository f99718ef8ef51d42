"""What a key that may only place calls has the server reach, and what nobody has it reach."""

import socket
from typing import Any

import pytest

from api.egress.policy import EgressError, EgressPolicy
from api.settings import Settings, Tools, Webhooks
from tests.api.conftest import EQUIPPED, Bench
from tests.api.doors import client_of

HOOK = "https://hook.example.org/x"
TOOL = {
    "type": "http",
    "name": "look_up",
    "description": "Looks up.",
    "method": "GET",
    "url": "https://crm.example.org/slots/{{day}}",
    "input_schema": [{"name": "day", "type": "string", "description": "Which."}],
}
MODEL = {"api_url": "https://llm.example.org/v1", "model": "m"}
MAIL = {"type": "send_email", "to": ["desk@example.org"]}
NOTIFIED = {
    "email_notification_address": "desk@example.org",
    "email_notification_outcomes": ["interested"],
}
ORDER: dict[str, Any] = {"to": "+12125550142", "prompt": "hi"}
CASES = [
    ({"webhook_url": HOOK}, "/webhook_url", "webhooks.allowed_hosts"),
    ({"tools": [TOOL]}, "/tools/0/url", "tools.allowed_hosts"),
    ({"llm": MODEL}, "/llm/api_url", "models.allowed_hosts"),
    ({"tools": [MAIL]}, "/tools/0/to/0", "smtp.allowed_recipients"),
    (NOTIFIED, "/email_notification_address", "smtp.allowed_recipients"),
]
NAMED = {
    "OFFHOOK_WEBHOOKS__ALLOWED_HOSTS": "*.example.org",
    "OFFHOOK_TOOLS__ALLOWED_HOSTS": "crm.example.org",
    "OFFHOOK_MODELS__ALLOWED_HOSTS": "llm.example.org",
    "OFFHOOK_SMTP__ALLOWED_RECIPIENTS": "*@Example.org",
}


@pytest.mark.parametrize(("brought", "place", "setting"), CASES)
async def test_a_call_key_brings_along_only_what_the_operator_has_named(
    bench: Bench, brought: dict[str, Any], place: str, setting: str
) -> None:
    _, key = await bench.store.keys.create("stolen", "call")
    campaign = {"name": "x", "template": {"prompt": "hi"} | brought}
    bodies = (
        ("/v1/calls", ORDER | brought, ""),
        ("/v1/calls", ORDER | {"agent": brought}, "/agent"),
        ("/v1/calls", ORDER | {"overrides": brought}, "/overrides"),
        ("/v1/campaigns", campaign, "/template"),
    )
    async with client_of(bench, key, EQUIPPED) as client:
        for path, body, within in bodies:
            answer = await client.post(path, json=body)
            assert answer.status_code == 422, answer.text
            (error,) = answer.json()["errors"]
            assert error["pointer"] == within + place
            assert setting in error["detail"]
    async with client_of(bench, key, EQUIPPED | NAMED) as client:
        for path, body, _ in bodies:
            assert (await client.post(path, json=body)).status_code == 201


@pytest.mark.parametrize(("brought", "place", "setting"), CASES)
async def test_administrators_and_their_agents_have_the_operators_word(
    bench: Bench, brought: dict[str, Any], place: str, setting: str
) -> None:
    _, key = await bench.store.keys.create("caller", "call")
    async with client_of(bench, bench.key, EQUIPPED) as client:
        made = await client.post("/v1/agents", json={"name": "Ada", **brought})
        assert made.status_code == 201, (place, setting, made.text)
        assert (await client.post("/v1/calls", json=ORDER | brought)).status_code == 201
    async with client_of(bench, key, EQUIPPED) as client:
        by_agent = ORDER | {"agent_id": made.json()["id"]}
        assert (await client.post("/v1/calls", json=by_agent)).status_code == 201


@pytest.mark.parametrize("url", ["https://[", "x", "", "https://a.example.org.evil.com/"])
async def test_what_is_no_url_is_refused_too(bench: Bench, url: str) -> None:
    _, key = await bench.store.keys.create("stolen", "call")
    async with client_of(bench, key, NAMED) as client:
        for brought in ({"webhook_url": url}, {"tools": [TOOL | {"url": url}]}):
            assert (await client.post("/v1/calls", json=ORDER | brought)).status_code == 422


async def test_the_dialects_keys_bring_no_more(bench: Bench) -> None:
    _, key = await bench.store.keys.create("stolen", "call")
    made = await bench.client.post("/v1/agents", json={"name": "Ada"})
    oneinbox = {"to_number": ORDER["to"], "from_number": "+15559876543", "webhook_url": HOOK}
    custom = {"type": "custom", "model_name": "m", "api_key": "k" * 8}
    bodies = {
        "/compat/callingbox/v1/calls": ORDER | {"webhook_url": HOOK},
        "/compat/oneinbox/v1/calls": oneinbox | {"agent_id": made.json()["id"]},
        "/api/call": {
            "phone_number": ORDER["to"],
            "assistant": {
                "prompt": "hi",
                "llm_model": custom | {"api_url": "https://llm.example.org/v1"},
            },
            "force_now": True,
        },
    }
    async with client_of(bench, key) as client:
        for path, body in bodies.items():
            answer = await client.post(path, json=body)
            assert answer.status_code in {400, 422}, answer.text
            assert ".allowed_hosts" in answer.text
    async with client_of(bench, bench.key) as client:
        for path, body in bodies.items():
            assert (await client.post(path, json=body)).status_code == 201


async def test_models_go_where_tools_may_unless_their_hosts_are_named(bench: Bench) -> None:
    both = {"OFFHOOK_TOOLS__ALLOWED_HOSTS": "crm.example.org"}
    named = both | {"OFFHOOK_MODELS__ALLOWED_HOSTS": "llm.example.org"}
    for env, status in ((both, 422), (named, 201)):
        async with client_of(bench, bench.key, env) as client:
            answer = await client.post("/v1/calls", json=ORDER | {"llm": MODEL})
            assert answer.status_code == status, answer.text


def own_address() -> str:
    """An address of this machine beyond loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this machine has no address beyond loopback")
        return str(probe.getsockname()[0])


@pytest.mark.parametrize("section", [Webhooks, Tools])
@pytest.mark.parametrize("form", ["{}", "[::ffff:{}]", "[64:ff9b::{}]"])
def test_the_machines_own_addresses_are_refused_unless_a_network_holds_them(
    section: type[Webhooks | Tools], form: str
) -> None:
    """The PBX's manager, the database and the API listen there."""
    own = own_address()
    url = f"https://{form.format(own)}:5038/"
    with pytest.raises(EgressError, match="allowed_networks"):
        EgressPolicy(section()).check_url(url)
    with pytest.raises(EgressError, match="allowed_networks"):
        EgressPolicy.of_models(Settings()).check_url(url)
    EgressPolicy(section.model_validate({"allowed_networks": [f"{own}/32"]})).check_url(url)
    neighbour = "10.123.45.67"
    EgressPolicy(section()).check_url(f"https://{neighbour}/")
