"""What every section of the settings is made of."""

import ssl
from pathlib import Path
from typing import Annotated, Final, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

from api.base.numbers import is_e164, is_prefix
from pbx.addresses import unbracketed


def _e164(number: str) -> str:
    if not is_e164(number):
        raise ValueError("write it in E.164 form: a plus sign and 7 to 15 digits, as +15551234567")
    return number


def _prefix(prefix: str) -> str:
    if not is_prefix(prefix):
        raise ValueError("write a plus sign and up to 15 digits, as +4930")
    return prefix


def _certificates(path: Path) -> Path:
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:  # of which SSLError is one
        raise ValueError(f"no certificates can be read there ({error})") from error
    return path


#: A name or an IP address; one of IPv6 with brackets, as in a URL, or without.
Host = Annotated[str, AfterValidator(unbracketed)]
E164 = Annotated[str, AfterValidator(_e164)]
Prefix = Annotated[str, AfterValidator(_prefix)]
Port = Annotated[int, Field(ge=1, le=65535)]
#: What an operator calls something: a table's name.
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
Certificates = Annotated[Path, AfterValidator(_certificates)]
#: That of a PBX, which stands before the ids of its channels.
PbxName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,19}$")]
#: Stands for it in the list of all settings.
ANY_NAME: Final = "<name>"


class Section(BaseModel):
    """A table of the settings file."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def section_of(field: FieldInfo) -> type[Section] | None:
    """The section that a field is, or that each of its named tables is."""
    kinds = (field.annotation, *get_args(field.annotation))
    return next((one for one in kinds if isinstance(one, type) and issubclass(one, Section)), None)
