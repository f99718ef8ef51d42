"""A conversation at 16 kHz, over a trunk that speaks G.722."""

import io
import wave
from pathlib import Path

from pbx.testbed import TestBed
from tests.e2e.conftest import phoning, settings_on


async def test_a_conversation_is_held_and_recorded_at_16_khz(tmp_path: Path) -> None:
    async with TestBed(codecs="g722,ulaw") as bed:
        base = settings_on(bed, tmp_path)
        pbx = base.pbx.model_copy(update={"wideband": True})
        async with phoning(bed, tmp_path, pbx=pbx) as phone:
            call = await phone.call("talker", recording=True)
            assert (call["status"], call["end_reason"]) == ("completed", "agent_hangup")
            assert call["result"]["confirmed"] is True
            turns = await phone.turns(call["id"])
            assert {"agent", "person"} <= {turn["speaker"] for turn in turns}
            got = await phone.client.request("GET", f"/v1/calls/{call['id']}/recording")
            with wave.open(io.BytesIO(got.content)) as recorded:
                assert (recorded.getframerate(), recorded.getnchannels()) == (16000, 2)
            (attempt,) = (await phone.ask("GET", f"/v1/calls/{call['id']}/attempts"))["data"]
            assert attempt["media"]["lost"] == 0
