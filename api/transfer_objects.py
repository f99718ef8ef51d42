"""The body of a request for a transfer."""

from typing import Literal

from pydantic import Field

from api.fields import Body
from api.number_fields import E164
from api.transfer_records import TransferMode


class TransferCall(Body):
    """To whom to hand the person on the line over."""

    number: E164 = Field(description="E.164.", examples=["+15550100200"])
    mode: TransferMode = Field(
        default="cold",
        description="`warm`: whoever answers is told who is on the line, while the person hears it "
        "ring; then the two are joined.",
    )
    method: Literal["auto", "refer", "bridge"] = Field(
        default="auto",
        description="`refer`: the carrier calls them (SIP REFER), if the trunk's `allow_refer` is "
        "set; not for `warm`. `bridge`: they are called, and joined. `auto`: `refer` where that is "
        "allowed, else, and where the carrier refuses, `bridge`.",
    )
    summary_instructions: str | None = Field(
        default=None,
        max_length=4_000,
        description="`warm`: what the briefing is to hold; null or empty: who is on the line, what "
        "they want, and what was agreed.",
    )
