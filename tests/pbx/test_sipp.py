"""Far ends and callers as they really are, over the test bed's Asterisk with its shipped trunk."""

from pbx.media import MediaServer
from pbx.switch import Answered, Dial
from tests.pbx.calls import Ear, cause, heard, new_id, until, until_over
from tests.pbx.kinds import Pbx, Reception
from tests.pbx.sipp import SippLab


def dial(trunk: str) -> Dial:
    return Dial(new_id(), "+15550100", "+15550199", ring_timeout_s=10, trunk=trunk)


async def test_a_far_end_is_dialled_and_heard(sipp: SippLab, pbx: Pbx, media: MediaServer) -> None:
    switch = pbx.make(media)
    await switch.start()
    async with sipp.answering("05_alaw") as far_end:
        attempt = await switch.originate(dial(far_end.trunk))
        ear = Ear(attempt.rate)
        attempt.attach(ear)
        await until(attempt, Answered)
        await heard(ear, level=3000)
        await attempt.hang_up()
        assert cause(await until_over(attempt)).state == "completed"
        assert await far_end.ended(5) == 0
        assert "m=audio" in far_end.messages()
    await switch.close()


async def test_a_caller_is_answered_and_heard(sipp: SippLab, pbx: Pbx, media: MediaServer) -> None:
    reception = Reception(pbx, media)
    await reception.switch.start()
    async with sipp.calling("u_04_hold") as caller:
        call = await reception.next_call()
        assert call.trunk == caller.trunk
        ear = Ear(call.attempt.rate)
        call.attempt.attach(ear)
        await heard(ear, level=3000)
        assert cause(await until_over(call.attempt)).state == "completed"
        assert await caller.ended(5) == 0
    await reception.switch.close()
