"""Whether a configuration can be carried out here: what it names must exist, and what it needs
must be configured. Done when an agent is saved and when a call is placed."""

from collections.abc import Container, Iterator

from api.agents.context import AgentContext
from api.agents.identity import check_identity
from api.agents.templates import templates
from api.agents.tool_checks import check_tools
from api.base.mail_addresses import is_email
from api.base.numbers import is_e164
from api.base.problems import FieldError, pointer
from api.base.text import BUILT_IN, MASK, SECRETS, is_broken
from api.egress.policy import EgressError, EgressPolicy
from api.resources.agent_fields import AgentFields, LlmField, VoiceField
from api.resources.masking import hidden
from api.resources.returns import check_returns
from voice_loop.ports import VaryingVoice


def check_config(config: AgentFields, context: AgentContext) -> list[FieldError]:
    """What is wrong with a merged configuration; pointers count from its root."""
    return [
        *_basics(config, context),
        *_engines(config, context),
        *_messages(config, context),
        *check_tools(config.tools or (), context),
        *_placeholders(config, context),
        *check_identity(config, context.settings.pbx),
        *_masks(config),
    ]


def check_variables(config: AgentFields, known: Container[str]) -> list[FieldError]:
    """Which variables have no value, where `known` and the call's facts are all there is."""
    errors = []
    for template in templates(config):
        if template.only is not None:
            continue
        for name in template.names:
            if name in BUILT_IN | template.inputs or name in known or name.startswith(SECRETS):
                continue
            detail = f"{{{{{name}}}}} has no value; give it in `variables`"
            errors.append(FieldError(detail, pointer(*template.path), code="unknown_variable"))
    return errors


def _basics(config: AgentFields, context: AgentContext) -> Iterator[FieldError]:
    calls = context.settings.calls
    if config.instructions is not None and not config.instructions.strip():
        yield FieldError("must not be empty", pointer("instructions"))
    yield from check_returns(config.returns or {})
    if config.language is not None and not context.engines.speaks(config.language):
        known = ", ".join(sorted(context.engines.languages)) or "none"
        detail = f"the loaded models do not speak {config.language[:20]!r}; they speak: {known}"
        yield FieldError(detail, pointer("language"))
    if config.max_duration_seconds and config.max_duration_seconds > calls.max_duration_s:
        detail = f"at most {calls.max_duration_s} (calls.max_duration_s)"
        yield FieldError(detail, pointer("max_duration_seconds"))
    if config.webhook_url is not None:
        try:
            EgressPolicy(context.settings.webhooks).check_url(config.webhook_url)
        except EgressError as error:
            yield FieldError(str(error), pointer("webhook_url"))
    number = config.from_number
    if number is not None and not (is_e164(number) and number in context.numbers):
        detail = "is not an active number of this deployment (/v1/numbers)"
        yield FieldError(detail, pointer("from_number"), code="from_number_not_allowed")


def _engines(config: AgentFields, context: AgentContext) -> Iterator[FieldError]:
    if config.llm is not None:
        yield from _llm(config.llm, context)
    language = config.language or context.settings.calls.default_language
    # One that is not spoken is told already.
    spoken = language if context.engines.speaks(language) else None
    wrong: dict[str, str | None] = {}
    if (voice := config.voice) is not None:
        if voice.id is not None or voice.provider is not None:
            wrong[pointer("voice", "id")] = context.engines.problem("voice", voice.name, spoken)
        if voice.model is not None:
            wrong[pointer("voice", "model")] = context.engines.problem("voice", voice.model, spoken)
            if voice.id is not None and not any(wrong.values()):
                wrong[pointer("voice", "model")] = _another_voice(voice, context)
        there = context.engines.problem("voice", voice.name, spoken) is None
        if voice.stability is not None and there:
            steady = isinstance(context.engines.voice(voice.name, spoken), VaryingVoice)
            varies = "this voice is on another machine, which alone says how it varies"
            wrong[pointer("voice", "stability")] = None if steady else varies
    if (ears := config.transcriber) is not None:
        place = pointer("transcriber", "language" if ears.model is None else "model")
        heard = ears.language or spoken
        wrong[place] = context.engines.problem("transcriber", ears.model, heard)
    for place, detail in wrong.items():
        if detail is not None:
            yield FieldError(detail, place, code="provider_not_configured")


def _another_voice(voice: VoiceField, context: AgentContext) -> str | None:
    """Why a voice's model would be without effect; None if it comes to the same as its id."""
    by_id, by_model = (
        context.engines.own_name("voice", str(name)) for name in (voice.name, voice.model)
    )
    if by_id == by_model:
        return None
    return (
        f"is the voice {by_model!r}, where another one speaks, {by_id!r}: leave one of the two "
        "out, or make both the same in `models.aliases`"
    )


def _llm(llm: LlmField, context: AgentContext) -> Iterator[FieldError]:
    if llm.api_url is None:
        if llm.api_key is not None:
            yield FieldError("is for a model with `api_url`", pointer("llm", "api_key"))
        wrong = None if llm.model is None else context.engines.problem("llm", llm.model, None)
        if wrong is not None:
            yield FieldError(wrong, pointer("llm", "model"), code="provider_not_configured")
        return
    if llm.model is None:
        yield FieldError("is needed with `api_url`: its name there", pointer("llm", "model"))
    try:
        EgressPolicy.of_models(context.settings).check_url(llm.api_url)
    except EgressError as error:
        yield FieldError(str(error), pointer("llm", "api_url"))


def _messages(config: AgentFields, context: AgentContext) -> Iterator[FieldError]:
    for name in ("voicemail_sms_prompt", "after_call_sms_prompt"):
        if getattr(config, name) is not None and not context.sends_sms:
            detail = "there is no way to send text messages; set `sms.kind`"
            yield FieldError(detail, pointer(name), code="not_configured")
    address = config.email_notification_address
    if address is not None:
        if not is_email(address):
            yield FieldError("is not a mail address", pointer("email_notification_address"))
        if not context.sends_email:
            detail = "there is no mail server; set `smtp.host`"
            place = pointer("email_notification_address")
            yield FieldError(detail, place, code="not_configured")
    outcomes = config.email_notification_outcomes
    wanted = outcomes or (address is not None and outcomes is None)
    if wanted and not context.settings.calls.analysis:
        detail = "outcomes are not looked for; set `calls.analysis`"
        name = "email_notification_outcomes" if outcomes else "email_notification_address"
        yield FieldError(detail, pointer(name), code="not_configured")


def _placeholders(config: AgentFields, context: AgentContext) -> Iterator[FieldError]:
    for template in templates(config):
        place = pointer(*template.path)
        if is_broken(template.text):
            detail = "holds `{{` that begins no `{{variable}}`; one of the text itself is `\\{{`"
            yield FieldError(detail, place)
        for name in template.names:
            if template.only is not None and name not in template.only:
                known = ", ".join(f"{{{{{one}}}}}" for one in sorted(template.only))
                yield FieldError(f"may name {known} only", place, code="unknown_variable")
            elif name.startswith(SECRETS):
                if not template.secrets:
                    yield FieldError("no secret may stand here", place)
                elif name.removeprefix(SECRETS) not in context.secrets:
                    detail = f"there is no {name} (/v1/secrets)"
                    yield FieldError(detail, place, code="unknown_variable")


def _masks(config: AgentFields) -> Iterator[FieldError]:
    for one in hidden(config.model_dump(exclude_unset=True)):
        if one.text == MASK:
            detail = "is the mask that is shown in its place; give the value itself"
            yield FieldError(detail, pointer(*one.path))
