"""Who answers at the carrier's numbers, and the dialplan that plays them.

Each persona is a few steps of Asterisk dialplan; no code of Offhook runs on that side.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SOUNDS = Path(__file__).with_name("sounds")
#: What the recorded sentences of `sounds/` say.
SENTENCES: Final[Mapping[str, str]] = json.loads((_SOUNDS / "sentences.json").read_text())


@dataclass(frozen=True)
class Persona:
    """One number of the carrier."""

    number: str
    """E.164."""
    name: str
    does: str
    """A sentence for people."""
    says: tuple[str, ...] = ()
    """Names of the sentences that it speaks, in order, when all goes well."""
    steps: tuple[str, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """What it says, as words."""
        return tuple(SENTENCES[name] for name in self.says)


_RING = ("Ringing()", "Wait(0.4)")
_ANSWER = (*_RING, "Answer()", "Wait(0.3)")
#: Wait up to 9 s for the agent to begin, then until it has been silent for 0.9 s (at most 25 s):
#: pauses between its clauses are shorter, a slow first word of its is not mistaken for silence.
_LISTEN = ("WaitForNoise(80,1,9)", "WaitForSilence(900,1,25)")


def _play(name: str) -> str:
    return f"Playback(${{SOUNDS}}/{name})"


def _conversation(*sentences: str) -> tuple[str, ...]:
    """Speak the first at the answer, each other one when the agent has spoken; then wait."""
    first, *others = sentences
    steps: list[str] = [*_ANSWER, _play(first)]
    for sentence in others:
        steps += [*_LISTEN, _play(sentence)]
    return (*steps, *_LISTEN, "Wait(8)", "Hangup(16)")


def _talker(number: str, name: str, does: str, *says: str) -> Persona:
    return Persona(number, name, does, says, _conversation(*says))


PERSONAS: Final[Sequence[Persona]] = (
    _talker("+1555010000", "talker", "confirms the appointment", "hello", "speaking", "confirm"),
    _talker(
        "+1555010001",
        "rescheduler",
        "asks for another day and agrees to it",
        "hello", "speaking", "other_time", "yes",
    ),
    _talker(
        "+1555010002",
        "survey",
        "rates the service and would recommend it",
        "hello", "speaking", "rating", "recommend",
    ),
    _talker(
        "+1555010003",
        "delivery",
        "will not be at home and says where to leave the parcel",
        "hello", "speaking", "at_home", "leave",
    ),
    _talker("+1555010004", "wrong person", "says that the number is wrong", "hello", "wrong"),
    _talker(
        "+1555010005", "decliner", "can not make it", "hello", "speaking", "cannot", "bye"
    ),
    _talker(
        "+1555010029",
        "objector",
        "wants to be called no more",
        "hello", "speaking", "no_more_calls",
    ),
    Persona(
        "+1555010006",
        "interrupter",
        "speaks into the agent's second sentence, then confirms",
        ("hello", "speaking", "interrupt", "confirm"),
        (
            *_ANSWER, _play("hello"), *_LISTEN, _play("speaking"),
            "WaitForNoise(80,1,9)", "Wait(1.2)", _play("interrupt"),
            *_LISTEN, _play("confirm"), *_LISTEN, "Wait(8)", "Hangup(16)",
        ),
    ),
    Persona("+1555010010", "busy", "is busy: SIP 486", steps=(*_RING, "Hangup(17)")),
    Persona("+1555010011", "no answer", "rings for ever", steps=("Ringing()", "Wait(600)")),
    Persona("+1555010012", "congestion", "has no circuit: SIP 503", steps=("Hangup(34)",)),
    Persona("+1555010013", "wrong number", "does not exist: SIP 404", steps=("Hangup(1)",)),
    Persona(
        "+1555010014",
        "announcement",
        "is told not to be in service before the answer (SIP 183), then SIP 404",
        ("not_in_service",),
        ("Progress()", "Playback(${SOUNDS}/not_in_service,noanswer)", "Wait(0.3)", "Hangup(1)"),
    ),
    Persona(
        "+1555010037",
        "intercept",
        "is told by special information tones that nobody is reached, and by no SIP",
        steps=("Progress()", "Playtones(!950/330,!1400/330,!1800/330,0)", "Wait(40)", "Hangup(1)"),
    ),
    Persona("+1555010015", "rejecter", "declines: SIP 403", steps=(*_RING, "Hangup(21)")),
    Persona("+1555010016", "hasty", "hangs up at once after the answer",
            steps=(*_RING, "Answer()", "Hangup(16)")),
    Persona(
        "+1555010017",
        "quitter",
        "says hello, listens for two seconds of the agent, and hangs up",
        ("hello",),
        (*_ANSWER, _play("hello"), "WaitForNoise(80,1,9)", "Wait(2)", "Hangup(16)"),
    ),
    Persona("+1555010018", "silent", "answers and says nothing", steps=(*_ANSWER, "Wait(600)")),
    Persona(
        "+1555010019",
        "late answerer",
        "plays early media (SIP 183) for a second, then confirms the appointment",
        ("hello", "speaking", "confirm"),
        ("Progress()", "Playback(beep,noanswer)", "Wait(0.8)",
         *_conversation("hello", "speaking", "confirm")[2:]),
    ),
    Persona(
        "+1555010020",
        "key presser",
        "presses 1 2 3 # after the answer and stays silent",
        steps=(*_ANSWER, "SendDTMF(123#,250,120)", "Wait(600)"),
    ),
    Persona(
        "+1555010021", "echo", "returns what it hears", steps=("Answer()", "Echo()", "Hangup(16)")
    ),
    Persona(
        "+1555010022",
        "noise",
        "plays a steady tone of 1004 Hz",
        steps=(*_ANSWER, "Milliwatt()", "Hangup(16)"),
    ),
    Persona(
        "+1555010023",
        "key reader",
        "reads four keys and logs them, then hangs up",
        steps=(*_RING, "Answer()", "Read(KEYS,,4,,1,20)", "Log(NOTICE,keys ${KEYS})", "Hangup(16)"),
    ),
    Persona(
        "+1555010024",
        "voicemail",
        "is an answering machine: a greeting, a beep, then it listens, and logs whether it hears",
        steps=(*_ANSWER, "Playback(vm-intro)", "Playback(beep)", "WaitForNoise(200,1,20)",
               "Log(NOTICE,voicemail ${WAITSTATUS})", "Wait(30)", "Hangup(16)"),
    ),
    Persona(
        "+1555010025",
        "stutterer",
        "rings, is answered, and hangs up after three seconds without a word",
        steps=(*_ANSWER, "Wait(3)", "Hangup(16)"),
    ),
    Persona(
        "+1555010026",
        "referable",
        "returns what it hears, and lets itself be transferred (REFER) to numbers from +1555",
        steps=(*_RING, "Dial(Local/echo@rooms/n)", "Hangup(16)"),
    ),
    Persona(
        "+1555010028",
        "relenting",
        "is busy at the first call, lets the second one ring, confirms at the third; and again",
        steps=(
            "Set(GLOBAL(RELENTING)=$[0${RELENTING} + 1])",
            "Set(TURN=$[${RELENTING} % 3])",
            "GotoIf($[${TURN} = 1]?personas,+1555010010,1)",
            "GotoIf($[${TURN} = 2]?personas,+1555010011,1)",
            "Goto(personas,+1555010000,1)",
        ),
    ),
    Persona(
        "+1555010030",
        "redirector",
        "asks to call the echo instead: SIP 302",
        steps=("Transfer(PJSIP/sip:+1555010021@${CHANNEL(pjsip,local_addr)})", "Hangup(16)"),
    ),
    Persona(
        "+1555010031",
        "mailbox",
        "is Asterisk's own voicemail: a greeting, a beep, and it keeps what is said",
        steps=(*_ANSWER, "VoiceMail(31@default,u)", "Hangup(16)"),
    ),
    Persona(
        "+1555010032",
        "silent mailbox",
        "is a voicemail that greets and then listens without a beep, and keeps what is said",
        steps=(*_ANSWER, "Playback(vm-nobodyavail)", "Playback(vm-intro)",
               "WaitForNoise(200,1,20)", "Log(NOTICE,voicemail ${WAITSTATUS})", "Wait(30)",
               "Hangup(16)"),
    ),
    Persona(
        "+1555010033",
        "menus",
        "is a menu of three levels, 0 and 0 and 2 lead to somebody who confirms",
        steps=(*_ANSWER, "Read(KEY,vm-opts,1,,3,6)", "Log(NOTICE,menu 1 key ${KEY})",
               'ExecIf($["${KEY}" != "0"]?Hangup(16))',
               "Read(KEY,vm-reachoper,1,,3,6)", "Log(NOTICE,menu 2 key ${KEY})",
               'ExecIf($["${KEY}" != "0"]?Hangup(16))',
               "Read(KEY,vm-tocallback,1,,3,6)", "Log(NOTICE,menu 3 key ${KEY})",
               'ExecIf($["${KEY}" != "2"]?Hangup(16))',
               "Wait(1)", _play("hello"), *_LISTEN, _play("confirm"), *_LISTEN, "Wait(8)",
               "Hangup(16)"),
    ),
    Persona(
        "+1555010034",
        "screener",
        "asks who calls and why, then somebody comes and confirms",
        steps=(*_ANSWER, _play("screening"), "WaitForNoise(200,1,10)",
               "Log(NOTICE,screener ${WAITSTATUS})", "WaitForSilence(1200,1,20)", "Wait(3)",
               _play("hello"), *_LISTEN, _play("confirm"), *_LISTEN, "Wait(8)", "Hangup(16)"),
    ),
    Persona(
        "+1555010036",
        "unrecorded",
        "does not want to be recorded, and confirms",
        steps=(*_ANSWER, _play("hello"), *_LISTEN, _play("not_recorded"), *_LISTEN,
               _play("confirm"), *_LISTEN, "Wait(8)", "Hangup(16)"),
    ),
    Persona(
        "+1555010035",
        "queue",
        "is a queue with music; after a while somebody comes and confirms",
        steps=(*_ANSWER, "Playback(queue-periodic-announce)", "Queue(front-desk,,,,90)",
               "Hangup(16)"),
    ),
    Persona(
        "+1555010027",
        "listener",
        "says nothing, and logs that it hears something once it does",
        steps=(*_ANSWER, "WaitForNoise(200,1,60)", "Log(NOTICE,listener ${WAITSTATUS})",
               "Wait(600)"),
    ),
)  # fmt: skip

#: Seconds of music in the queue.
QUEUE_S: Final = 12
_AT_THE_DESK: Final = (
    "Answer()",
    *("Wait(0.5)", _play("hello"), *_LISTEN, _play("confirm"), *_LISTEN, "Wait(8)", "Hangup(16)"),
)

#: Headers of an INVITE that the carrier logs.
CARRIED: Final = ("From", "P-Asserted-Identity", "Privacy", "Diversion", "X-Case")

#: `CAUSE_NUMBER.format(cause)` is refused with that Q.850 cause.
CAUSE_NUMBER: Final = "+15550199{:03d}"


#: A telephone of the laboratory answers here: the last five digits are its UDP port on loopback.
_TELEPHONES: Final = "+155507"


def telephone_number(port: int) -> str:
    """The number of the telephone that takes its audio at a UDP port from 10000 on."""
    return f"{_TELEPHONES}{port:05}"


def persona(name: str) -> Persona:
    """The persona of that name. Raises KeyError."""
    for one in PERSONAS:
        if one.name == name:
            return one
    raise KeyError(name)


def dialplan(sounds: str) -> str:
    """The carrier's `extensions.conf`.

    Args:
        sounds: folder of the recorded sentences.
    """
    carried = " ".join(f"{name}=[${{PJSIP_HEADER(read,{name})}}]" for name in CARRIED)
    lines = [
        "[globals]",
        f"SOUNDS = {sounds}",
        "TRANSFER_CONTEXT = referred",
        f"QUEUE_SECONDS = {QUEUE_S}",
        "",
        "; What Offhook's Asterisk dials. Every call leaves one line in the log before anything",
        "; else: the witness against double dialling.",
        "[from-customer]",
        "exten => _X!,1,Hangup(1)",
        "exten => _+X!,1,Log(NOTICE,dialled ${EXTEN} ${CHANNEL(pjsip,call-id)} "
        "from ${CALLERID(num)} named ${CALLERID(name)})",
        f" same => n,Log(NOTICE,carried {carried})",
        " same => n,GotoIf($[${DIALPLAN_EXISTS(personas,${EXTEN},1)}]?personas,${EXTEN},1)",
        " same => n,Hangup(1)",
        "",
        "; Where who was asked to call somebody else (REFER) goes; any other number is a 404.",
        "[referred]",
        "exten => _+1555X!,1,Log(NOTICE,referred ${EXTEN})",
        " same => n,Dial(Local/${EXTEN}@personas/n)",
        " same => n,Hangup(16)",
        "",
        "; A REFER is taken on a channel that is bridged only: this is the other side.",
        "[rooms]",
        "exten => echo,1,Answer()",
        " same => n,Echo()",
        "",
        "; Who takes a call from the queue, after a while.",
        "[queue-agents]",
        "exten => desk,1,Wait(${QUEUE_SECONDS})",
        *(f" same => n,{step}" for step in _AT_THE_DESK),
        "",
        "; Text messages (SIP MESSAGE), each one line in the log.",
        "[messages]",
        "exten => _+1555X!,1,Log(NOTICE,message to ${EXTEN} "
        "from ${MESSAGE(from)}: ${MESSAGE(body)})",
        "",
        "[personas]",
        f"exten => _{CAUSE_NUMBER[:9]}XXX,1,Hangup(${{EXTEN:-3}})",
        "",
        "; A telephone of the laboratory.",
        f"exten => _{_TELEPHONES}XXXXX,1,Ringing()",
        " same => n,Wait(0.2)",
        " same => n,Answer()",
        " same => n,Set(TELEPHONE=${EXTEN})",
        " same => n,Goto(telephones,${EXTEN},1)",
        "",
        "; Whoever is there is sent to the keys to press, and talks on when they are pressed.",
        "[telephones]",
        "exten => _[0-9A-D*#]!,1,SendDTMF(${EXTEN},120,120)",
        " same => n,Goto(${TELEPHONE},1)",
        f"exten => _{_TELEPHONES}XXXXX,1,"
        "Dial(UnicastRTP/127.0.0.1:${EXTEN:-5}/c(${CHANNEL(audioreadformat)}),5)",
        " same => n,Hangup(16)",
        "",
        "[personas]",
    ]
    for one in PERSONAS:
        lines += ["", f"; {one.name}: {one.does}"]
        for index, step in enumerate(one.steps):
            start = f"exten => {one.number},1" if index == 0 else " same => n"
            lines.append(f"{start},{step}")
    return "\n".join(lines) + "\n"
