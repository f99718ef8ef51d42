"""How the conversation of a black box is held again: as it was, or with other settings."""

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any, Final

from pydantic import ValidationError

from api.blackbox.archive import Box, BoxError
from api.blackbox.held import held_json, held_of
from api.calls.ambience import ambience_of
from api.calls.conversing import conversation_config
from api.resources.call import Call
from api.settings import Settings
from voice_loop.config import ConversationConfig

_PREFIX: Final = "voice."
#: Fields that settings may bear upon, and that a box does not have by themselves.
_CHANGED: Final = tuple(
    field.name
    for field in fields(ConversationConfig)
    if field.name not in ("now", "tools", "ambience", "called_again")
)


class ChangeError(Exception):
    """A setting cannot be tried; the message says why."""


def held_again(box: Box, changes: Iterable[str]) -> ConversationConfig:
    """The configuration, less its tools.

    Args:
        box: the recording.
        changes: as `voice.end_of_turn_ms=600`.

    Raises BoxError, ChangeError.
    """
    try:
        held = held_of(box.header["conversation"])
        call = _call(box.header["call"])
        config = ConversationConfig(**held, ambience=ambience_of(call))
        tree = {"voice": dict(box.header["settings"]["voice"])}
    except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
        raise BoxError(f"the black box is broken: {error!r}") from error
    changed = {"voice": {**tree["voice"], **dict(map(_change, changes))}}
    if changed == tree:
        return config
    before, after = (conversation_config(_settings(one), call) for one in (tree, changed))
    others = {
        name: getattr(after, name)
        for name in _CHANGED
        if getattr(after, name) != getattr(before, name)
    }
    return replace(config, **others)


def differing(config: ConversationConfig, box: Box) -> list[str]:
    """The fields of the configuration that are not as they were."""
    was, now = box.header["conversation"], held_json(config)
    return [name for name in _CHANGED if name in was and _plain(now[name]) != _plain(was[name])]


def _change(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key.startswith(_PREFIX):
        raise ChangeError(f"{text!r}: say it as {_PREFIX}end_of_turn_ms=600; others have no effect")
    return key.removeprefix(_PREFIX), value


def _settings(tree: Mapping[str, Any]) -> Settings:
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ChangeError(f"{place}: {first['msg']}") from error


def _call(told: Mapping[str, Any]) -> Call:
    """The order; what a box of another release does not tell of is not known."""
    known: dict[str, Any] = {field.name: told.get(field.name) for field in fields(Call)}
    return Call(**known)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
