"""The Event Socket core: what a real FreeSWITCH sent, however it is cut, and what none would send.

The recordings are those of `esl_tapes/stream_….xz`; `test_tapes` reads them byte by byte.
"""

from collections import Counter
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.freeswitch.esl import (
    MAX_BODY,
    MAX_HEADER_BLOCK,
    MAX_HEADERS,
    EslParser,
    EslProtocolError,
    Message,
    read_event,
    write_command,
)
from pbx.switch import SwitchRefused
from tests.pbx.tape import recorded, recordings

_NAMES = recordings()
_SPLIT_BYTES = 5000


def messages(name: str) -> list[Message]:
    return EslParser().feed(recorded(name))


def events(name: str) -> Iterator[dict[str, str]]:
    return (read_event(m.body) for m in messages(name) if m.content_type == "text/event-plain")


def framed(message: Message) -> bytes:
    lines = "".join(f"{name}: {value}\n" for name, value in message.headers.items())
    return f"{lines}\n".encode() + message.body


@pytest.mark.parametrize("name", _NAMES)
def test_a_recording_is_messages_from_its_first_byte_to_its_last(name: str) -> None:
    assert b"".join(map(framed, messages(name))) == recorded(name)


@pytest.mark.parametrize("name", _NAMES)
def test_a_recording_split_anywhere_is_the_same_messages(name: str) -> None:
    data = recorded(name)[:_SPLIT_BYTES]
    whole = EslParser().feed(data)
    for split in range(len(data) + 1):
        parser = EslParser()
        assert parser.feed(data[:split]) + parser.feed(data[split:]) == whole, split


@pytest.mark.parametrize("name", _NAMES)
def test_a_recording_cut_short_lacks_only_its_last_message(name: str) -> None:
    assert EslParser().feed(recorded(name)[:-1]) == messages(name)[:-1]


def test_what_each_situation_was_recorded_as() -> None:
    kinds = {name: [m.content_type for m in messages(name)] for name in _NAMES}
    assert kinds["auth_ok"] == [
        "auth/request",
        "command/reply",
        "command/reply",
        "text/disconnect-notice",
    ]
    assert kinds["acl_rude_rejection"] == ["text/rude-rejection", "text/disconnect-notice"]
    assert messages("auth_failed")[1].headers["Reply-Text"] == "-ERR invalid"
    assert messages("noauth_command")[1].headers["Reply-Text"] == "-ERR command not found"
    assert messages("shutdown_sigterm")[-1].body == b"The system is being shut down.\n"
    assert kinds["killed_sigkill"][-1] == "text/event-plain"
    assert kinds["reload_mod_event_socket"][-2:] == ["api/response", "text/disconnect-notice"]


def test_a_job_has_its_id_in_the_reply_and_its_result_as_the_event_s_body() -> None:
    reply, job = messages("bgapi_custom_job_uuid")[-2:]
    assert reply.headers["Job-UUID"] == "my-job-0001"
    event = read_event(job.body)
    assert (event["Event-Name"], event["Job-UUID"]) == ("BACKGROUND_JOB", "my-job-0001")
    assert event["_body"].startswith("UP 0 years, ")
    assert len(event["_body"]) == int(event["Content-Length"]) == 366
    refused = list(events("originate_bad_gateway"))[-1]
    assert refused["_body"] == "-ERR INVALID_GATEWAY\n"
    assert refused["Job-Command-Arg"].startswith("{origination_uuid=")


def test_a_busy_callee_as_recorded() -> None:
    ours = [e for e in events("originate_user_busy") if e.get("Call-Direction") == "outbound"]
    assert ours[-1]["Event-Name"] == "CHANNEL_DESTROY"
    over = next(e for e in ours if e["Event-Name"] == "CHANNEL_HANGUP_COMPLETE")
    assert (over["Hangup-Cause"], over["variable_sip_term_status"]) == ("USER_BUSY", "486")


def test_which_events_bear_the_variables_that_a_filter_can_go_by() -> None:
    """Event filters that go by a variable lose every event named in the first set."""
    bare, bearing = Counter[str](), Counter[str]()
    for name in _NAMES:
        for event in events(name):
            kind = bearing if any(key.startswith("variable_") for key in event) else bare
            kind[event["Event-Name"]] += 1
    assert set(bare) == {"BACKGROUND_JOB", "DTMF"}
    assert {"CHANNEL_PARK", "CHANNEL_ANSWER", "CHANNEL_HANGUP_COMPLETE"} <= set(bearing)


def test_values_cannot_forge_headers() -> None:
    event = next(events("odd_values"))
    assert event["variable_my_var"] == "a b;c=d\nEvent-Name: FAKE"
    assert event["Event-Name"] == "CHANNEL_CREATE"
    assert event["Caller-Caller-ID-Name"] == "Zoë Ünïcode"
    assert event["variable_pct"] == "100%"
    assert {e["Event-Name"] for e in events("odd_values")} >= {"CHANNEL_PARK", "CHANNEL_DESTROY"}
    assert not any("FAKE" in e["Event-Name"] for e in events("odd_values"))


def test_a_caller_s_name_full_of_line_breaks_stays_one_value() -> None:
    name = "Eve\nEvent-Name: CHANNEL_ANSWER\r\n\nContent-Length: 4\n\nevil"
    body = f"Event-Name: CHANNEL_PARK\nCaller-Caller-ID-Name: {quote(name)}\nUnique-ID: u\n\n"
    assert read_event(body.encode()) == {
        "Event-Name": "CHANNEL_PARK",
        "Caller-Caller-ID-Name": name,
        "Unique-ID": "u",
    }


def test_of_a_header_that_comes_twice_the_first_counts() -> None:
    assert read_event(b"A: 1\nA: 2\nB: _undef_\nB: 3\n\n") == {"A": "1"}
    message = EslParser().feed(b"Content-Type: x\nContent-Type: y\nContent-Length: 0\n\n")
    assert [m.content_type for m in message] == ["x"]


def test_undefined_values_are_absent_and_so_is_a_forged_body() -> None:
    assert read_event(b"A: _undef_\nB: \n_body: evil\nno colon\n\n") == {"B": ""}


def test_invalid_utf_8_is_replaced_not_fatal() -> None:
    assert read_event(b"A: x\xff\nB: %FF%C3%A9\nContent-Length: 2\n\n\xff!") == {
        "A": "x\ufffd",
        "B": "\ufffdé",
        "Content-Length": "2",
        "_body": "\ufffd!",
    }
    assert EslParser().feed(b"Reply-Text: \xff\n\n")[0].headers == {"Reply-Text": "\ufffd"}


def test_an_event_s_length_counts_bytes_and_the_rest_is_left_out() -> None:
    assert read_event("Content-Length: 3\n\né!more".encode())["_body"] == "é!"


@pytest.mark.parametrize(
    "data",
    [
        b"no colon here\n\n",
        b"Content-Length: -1\n\n",
        b"Content-Length: 1e3\n\n",
        "Content-Length: ²\n\n".encode(),
        f"Content-Length: {MAX_BODY + 1}\n\n".encode(),
        b"Content-Length: " + b"9" * 5000 + b"\n\n",
        b"A: " + b"x" * MAX_HEADER_BLOCK + b"\n\n",
        b"A: " + b"x" * MAX_HEADER_BLOCK,
        b"A: 1\n" * (MAX_HEADERS + 1) + b"\n",
    ],
)
def test_what_is_too_much_or_no_protocol_raises(data: bytes) -> None:
    with pytest.raises(EslProtocolError):
        EslParser().feed(data)


def test_endless_input_without_a_message_does_not_pile_up() -> None:
    parser = EslParser()
    for _ in range(MAX_HEADER_BLOCK // 2):
        assert parser.feed(b"xy") == []
    with pytest.raises(EslProtocolError):
        parser.feed(b"xy")


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 5\n\nfour",
        b"Content-Length: x\n\n",
        b"A: 1\n" * (MAX_HEADERS + 1) + b"\n",
    ],
)
def test_an_event_that_contradicts_itself_raises(body: bytes) -> None:
    with pytest.raises(EslProtocolError):
        read_event(body)


def test_the_largest_allowed_is_allowed() -> None:
    block = b"Content-Length: %d\nA: " % MAX_BODY
    block += b"x" * (MAX_HEADER_BLOCK - len(block))
    (message,) = EslParser().feed(block + b"\n\n" + b"b" * MAX_BODY)
    assert len(message.body) == MAX_BODY


def test_a_command_is_its_line_its_headers_and_an_empty_line() -> None:
    assert write_command("api status") == b"api status\n\n"
    assert (
        write_command("bgapi originate Zoë", {"Job-UUID": "offhook-1"})
        == "bgapi originate Zoë\nJob-UUID: offhook-1\n\n".encode()
    )


@pytest.mark.parametrize("evil", ["a\nb", "a\rb", "a\0b", "a\x85b", "a\u2028b", "a\ud800b"])
def test_no_control_character_gets_into_a_command(evil: str) -> None:
    for arguments in [(evil, {}), ("sendmsg u", {"x": evil}), ("sendmsg u", {evil: "x"})]:
        with pytest.raises(SwitchRefused):
            write_command(*arguments)


@pytest.mark.parametrize("word", ["unload", "ReLoad"])
def test_no_value_makes_freeswitch_unload_its_event_socket(word: str) -> None:
    with pytest.raises(SwitchRefused, match="event socket"):
        write_command(f"bgapi originate {{origination_caller_id_name='{word} Mod_Event_Socket'}}x")
    with pytest.raises(SwitchRefused, match="event socket"):
        write_command("sendmsg u", {"a": word, "b": "mod_event_socket"})
    assert write_command(f"bgapi {word} mod_sofia")


_TOKEN = st.text("ABCdef-_0", min_size=1, max_size=10).filter(lambda t: t != "_body")
_VALUE = st.text(max_size=40).filter(lambda v: v != "_undef_")


@given(st.dictionaries(_TOKEN, _VALUE), st.none() | st.text(min_size=1), st.data())
def test_an_event_survives_the_way_from_freeswitch(
    headers: dict[str, str], body: str | None, data: st.DataObject
) -> None:
    lines = "".join(f"{name}: {quote(value) or '_undef_'}\n" for name, value in headers.items())
    tail = "\n" if body is None else f"Content-Length: {len(body.encode())}\n\n{body}"
    event = (lines + tail).encode()
    stream = b"Content-Length: %d\nContent-Type: text/event-plain\n\n%b" % (len(event), event)
    stream *= 2
    split = data.draw(st.integers(0, len(stream)))
    parser = EslParser()
    got = parser.feed(stream[:split]) + parser.feed(stream[split:])
    expected = {name: value for name, value in headers.items() if value}
    if body is not None:
        expected |= {"Content-Length": str(len(body.encode())), "_body": body}
    assert [read_event(message.body) for message in got] == [expected, expected]


@given(st.binary(max_size=200))
def test_whatever_comes_is_messages_or_an_error_of_ours(data: bytes) -> None:
    try:
        for message in EslParser().feed(data):
            read_event(message.body)
    except EslProtocolError:
        pass
