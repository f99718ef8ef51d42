"""The quality of a call's line, both ways, and what is wrong with it."""

from pydantic import BaseModel, Field

from api.base.json_object import JsonObject


class WayObject(BaseModel):
    """One way of the line; null for what is not known."""

    packets: int | None = Field(description="As the PBX counted them on the trunk, else we.")
    loss_percent: float | None = Field(
        description="Outbound: by the far end's own reports (RTCP).", examples=[0.4]
    )
    late_percent: float | None = Field(
        description="Came too late to be played; null of the outbound way, as the next two are."
    )
    concealed_percent: float | None = Field(
        description="Of the 20 ms frames heard, pauses without packets included."
    )
    burst_ratio: float | None = Field(
        description="How much packets are lost in bursts: 1 where each is lost by chance (ITU-T "
        "G.107)."
    )
    jitter_ms: float | None = Field(description="Interarrival jitter of RFC 3550.", examples=[1.8])
    delay_ms: int | None = Field(
        description="One way: half the round trip, one packet, the jitter buffer.", examples=[72]
    )
    level_dbov: float | None = Field(
        description="Of active speech (ITU-T P.56); null where nobody spoke.", examples=[-25.3]
    )
    activity_percent: float | None = Field(description="Of the time, speech.", examples=[38.5])
    clipped_ms: int = Field(description="Cut off at full scale.")
    r_factor: float | None = Field(
        description="Transmission rating of ITU-T G.107, 93.2 at best; of a `wideband` codec that "
        "of G.107.1, 129 at best.",
        examples=[88.4],
    )
    mos: float | None = Field(
        description="The mean opinion score that such a line is estimated to have.", examples=[4.3]
    )


class EchoObject(BaseModel):
    """Our own voice, come back on the line."""

    delay_ms: int
    level_db: float = Field(description="Of what was sent.", examples=[-18.5])


class LineProblemObject(BaseModel):
    """What is wrong, the likely cause, and how to mend it."""

    problem: str = Field(
        description="`no_audio_in`, `no_audio_out`, `loss`, `jitter`, `delay`, `level`, `clipping` "
        "or `echo`.",
        examples=["loss"],
    )
    way: str = Field(
        description="`inbound`, from the far end to us, or `outbound`.", examples=["inbound"]
    )
    cause: str = Field(
        description="The likely one: `rtp_address` (`rtp.advertise`), `codec`, `nat`, `firewall`, "
        "`far_end`, `network` or `unknown`.",
        examples=["network"],
    )
    message: str = Field(description="What was seen, and how to mend it.")


class QualityObject(BaseModel):
    """Both ways of an answered call's line, when it is over."""

    codec: str | None = Field(description="Of the trunk, as the PBX calls it.", examples=["alaw"])
    wideband: bool = Field(description="Whether the ratings are of ITU-T G.107.1's scale.")
    round_trip_ms: int | None = Field(description="Of the trunk, by RTCP.", examples=[34])
    inbound: WayObject
    outbound: WayObject
    echo: EchoObject | None
    problems: list[LineProblemObject]


def quality_of(media: JsonObject | None) -> JsonObject | None:
    """The quality that an attempt's media figures hold; None where nobody answered."""
    found: JsonObject | None = None if media is None else media.get("quality")
    return found


def without_quality(media: JsonObject | None) -> JsonObject | None:
    """An attempt's media figures, but for that."""
    return None if media is None else {k: v for k, v in media.items() if k != "quality"}
