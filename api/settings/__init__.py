"""Settings: one TOML file, every key overridable by the environment, nothing else is read.

`OFFHOOK_CONFIG` names the file (default: `offhook.toml` when it is there). A key `ami.host` of
section `pbx` is overridden by `OFFHOOK_PBX__AMI__HOST`. An unknown key is an error that names
the nearest known one. This package is the only reader of the environment.
"""

from api.settings.calling import PayloadStyle, Tools, Webhooks
from api.settings.engines import EngineEndpoint, LlmEndpoint, Models
from api.settings.loading import (
    CONFIG_VARIABLE,
    DEFAULT_FILE,
    FIRST_PBX,
    Settings,
    SettingsError,
    env_name,
    iter_fields,
    load_settings,
    settings_file,
)
from api.settings.messaging import Sms, SmsHttp, Smtp
from api.settings.section import ANY_NAME, Section, section_of
from api.settings.server import Retention, StoreSection

__all__ = [
    "ANY_NAME",
    "CONFIG_VARIABLE",
    "DEFAULT_FILE",
    "FIRST_PBX",
    "EngineEndpoint",
    "LlmEndpoint",
    "Models",
    "PayloadStyle",
    "Retention",
    "Section",
    "Settings",
    "SettingsError",
    "Sms",
    "SmsHttp",
    "Smtp",
    "StoreSection",
    "Tools",
    "Webhooks",
    "env_name",
    "iter_fields",
    "load_settings",
    "section_of",
    "settings_file",
]
