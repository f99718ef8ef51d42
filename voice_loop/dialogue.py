"""The conversation as the language model is told it."""

from collections.abc import Mapping, Sequence
from typing import Any

from voice_loop.prompts import (
    ANSWER_SCREENING,
    CALL_ANSWERED,
    CUT_OFF,
    LEAVE_MESSAGE,
    MENU_AGAIN,
    READ_BACK,
    Message,
    inert,
    opening_text,
    recalled_text,
    tool_call_text,
    tool_response_text,
    unheard_text,
)


class Dialogue:
    """A growing chat. Two messages of one side in a row become one, as chat templates want."""

    def __init__(self, system: str) -> None:
        self._messages: list[Message] = [
            {"role": "system", "content": system},
            {"role": "user", "content": CALL_ANSWERED},
        ]

    def person_said(self, text: str) -> None:
        self._append({"role": "user", "content": inert(text)})

    def open_with(self, first_sentence: str) -> None:
        """Tell how the call is to be opened."""
        self._append({"role": "user", "content": opening_text(first_sentence)})

    def leave_message(self) -> None:
        """Ask for what is left on an answering machine."""
        self._append({"role": "user", "content": LEAVE_MESSAGE})

    def answer_screening(self) -> None:
        """Ask for what is said to a call screener."""
        self._append({"role": "user", "content": ANSWER_SCREENING})

    def menu_again(self) -> None:
        """Tell that a menu was heard before."""
        self._append({"role": "user", "content": MENU_AGAIN})

    def recall(self, faq: Sequence[tuple[str, str]]) -> None:
        """Remind the agent of answers to what was said."""
        if faq:
            self._append({"role": "user", "content": recalled_text(faq)})

    def ask_to_read_back(self) -> None:
        """Ask for a repetition of what was dictated."""
        self._append({"role": "user", "content": READ_BACK})

    def tool_used(self, name: str, arguments: Mapping[str, Any], output: str) -> None:
        """Add a tool call of the agent with what came of it."""
        self._append({"role": "assistant", "content": tool_call_text(name, arguments)})
        self._append({"role": "user", "content": tool_response_text(output)})

    def agent_said(self, heard: str, interrupted: bool, unheard: str = "") -> None:
        """Add the words that were heard; nothing when none was.

        Args:
            heard: the words.
            interrupted: whether more was to come.
            unheard: what that was, as far as it was made.
        """
        if heard:
            content = heard + CUT_OFF if interrupted else heard
            self._append({"role": "assistant", "content": content})
            if unheard:
                self._append({"role": "user", "content": unheard_text(unheard)})

    def messages(self) -> list[Message]:
        return list(self._messages)

    def copy(self) -> "Dialogue":
        """Copy the dialogue, to speculate on it."""
        twin = Dialogue("")
        twin._messages = self.messages()
        return twin

    def _append(self, message: Message) -> None:
        last = self._messages[-1]
        if last["role"] == message["role"]:
            joined: Message = {
                "role": last["role"],
                "content": f"{last['content']} {message['content']}",
            }
            self._messages[-1] = joined
        else:
            self._messages.append(message)
