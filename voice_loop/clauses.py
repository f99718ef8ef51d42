"""From a stream of tokens to clauses that can be spoken, and the tool calls among them.

A clause is as short as it may be without sounding chopped: the first sound comes sooner when
the voice need not wait for a whole sentence. Once there is sound to play, nothing is gained by
that, and a voice speaks better what it sees more of.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from voice_loop.call_text import Ending, Opener, openers, read_calls, spoken_in_fence
from voice_loop.markup import plain
from voice_loop.reasoning import ReasoningFilter, Retracted, Said
from voice_loop.sentences import MIN_CLAUSE_CHARS, Place, clause_end
from voice_loop.tools import END_CALL_TOOL
from voice_loop.untrusted import holdable

#: Characters of something that is not for the ear; of more, no call is read.
_MOST_PASSAGE = 16_384
#: Characters that may tell whether a clause ends before them.
_MOST_AHEAD = 8
#: Signs that are words by themselves.
_NAMED_SIGNS = frozenset("#*@&%+=€$£¥°")


@dataclass(frozen=True)
class Clause:
    """Text to be spoken in one go, as it is written: the voice has yet to read it."""

    text: str


@dataclass(frozen=True)
class ToolCall:
    """A tool that the model asked for."""

    name: str
    """Empty where it is not known."""
    arguments: Mapping[str, Any] | str = field(default_factory=dict)
    """What the model wrote, where that is no JSON object."""


class ClauseSplitter:
    """Splits a reply that comes in pieces: gives clauses and tool calls as soon as they are whole.

    Args:
        names: of the tools there are, by which calls are known that no mark sets apart.
        language: BCP 47 tag or code of the reply's language.
    """

    def __init__(self, names: Iterable[str] = (), language: str = "en") -> None:
        self._language = language
        self._openers = openers(frozenset({END_CALL_TOOL, *names}))
        self._reasoning = ReasoningFilter()
        self._over = False
        self._least = MIN_CLAUSE_CHARS
        self._reset()

    def _reset(self) -> None:
        self._opens = True
        self._buffer = ""
        self._begins_line = True
        #: Before it, nothing begins that is not for the ear.
        self._searched = 0
        #: The end of what begins there.
        self._ending: Ending | None = None

    def push(
        self, piece: str, least: int = MIN_CLAUSE_CHARS
    ) -> Iterator[Clause | ToolCall | Retracted]:
        """Take the next piece of the model's reply.

        Args:
            piece: a few characters of it, or all.
            least: characters that a clause has, unless a sentence ends in it.
        """
        self._least = least
        yield from self._take(self._reasoning.push(piece))

    def close(self) -> Iterator[Clause | ToolCall | Retracted]:
        """The reply is over: give what is left, a tool call that is cut off as malformed."""
        yield from self._take(self._reasoning.close())
        yield from self._drain(final=True)
        text, self._buffer = self._buffer, ""
        if self._openers.statement(text) is None:
            text = text[: self._openers.cut_off(text)]
        yield from self._say(text)

    def _take(self, said: Said) -> Iterator[Clause | ToolCall | Retracted]:
        for part in said:
            if isinstance(part, Retracted):
                self._reset()
                self._over = False
                yield part
            elif not self._over:
                self._buffer += part
                yield from self._drain()

    def _drain(self, *, final: bool = False) -> Iterator[Clause | ToolCall]:
        # What comes out must not depend on how the text was cut into pieces, so nothing here
        # looks further than the first boundary. Nor is anything looked at with every piece: that
        # would hold up all other calls while a long text grows.
        while True:
            if self._ending is None:
                self._seek(final=final)
            text = self._buffer[: self._searched]
            ahead = self._buffer[self._searched :][:_MOST_AHEAD]
            place = Place(self._language, self._begins_line, self._opens, self._least)
            cut = clause_end(text, ahead, place)
            if cut is not None:
                self._forget(cut)
                yield from self._say(text[:cut])
            elif self._ending is None:
                return
            else:
                # The words before it need not wait for its end.
                self._forget(self._searched)
                yield from self._say(text)
                end = self._ending.find(self._buffer)
                if (len(self._buffer) if end is None else end) > _MOST_PASSAGE:
                    yield self._give_up()
                    return
                if end is None and not final:
                    return
                opener, self._ending = self._ending.opener, None
                passage = self._buffer[:end]
                self._forget(len(passage))
                yield from self._do(opener, passage)

    def _seek(self, *, final: bool) -> None:
        """Look for what is not for the ear; `_searched` is where it may begin then."""
        opener = self._openers.next(self._buffer, self._searched)
        begun = None if final else self._openers.begun(self._buffer, self._searched)
        if opener is not None and (begun is None or opener.start < begun):
            self._ending, self._searched = Ending(opener), opener.start
        else:
            self._searched = len(self._buffer) if begun is None else begun

    def _give_up(self) -> ToolCall:
        """Take no more of the reply: what it has begun does not end."""
        begun = holdable(self._buffer[:_MOST_PASSAGE])
        self._reset()
        self._over = True
        return ToolCall("", begun)

    def _forget(self, count: int) -> None:
        self._buffer = self._buffer[count:]
        self._searched = max(0, self._searched - count)

    def _do(self, opener: Opener, passage: str) -> Iterator[ToolCall]:
        """Give what is not for the ear: calls, or nothing."""
        calls = read_calls(passage, opener.kind, self._openers.names)
        if not calls and opener.kind == "fence" and (words := spoken_in_fence(passage)) is not None:
            self._buffer, self._searched = f"{words}\n{self._buffer}", 0
        for name, given in calls:
            yield ToolCall(name, holdable(given) if isinstance(given, str) else given)

    def _say(self, text: str) -> Iterator[Clause | ToolCall]:
        statement = self._openers.statement(text)
        if statement is None:
            yield from self._speakable(text)
        else:
            begin, name = statement
            yield from self._speakable(text[:begin])
            yield ToolCall(name)

    def _speakable(self, text: str) -> Iterator[Clause]:
        written = plain(text, begins_line=self._begins_line)
        if text.strip(" "):
            self._begins_line = text.rstrip(" ").endswith("\n")
        if any(char.isalnum() or char in _NAMED_SIGNS for char in written):
            self._opens = False
            yield Clause(written)


def clauses(text: str, language: str = "en") -> list[Clause]:
    """A whole text as clauses; `language` is a BCP 47 tag or code."""
    splitter = ClauseSplitter(language=language)
    said: list[Clause] = []
    for part in [*splitter.push(text), *splitter.close()]:
        if isinstance(part, Clause):
            said.append(part)
        elif isinstance(part, Retracted):
            said.clear()
    return said
