"""Placing calls, following them, ending them, and reading what came of them."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import datetime
from pathlib import Path
from typing import Literal
from urllib.parse import quote, urlencode

from api.base.lifecycle import CallStatus
from api.client.backoff import Attempts
from api.client.errors import ApiError, OffhookError, UnreachableError
from api.client.reading import parse, read
from api.client.sse import EventStreamReader
from api.client.transport import Json, Transport, at
from api.resources.answering import Answering, ChangeCall
from api.resources.attempt import AttemptObject
from api.resources.call import CallObject, CreateCall, Direction
from api.resources.event import EventObject
from api.resources.recording import Erasing, RecordingLink
from api.resources.transfer import TransferCall
from api.resources.turn import Transcript
from api.resources.webhook import DeliveryObject, DeliveryStatus


class Calls(Transport):
    """`/v1/calls`."""

    async def create_call(
        self, body: CreateCall | Json, *, idempotency_key: str | None = None
    ) -> CallObject:
        """Place a call.

        An answer that is lost on the way is asked for again under the same key, so the call is
        placed once.

        Args:
            body: what to do.
            idempotency_key: name it yourself, after your own order, if the call must be placed once
                even though your program dies before it has the answer and starts again.
        """
        return await self._post(CallObject, at("calls"), body, idempotency_key)

    def list_calls(
        self,
        *,
        status: CallStatus | None = None,
        direction: Direction | None = None,
        to_number: str | None = None,
        from_number: str | None = None,
        agent_id: str | None = None,
        campaign_id: str | None = None,
        concurrency_key: str | None = None,
        api_key_id: str | None = None,
        created_after: datetime | str | None = None,
        created_before: datetime | str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> AsyncGenerator[CallObject, None]:
        """Every call that fits, newest first. Times have an offset."""
        labels = None if metadata is None else [f"{key}:{text}" for key, text in metadata.items()]
        filters = {
            "status": status,
            "direction": direction,
            "to_number": to_number,
            "from_number": from_number,
            "agent_id": agent_id,
            "campaign_id": campaign_id,
            "concurrency_key": concurrency_key,
            "api_key_id": api_key_id,
            "created_after": _time(created_after),
            "created_before": _time(created_before),
            "metadata": labels,
        }
        return self._every(CallObject, at("calls"), filters)

    async def get_call(self, call_id: str) -> CallObject:
        """The call as it stands."""
        return await self._get(CallObject, at("calls", call_id))

    def list_attempts(self, call_id: str) -> AsyncGenerator[AttemptObject, None]:
        """Each time that the PBX dialled, in order."""
        return self._every(AttemptObject, at("calls", call_id, "attempts"), paged=False)

    async def get_transcript(self, call_id: str) -> Transcript:
        """What was said so far."""
        return await self._get(Transcript, at("calls", call_id, "transcript"))

    async def get_recording(
        self,
        call_id: str,
        file: Path | str,
        *,
        attempt: int | None = None,
        format: Literal["wav", "opus"] | None = None,  # noqa: A002 - as over HTTP
    ) -> Path:
        """Write a recording to `file`: WAV or Opus, the person left, the agent right.

        Args:
            call_id: the call.
            file: is there when it is whole.
            attempt: which attempt's; None is the last one that was recorded.
            format: None is what it is kept in.

        Raises ApiError `no_recording`, `recording_unreadable`.
        """
        query = _query(attempt=attempt, format=format)
        return await self._save(at("calls", call_id, "recording") + query, file)

    async def pause_recording(self, call_id: str) -> CallObject:
        """Record silence until `resume_recording`.

        Raises ApiError `not_in_progress`, `not_recorded`.
        """
        return await self._post(CallObject, at("calls", call_id, "recording", "pause"))

    async def resume_recording(self, call_id: str) -> CallObject:
        """Record what is said again. Raises ApiError `not_in_progress`, `not_recorded`."""
        return await self._post(CallObject, at("calls", call_id, "recording", "resume"))

    async def get_recording_link(
        self,
        call_id: str,
        *,
        attempt: int | None = None,
        format: Literal["wav", "opus"] | None = None,  # noqa: A002 - as over HTTP
        expires_in: int | None = None,
    ) -> RecordingLink:
        """A link to a recording for who has no key, good for `expires_in` seconds.

        Raises ApiError `no_recording`.
        """
        query = _query(attempt=attempt, format=format, expires_in=expires_in)
        return await self._get(RecordingLink, at("calls", call_id, "recording_link") + query)

    async def get_linked_recording(
        self,
        call_id: str,
        attempt: int,
        file: Path | str,
        *,
        expires: int,
        signature: str,
        format: Literal["wav", "opus"] | None = None,  # noqa: A002 - as over HTTP
    ) -> Path:
        """Follow a link: its parts are as in its URL. Raises ApiError `link_expired`."""
        path = f"/recordings/{quote(call_id, safe='')}/{attempt}"
        query = _query(expires=expires, signature=signature, format=format)
        return await self._save(path + query, file)

    async def get_black_box(
        self, call_id: str, file: Path | str, *, attempt: int | None = None
    ) -> Path:
        """Write a black box to `file`, a ZIP archive for `offhook replay`.

        Args:
            call_id: the call.
            file: is there when it is whole.
            attempt: which attempt's; None is the last one that has one.

        Raises ApiError `no_black_box`.
        """
        query = "" if attempt is None else f"?attempt={attempt}"
        return await self._save(at("calls", call_id, "black_box") + query, file)

    async def change_call(self, call_id: str, body: ChangeCall | Json) -> CallObject:
        """Correct who answered. Raises ApiError `not_answered`."""
        return await self._write(CallObject, "PATCH", at("calls", call_id), body)

    async def get_answering(self) -> Answering:
        """Count who answered, as found and as corrected."""
        return await self._get(Answering, at("answering"))

    async def cancel_call(self, call_id: str) -> CallObject:
        """End it before the answer. Raises ApiError `already_answered`, `already_ended`."""
        return await self._post(CallObject, at("calls", call_id, "cancel"))

    async def hang_up_call(self, call_id: str) -> CallObject:
        """End it after the answer. Raises ApiError `not_answered`, `already_ended`."""
        return await self._post(CallObject, at("calls", call_id, "hangup"))

    async def transfer_call(self, call_id: str, body: TransferCall | Json) -> CallObject:
        """Hand the person over to somebody else; follow it by the events. Raises ApiError
        `not_in_progress`, `transfer_under_way`, `too_many_transfers`, `trunk_full`, and with
        what is wrong of a field.
        """
        return await self._post(CallObject, at("calls", call_id, "transfer"), body)

    async def end_call(self, call_id: str) -> CallObject:
        """Cancel or hang up, whichever fits; nothing if it is over."""
        try:
            return await self.cancel_call(call_id)
        except ApiError as error:
            if error.code == "already_ended":
                return await self.get_call(call_id)
            if error.code != "already_answered":
                raise
        try:
            return await self.hang_up_call(call_id)
        except ApiError as error:
            if error.code == "already_ended":
                return await self.get_call(call_id)
            if error.code != "not_answered":  # back in the queue, for its next attempt
                raise
        return await self.cancel_call(call_id)

    async def delete_call(self, call_id: str) -> Erasing:
        """Erase a call that is over; with the nodes that have yet to delete files of it, which
        asking again tells too. Raises ApiError `not_over`, `not_found`."""
        answer = await self.request("DELETE", at("calls", call_id))
        if answer.status_code == 202:
            return read(Erasing, parse(answer.content))
        return Erasing(id=call_id, nodes=[])

    def list_call_deliveries(
        self, call_id: str, *, status: DeliveryStatus | None = None
    ) -> AsyncGenerator[DeliveryObject, None]:
        """The webhook deliveries of a call, newest first."""
        path = at("calls", call_id, "webhook_deliveries")
        return self._every(DeliveryObject, path, {"status": status})

    async def stream_events(
        self, call_id: str, *, after: int = 0
    ) -> AsyncGenerator[EventObject, None]:
        """Every event of a call as it happens, to the last one, each once.

        A stream that breaks or falls silent is opened anew where it broke, as often as it takes;
        it is given up when opening fails as often as any request may. Where you leave it early,
        close it (`contextlib.aclosing`).

        Args:
            call_id: which call.
            after: `seq` of the last event that you know.
        """
        attempts = Attempts(self._backoff, "GET")
        while True:
            heard = False
            problem: OffhookError = UnreachableError("the stream of events ended", sent=True)
            try:
                async with aclosing(self._open_events(call_id, after, attempts)) as events:
                    async for event in events:
                        if event is None:
                            return
                        if event.seq > after:
                            after, heard = event.seq, True
                            yield event
            except OffhookError as error:
                problem, heard = error, False
            if not heard:
                await asyncio.sleep(attempts.failed(problem))

    async def _open_events(
        self, call_id: str, after: int, attempts: Attempts
    ) -> AsyncGenerator[EventObject | None, None]:
        """The events of one stream; None where nothing comes after `after`, and never will."""
        path, last = at("calls", call_id, "events"), {"Last-Event-ID": str(after)}
        async with self._stream(path, last, endless=True) as answer:
            attempts.succeeded()
            if answer.status_code == 204:
                yield None
                return
            reader = EventStreamReader()
            async for received in answer.aiter_bytes():
                for data in reader.feed(received):
                    yield read(EventObject, parse(data))

    async def wait_until_over(self, call_id: str, timeout_s: float | None = None) -> CallObject:
        """The call once it is over, with its result.

        Args:
            call_id: which call.
            timeout_s: how long to wait; an order with `retry` may take days. None: for ever.

        Raises TimeoutError.
        """
        async with asyncio.timeout(timeout_s):
            async with aclosing(self.stream_events(call_id)) as events:
                async for _ in events:
                    pass
            return await self.get_call(call_id)


def _time(at: datetime | str | None) -> str | None:
    return at.isoformat() if isinstance(at, datetime) else at


def _query(**asked: str | int | None) -> str:
    """What of it is not None."""
    return "?" + urlencode({name: value for name, value in asked.items() if value is not None})
