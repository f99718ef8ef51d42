"""Reading the settings: the file, the environment over it, and what is wrong with both."""

import difflib
import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Self, get_origin

from pydantic import ValidationError, model_validator
from pydantic.fields import FieldInfo

from api.settings.calling import Calls, Tools, Webhooks
from api.settings.engines import Models, Voice
from api.settings.messaging import Sms, Smtp
from api.settings.pbx import Pbx, Rtp
from api.settings.section import ANY_NAME, PbxName, Section, section_of
from api.settings.server import (
    BlackBoxSection,
    Hep,
    Recordings,
    Retention,
    Server,
    StoreSection,
    Traces,
)
from api.settings.web import Web

ENV_PREFIX = "OFFHOOK_"
CONFIG_VARIABLE = "OFFHOOK_CONFIG"
DEFAULT_FILE = "offhook.toml"
#: What `[pbx]` is called beside those of `[pbxs.NAME]`.
FIRST_PBX: Final = "pbx"


class SettingsError(Exception):
    """The settings cannot be used; the message names every wrong key and how to mend it."""


class Settings(Section):
    """All settings of one Offhook process."""

    server: Server = Server()
    store: StoreSection = StoreSection()
    pbx: Pbx = Pbx()
    pbxs: Mapping[PbxName, Pbx] = {}
    rtp: Rtp = Rtp()
    models: Models = Models()
    voice: Voice = Voice()
    calls: Calls = Calls()
    webhooks: Webhooks = Webhooks()
    tools: Tools = Tools()
    sms: Sms = Sms()
    smtp: Smtp = Smtp()
    web: Web = Web()
    recordings: Recordings = Recordings()
    black_box: BlackBoxSection = BlackBoxSection()
    retention: Retention = Retention()
    hep: Hep = Hep()
    traces: Traces = Traces()

    @property
    def all_pbxs(self) -> Mapping[str, Pbx]:
        """Each PBX by its name, that of `[pbx]` first."""
        return {FIRST_PBX: self.pbx, **self.pbxs}

    @model_validator(mode="after")
    def _pbxs_are_apart(self) -> Self:
        if FIRST_PBX in self.pbxs:
            raise ValueError(f"pbxs.{FIRST_PBX}: that one is [pbx]; take another name")
        asked: dict[tuple[str, int], str] = {}
        trunks: dict[str, str] = {}
        for name, pbx in self.all_pbxs.items():
            key = name if name == FIRST_PBX else f"pbxs.{name}"
            if pbx.kind == "asterisk" and pbx.inbound:
                other = asked.setdefault((pbx.fastagi.host, pbx.fastagi.port), key)
                if other != key:
                    raise ValueError(f"{key}.fastagi.port is that of {other}: choose another one")
            if trunks.setdefault(pbx.trunk, key) != key:
                raise ValueError(f"{key}.trunk has the name of {trunks[pbx.trunk]}'s trunk")
        return self


def iter_fields(
    model: type[Section] = Settings, prefix: str = ""
) -> Iterator[tuple[str, FieldInfo]]:
    """Every setting as (`section.key`, field), in the order of the file.

    In the key of one that stands in a table with a name of the operator's, that is `ANY_NAME`.
    """
    for name, field in model.model_fields.items():
        if (below := section_of(field)) is None:
            yield f"{prefix}{name}", field
        elif get_origin(field.annotation) is Mapping:
            yield from iter_fields(below, f"{prefix}{name}.{ANY_NAME}.")
        else:
            yield from iter_fields(below, f"{prefix}{name}.")


def env_name(key: str) -> str:
    """The environment variable that overrides `section.key`."""
    return ENV_PREFIX + key.upper().replace(".", "__")


def load_settings(path: Path | None, env: Mapping[str, str]) -> Settings:
    """Read the settings file and the environment's overrides.

    Args:
        path: the file; None means `OFFHOOK_CONFIG`, else `offhook.toml` if there is one.
        env: the environment, normally `os.environ`.

    Raises:
        SettingsError: the file cannot be read, a key is unknown, or a value is wrong.
    """
    tree = _read_file(path, env)
    known = dict(iter_fields())
    problems: list[str] = []
    for name, value in sorted(env.items()):
        if not name.startswith(ENV_PREFIX) or name == CONFIG_VARIABLE:
            continue
        key = name.removeprefix(ENV_PREFIX).lower().replace("__", ".")
        if (field := _field(key, known)) is not None:
            _put(tree, key, _from_text(value, field))
        elif "__" in name or _nearest(name, map(env_name, known), cutoff=0.9):
            near = _nearest(name, map(env_name, known))
            problems.append(
                f"{name}: no such setting" + (f"; did you mean {near}?" if near else "")
            )
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        problems += [_problem(item["loc"], item["type"], item["msg"]) for item in error.errors()]
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def _field(key: str, known: Mapping[str, FieldInfo]) -> FieldInfo | None:
    """The setting of this key, which may hold a name of the operator's."""
    if key in known:
        return known[key]
    for pattern, field in known.items():
        before, name, after = pattern.partition(ANY_NAME)
        if name and re.fullmatch(f"{re.escape(before)}[^.]+{re.escape(after)}", key):
            return field
    return None


def settings_file(path: Path | None, env: Mapping[str, str]) -> Path | None:
    """The file that `load_settings` reads, which may be missing; None where it reads none."""
    if path is None and env.get(CONFIG_VARIABLE):
        path = Path(env[CONFIG_VARIABLE])
    default = Path(DEFAULT_FILE)
    return default if path is None and default.exists() else path


def _read_file(path: Path | None, env: Mapping[str, str]) -> dict[str, Any]:
    path = settings_file(path, env)
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"settings file {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"settings file {path} is not valid TOML: {error}") from error


def _from_text(value: str, field: FieldInfo) -> Any:
    """A list may be given as JSON or separated by commas, a table as JSON; pydantic converts the
    rest."""
    kind = get_origin(field.annotation)
    if kind not in (tuple, Mapping):
        return value
    if kind is Mapping or value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return [part.strip() for part in value.split(",") if part.strip()]


def _put(tree: dict[str, Any], key: str, value: Any) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        below = tree.setdefault(parent, {})
        if not isinstance(below, dict):
            return  # the file has a plain value where a section belongs; validation names it
        tree = below
    tree[last] = value


def _nearest(word: str, known: Iterable[str], cutoff: float = 0.5) -> str | None:
    matches = difflib.get_close_matches(word, list(known), n=1, cutoff=cutoff)
    return matches[0] if matches else None


def _problem(loc: tuple[int | str, ...], kind: str, message: str) -> str:
    key = ".".join(map(str, loc))
    if kind == "extra_forbidden":
        keys = [name for name, _ in iter_fields()]
        sections = {name.rsplit(".", 1)[0] for name in keys}
        near = _nearest(key, [*keys, *sorted(sections)])
        return f"{key}: no such setting" + (f"; did you mean {near}?" if near else "")
    override = (
        f" (environment: {env_name(key)})" if not any(isinstance(x, int) for x in loc) else ""
    )
    return f"{key}{override}: {message.removeprefix('Value error, ')}"
