"""Takes what a language model thinks aloud out of what it says, with the marks of its chat format.

Sans-IO: pieces of text in; pieces of what is said out, the same for any cutting. A model whose
template has opened its thoughts for it only closes them: what was taken for speech until then is
taken back.
"""

import json
import re
from enum import Enum, auto
from typing import Final

from voice_loop.prompts import CALLS_FOLLOW, TOOL_CALL_CLOSE, TOOL_CALL_OPEN


class Retracted(Enum):
    """All that was given before was thoughts."""

    ALL = auto()


Said = list[str | Retracted]

_THOUGHTS: Final = (
    r"(?:[\w-]+:)?(?:think(?:ing)?|thoughts?|reasoning|reflection|analysis|scratchpad"
    r"|(?:inner_)?monologue|cot)"
)
_MARKS: Final = re.compile(
    rf"(?P<nothing><{_THOUGHTS}\s*/>)"
    rf"|(?P<open><\|?{_THOUGHTS}(?:\s[^<>]*)?\|?>|(?-i:\[THINK(?:ING)?\])|◁think▷|<\|begin_of_thought\|>"
    r"|<\|START_THINKING\|>|<\|inner_prefix\|>|<\|channel>|<unused94>"
    r"|<details type=.reasoning[^<>]*>)"
    rf"|(?P<close><\|?/{_THOUGHTS}\s*\|?>|\[/THINK(?:ING)?\]|◁/think▷|<\|end_of_thought\|>"
    r"|<\|END_THINKING\|>|<\|inner_suffix\|>|<channel\|>|<unused95>)"
    r"|(?P<harmony><\|(?:start|channel|message|constrain|end|call|return)\|>)"
    r"|(?P<role><\|im_start\|>\s*\w*|<\|start_header_id\|>\s*\w*\s*<\|end_header_id\|>"
    r"|<start_of_turn>\s*\w*|<\|turn>\s*\w*|<[|｜](?:assistant|user|system|tool)[|｜]>)"
    r"|(?P<strike><s>)"
    rf"|(?P<calls>{CALLS_FOLLOW})"
    r"|(?P<over><\|(?:im_end|eot_id|eom_id|endoftext|end_of_text|end_of_role|EOT|eos"
    r"|END_OF_TURN_TOKEN)\|>|<｜end▁of▁sentence｜>|</s>|<end_of_turn>|<turn\|>|<eos>)",
    re.IGNORECASE,
)
#: The end of a text that may be the beginning of a mark. A role's name is part of its mark.
_BEGUN: Final = re.compile(
    r"(?:<(?:[|｜/A-Za-z][^<>]{0,120})?|\[/?[A-Z]{0,9}|◁/?[a-z]{0,6}"
    r"|(?:<\|im_start\|>|<start_of_turn>|<\|turn>)\s*\w*"
    r"|<\|start_header_id\|>\s*\w*\s*(?:<[^<>]{0,16})?)\Z",
    re.IGNORECASE,
)
#: Beginnings of a reply that say in words that thoughts follow, and what ends those.
#: What a reply may begin with; some servers show the token that begins a text.
_NO_WORDS: Final = re.compile(r"\A(?:[\ufeff \t\r\n]|<s>)+", re.IGNORECASE)
_RESPONSE: Final = re.compile(rf"here(?: i|')s my response:\s*|{CALLS_FOLLOW}", re.IGNORECASE)
_PREFACES: Final = (
    ("here is my thought process:", _RESPONSE),
    ("here's my thought process:", _RESPONSE),
)
#: gpt-oss where its control tokens are not shown: the names of the channels run into the words.
_BARE_ANALYSIS: Final = re.compile(r"analysis(?=[A-Z\"'“])")
_BARE_CHANNEL: Final = re.compile(
    rf"{CALLS_FOLLOW}|assistant(?:analysis|final|commentary(?:\s+to=(?P<to>[\w.-]+))?\s*(?:json|code)?\s*(?=[^\sjc]))"
)
_BARE_BEGUN: Final = re.compile(
    r"(?:assistant(?:c[^{]{0,90}|[a-z]{0,8})?|assistan|assista|assist|assis|assi|ass|as|a)\Z"
)
_RECIPIENT: Final = re.compile(r"to=(?:functions\.)?([\w.-]+)")
_CHANNEL: Final = re.compile(r"\b(analysis|commentary|final)\b[^\S\n]*")
_HEADER_LINE: Final = re.compile(r"\s*\S[^\n]*\n")
#: A channel's header is shorter.
_LONGEST_HEADER: Final = 160
#: Characters at a prompt's end in which its template may open thoughts.
_MARK_ROOM: Final = 60
#: Of thoughts or a call's arguments, what is kept.
_MOST_KEPT: Final = 65_536


class _State(Enum):
    START = auto()
    """Nothing was said yet."""
    SAID = auto()
    THOUGHT = auto()
    HEADER = auto()
    """Between messages: which channel the next one is on."""
    CALL = auto()
    """In the arguments of a call on a channel."""
    OVER = auto()
    """The turn has ended; what follows is not the agent's."""


class ReasoningFilter:
    """Gives what is said of one reply; a call on a channel as `<tool_call>…</tool_call>`."""

    def __init__(self) -> None:
        self.closed_only = False
        """Thoughts have ended that no mark had begun."""
        self._held = ""
        self._state = _State.START
        self._kept = ""
        """Of the header, the arguments, or the thoughts that we are in."""
        self._callee = ""
        self._opened = self._closed = 0
        self._channels = False
        self._struck = False
        """In words that are struck out: `</s>` ends these, not the turn."""
        self._preface: re.Pattern[str] | None = None
        """What ends thoughts that words have opened."""

    @property
    def thought(self) -> bool:
        """Whether there were thoughts so far."""
        return self._opened + self._closed > 0

    @property
    def thinking(self) -> bool:
        """Whether the thoughts have not ended."""
        return self._state is _State.THOUGHT

    @property
    def deaf(self) -> bool:
        """Whether what follows would not be taken for something said."""
        return self._state not in (_State.START, _State.SAID)

    def push(self, piece: str) -> Said:
        """Take the next piece of the reply."""
        if self._state is _State.SAID and not self._held and _unmarked(piece):
            return [piece]
        self._held += piece
        return self._take(final=False)

    def close(self) -> Said:
        """The reply is over."""
        said = self._take(final=True)
        if self._state is _State.HEADER:
            self._enter(said)
        if self._state is _State.CALL:
            said.append(self._call())
        elif self._state is _State.THOUGHT and self._kept.rstrip().endswith(TOOL_CALL_CLOSE):
            # Some models forget to close their thoughts before they act. Where more follows, they
            # have only thought of the call.
            said.append(TOOL_CALL_OPEN + self._kept.rpartition(TOOL_CALL_OPEN)[2])
        self._state = _State.OVER
        return said

    def _take(self, *, final: bool) -> Said:
        said: Said = []
        while self._held:
            if self._state is _State.START and not self._started(final=final):
                break
            marks = _MARKS if self._preface is None else self._preface
            mark = marks.search(self._held)
            begun = None if final else self._begun()
            if mark is None or (begun is not None and begun <= mark.start()):
                at = len(self._held) if begun is None else begun
                text, self._held = self._held[:at], self._held[at:]
                self._text(text, said)
                break
            text, self._held = self._held[: mark.start()], self._held[mark.end() :]
            self._text(text, said)
            self._mark(mark, said)
        return said

    def _begun(self) -> int | None:
        """Find where a mark may begin that is not whole yet."""
        if self._preface is _BARE_CHANNEL:
            found = _BARE_BEGUN.search(self._held)
        elif self._preface is not None:
            return max(0, len(self._held) - 24)
        else:
            found = _BEGUN.search(self._held, max(0, len(self._held) - 160))
        return None if found is None else found.start()

    def _started(self, *, final: bool) -> bool:
        """Leave the start; False while the first words may still open thoughts."""
        # Whitespace says nothing, and could go on for long.
        words = self._held = _NO_WORDS.sub("", self._held)
        lower = words.lower()
        for preface, end in _PREFACES:
            if lower.startswith(preface):
                self._held, self._preface = words[len(preface) :], end
                self._open()
                return True
            if not final and preface.startswith(lower):
                return False
        if (bare := _BARE_ANALYSIS.match(words)) is not None:
            self._held, self._preface = words[bare.end() :], _BARE_CHANNEL
            self._open()
            return True
        if not final and ("analysis".startswith(words) or "<s>".startswith(lower)):
            return False
        self._state = _State.SAID
        return True

    def _open(self) -> None:
        self._opened += 1
        self._state, self._kept = _State.THOUGHT, ""

    def _text(self, text: str, said: Said) -> None:
        if not text:
            return
        if self._state is _State.SAID:
            said.append(text)
        elif self._state is not _State.OVER:
            self._kept = (self._kept + text)[-_MOST_KEPT:]
            if self._state is _State.HEADER:
                # One without an end, as some servers leave the mark out.
                line = _HEADER_LINE.match(self._kept)
                if line is not None or len(self._kept) > _LONGEST_HEADER:
                    end = min(_LONGEST_HEADER, len(self._kept) if line is None else line.end())
                    rest, self._kept = self._kept[end:], self._kept[:end]
                    self._enter(said)
                    self._text(rest, said)

    def _mark(self, mark: re.Match[str], said: Said) -> None:
        if self._preface is not None:
            self._end_preface(mark)
            return
        match mark.lastgroup:
            case "open":
                self._open()
            case "close":
                self._close(said)
            case "harmony":
                self._harmony(mark[0].lower(), said)
            case "strike":
                self._struck = True
            case "over" if self._struck and mark[0].lower() == "</s>":
                self._struck = False
            case "over":
                self._end(said)
                self._state = _State.OVER
            case "role":
                ours = re.search(r"assistant|model", mark[0], re.IGNORECASE) is not None
                if not ours:
                    self._state = _State.OVER
            case "calls":
                self._end(said)
                self._state = _State.SAID
            case _:
                pass

    def _end_preface(self, mark: re.Match[str]) -> None:
        self._closed += 1
        if self._preface is not _BARE_CHANNEL:
            self._preface, self._state = None, _State.SAID
            return
        if mark[0].endswith("analysis"):
            self._open()
        elif (callee := mark["to"]) is not None:
            self._callee, self._preface = callee.removeprefix("functions."), None
            self._state, self._kept = _State.CALL, ""
        else:
            self._preface, self._state = None, _State.SAID

    def _close(self, said: Said) -> None:
        if self._state is _State.THOUGHT:
            self._state = _State.SAID
        elif self._state is _State.SAID and (
            self._opened > self._closed or not self._opened + self._closed
        ):
            said.append(Retracted.ALL)
            self.closed_only = True
        self._closed += 1

    # The channels of gpt-oss ("harmony")

    def _harmony(self, mark: str, said: Said) -> None:
        match mark:
            case "<|start|>":
                self._end(said)
                self._state, self._kept = _State.HEADER, ""
            case "<|channel|>":
                if self._state is _State.HEADER and _CHANNEL.search(self._kept) is not None:
                    self._enter(said)
                if self._state is not _State.HEADER:
                    self._end(said)
                    self._state, self._kept = _State.HEADER, ""
                self._kept += " "
            case "<|message|>":
                if self._state is _State.HEADER:
                    self._enter(said, whole=True)
            case "<|constrain|>":
                self._kept += " " if self._state is _State.HEADER else ""
            case _:
                thought = self._state is _State.THOUGHT
                self._end(said)
                self._state = _State.SAID if thought else _State.OVER

    def _enter(self, said: Said, *, whole: bool = False) -> None:
        """What follows belongs to the header's channel; unless it was `whole`, so may its end."""
        header, self._kept = self._kept, ""
        channel, to = _CHANNEL.search(header), _RECIPIENT.search(header)
        first, self._channels = not self._channels, True
        if to is not None:
            self._callee, self._state = to[1], _State.CALL
            return
        name = channel[1] if channel is not None else ""
        body = header[channel.end() :] if channel and name == "final" and not whole else ""
        if name == "analysis":
            self._open()
            return
        self._state = _State.OVER if re.match(r"\s*(?:user|system|tool)", header) else _State.SAID
        if name == "final" and first and not self._opened:
            said.append(Retracted.ALL)
        self._text(body, said)

    def _end(self, said: Said) -> None:
        """A message is over."""
        if self._state is _State.HEADER and _CHANNEL.search(self._kept) is not None:
            self._enter(said)
        if self._state is _State.CALL:
            said.append(self._call())
        elif self._state is _State.THOUGHT:
            self._closed += 1
        self._kept = ""

    def _call(self) -> str:
        body, self._kept = self._kept.strip() or "{}", ""
        call = f'{{"name": {json.dumps(self._callee)}, "arguments": {body}}}'
        return TOOL_CALL_OPEN + call.replace("<", "\\u003c") + TOOL_CALL_CLOSE


def said_in(text: str) -> str:
    """Take the thoughts out of a whole reply."""
    filter_ = ReasoningFilter()
    said = ""
    for part in [*filter_.push(text), *filter_.close()]:
        said = "" if part is Retracted.ALL else said + str(part)
    return said


def ends_in_thoughts(prompt: str) -> bool:
    """Whether a prompt ends where the model's thoughts have begun."""
    filter_ = ReasoningFilter()
    filter_.push(prompt[-_MARK_ROOM:])
    return filter_.thinking


def _unmarked(piece: str) -> bool:
    return "<" not in piece and "[" not in piece and "◁" not in piece
