"""What there is to know of each dialect beyond its tables, in Markdown."""

from collections.abc import Mapping
from typing import Final

from api.resources.dialect import Dialect

NOTES: Final[Mapping[Dialect, str]] = {
    "callingbox": """\
`/v1/calls` (POST; GET with `limit`, `offset`, `status`; GET `/{id}`, `/{id}/transcript`);
`/v1/agents` (POST, GET, PATCH, DELETE, and their `/numbers` and `/primary-number`); `/v1/numbers`;
`/v1/webhook_endpoints` (POST, GET, PATCH, DELETE, `/{id}/rotate_secret`);
`/v1/webhook_deliveries` (GET, `/{id}/redeliver`). `/v1/numbers/available` and
`/v1/numbers/purchase` are 501: numbers come with your trunk, and are registered in `/v1/numbers`
of our own API.

- Fields are named as ours are; where a call is read, it has the service's keys alone.
- `voicemail_action` `leave_message`: the agent leaves its `voicemail_message`, which our own API
  gives it, else what the language model writes by persona, instructions and context, and hangs up.
- There are no variables: `{{name}}` in a prompt, persona or instructions is words. Our own API
  shows it as `\\{{name}}`. Of an agent that our own API made, a text that is sent back as it was
  told keeps its variables.
- An error is `{"error": "…"}`, with 400 for wrong values, of which it names the first.
- A call is dialled at once, and once: what an agent says of retries does not hold. Without
  `agent_id` the prompt is "Hello from CallingBox." and the language `en`, unless they are given.
- `GET /v1/calls` is a bare array of all calls, newest first. After 1000, or `limit`, the header
  `Link` with `rel="next"` says where it goes on.
- `tools` of agents have the form of ours. DELETE archives an agent. `monthly_cost_cents` is 0.
- `billing_amount_milli_cents` is what your own rate card says.
- `webhook_url` is told the call object, an endpoint `{id, type, created, api_version,
  data: {call}}` with the same one. So are the calls that an inbound agent made here answers.
  Both bear `CallingBox-Signature` beside the headers of
  [Standard Webhooks](https://www.standardwebhooks.com/): `webhook_url` is signed with the
  deployment's secret (`offhook webhooks secret`), an endpoint with its own, which a rotation
  replaces at once.
""",
    "oneinbox": """\
`/v1/calls` (POST, GET with `limit`, `offset`, `agent_id`, `status`; `/cursor`; GET and PATCH
`/{id}`; `/{id}/stop`); `/v1/agents` (POST, GET, PATCH, DELETE). `/v1/calls/web` gives
`server_url` and a `participant_token` for a page of your `origin` (the request's, unless it is
given): the page sends its own WebRTC offer there ([web calls](web-calls.md)); the service's browser
library speaks LiveKit's protocol, which is not spoken here. A web call has `type: "web"` and no
numbers. The service's other resources are 501, each with a sentence that says where it is here.
Keys are ours, `sk_…`; there are none for browsers.

- An error is `{"detail": …}`: of wrong values a list of `{"loc", "msg", "type"}`, otherwise a
  sentence.
- Agents are our outbound agents. `overrides` are merged upon the agent when the call is first
  dialled, with the agent as it is then. All of it is checked when the call is placed too. If the
  whole cannot be carried out when it is dialled, the call fails with the `end_reason`
  `agent_unusable`, and our call object's `error_message` says why.
- `system_prompt` is all that the agent is told: it replaces persona and instructions.
  `first_message` is said word for word; an empty one lets the person speak first.
- `model`, `voice_id` and the like are looked up among our engines and `models.aliases`; 422 with
  the type `provider_not_configured` names those that there are. The call is held in
  `transcriber.language`, else in the language of the voice that is given, else in the agent's.
  `tts.model` alone is the voice, in place of the agent's too; beside `voice_id` it must be the same
  one, or is refused.
  `stability` says how alike the same words sound each time: 0.5 is the voice's own way, 1 never
  varies, 0 does so twice as much; 422 where the voice is on another machine.
- `variables` may be nested: `{{customer.name}}`, `{{slots.0}}`. One that is null is an empty text.
- One attempt is made; a retry policy of the agent does not hold here. A `scheduled_at` in the past
  is told as null.
- `status` is final at the hang-up; `analysis` is empty until it is made. Who was not reached is
  `failed` with the `end_reason` `no_answer`, `busy` or `api_stop`.
- `messages`, `transcript` and `latency` are filled at the end. `latency` is made of the agent's
  turns: `eou_delay` from the person's last sound to the turn's end, `llm_ttft` from the
  transcript to the first token, `tts_ttfb` from there to the first sound.
- `outcome` is what was found out, in Title Case, `Voicemail` or `Not Connected`; `PATCH` sets
  another. `credits_used` is `duration_seconds` / 60. `room_name` and `twilio_call_sid` are null.
- `interruption_sensitivity` s: speech of `voice.barge_in_ms` × 4^(1 − 2s) lowers the agent's voice,
  and interrupts it once it takes the floor with a probability of 1 − s, or has lasted
  1400 × (1 − s) ms; 0 lets nobody interrupt.
  `end_call_phrases` and `voicemail_detection` are refused with 422.
- `webhook_url` is told `{"event", "call_id", …the call as it is then}`, with the headers of
  [Standard Webhooks](https://www.standardwebhooks.com/), signed with the deployment's secret
  (`offhook webhooks secret`). The last event is `call.analyzed` or `call.failed`.
  `transcript.partial` is told of each turn, with its `message`.
""",
    "revox": """\
`POST /api/call`, `GET /api/call` (`page`, `page_size`, `statuses[]`), `GET /api/call/{id}`;
`/api/assistants` (POST, GET, PATCH); `/api/campaigns` (POST, GET, and `/{id}/rows`);
`/api/voices` and `/api/voices/preview`.

- An error is `{"error": {"message", "code", "errors"}}`; `errors` points at each wrong member.
  The service documents none, so this is ours.
- With `assistant_id`, the stored assistant makes the call and `assistant` is checked for its
  form only. With neither, an agent of the deployment's defaults does. Our outbound agents are
  assistants.
- Without `call_retry_config`: three attempts, Monday to Friday, 10:00 to 18:00 where the callee
  is, 7200 seconds apart. What is left out of it is completed from that. `max_retry_attempts`
  counts the first attempt too. One window's members may stand in it directly, as in the
  service's earlier form. Times are read as `17:00` and `6pm`, and told as `17:00`. At most 50
  attempts, 31 days apart.
- A number that may be in several time zones, as `+1800…` or a mobile one, is taken to be in
  `calls.default_timezone` if that is one of them, else where its country's capital is or most
  people live. One of no country (`+800…`) needs one of the two or `call_retry_config.timezone`.
- `scheduled_at` is ISO 8601, or Unix seconds or milliseconds. Without an offset it is where the
  callee is: in `call_retry_config.timezone`, else as the number says (of a campaign, the first
  contact's).
- An order is `scheduled` while it waits for that time, for a calling window or for the pause after
  an attempt; `scheduled_at` is then when it is dialled next, which may be later than was asked
  (`/v1/calls` tells both). It is `queued_for_calling` while it waits for a free line, a limit or
  the budget.
- `force_now`: the first attempt ignores windows and days. Budget, limits and the do-not-call
  list hold.
- `llm_model`: `name`, `openrouter_provider/openrouter_model_id` and `provider/realtime_model_id`
  are looked up among the language models and `models.aliases`; 422 with the code
  `provider_not_configured` names those that there are. An `openrouter_model_id` that begins with
  its provider, as `openai/gpt-4.1` by `openai`, is looked up as it is. A `custom` one is reached
  if `tools` allows its network; its `api_key` is sealed, and told as `********`. No
  speech-to-speech model runs here: one of type `realtime` is the model that its alias names. With
  `realtime_voice_id` that voice's alias speaks in place of `voice`, as fast and loud as `voice`
  says, for as long as the model is the assistant's; `voice` is kept, and told as it was given.
- Where `llm_model`, `voice` or `call_retry_config` is not given, answers tell what holds then: the
  deployment's model (as `gpt-4.1` or `ministral-3-8b-instruct`, if that is its alias), the voice
  of the language, the default policy.
- `voice`: `provider/id` is looked up among `models.aliases`, then `id` among them and our voices,
  which `GET /api/voices` lists under `cartesia`. The call is held in the deployment's language, or
  in the voice's where it speaks another one. Previews are MP3.
- `email_notification_address` without `email_notification_outcomes` is mailed every outcome; an
  empty list mails none.
- `background_sound` and `thinking_sound` are sounds of our own under the service's names.
- `calendly` names one of `/v1/calendar_connections` and one of its event types.
- Without `human_transfer_mode` nobody is transferred; a mode without `transfer_phone_number` is
  422.
- `custom_tools`: names are `lowercase_snake_case`; `body_template` is JSON, and is not sent with
  GET and DELETE. Values of headers that hold secrets are told as `********`; sent back so, they
  stay.
- `structured_output_config`: a name is up to 128 characters on one line, and `structured_output`
  has it as it was given. It is told with the attempt that reached somebody.
- `prompt_variables` may have such names too: `{{Customer Email}}`, `{{prénom}}`. Texts may have
  several lines.
- `first_sentence_delay_ms` is at most 60000, `max_call_duration_secs` at least 5 and at most
  `calls.max_duration_s`.
- `faq_items` are people's: nothing is drafted from calls. `id`, `needs_human_answer` and `source`
  may be sent too, and are kept; `pending_faq_count` counts those that need an answer.
- A call is `calling` until its result is there; `initializing` is never told.
- `started_at` is when the PBX was told to dial, `recording_url` a link that needs no key and is
  good for four hours.
- `webhook_url` is told once, when the order is complete: `{"call": {…}}` as it is read, with the
  headers of [Standard Webhooks](https://www.standardwebhooks.com/), signed with the deployment's
  secret (`offhook webhooks secret`).
- `organization_id` is the deployment's own. An inline assistant has the call's id.
""",
}
