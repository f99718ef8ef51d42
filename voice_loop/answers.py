"""What the language model is asked when an answer is to be made."""

from typing import Final

from voice_loop.commands import Answer
from voice_loop.dialogue import Dialogue
from voice_loop.dictation import is_read_back
from voice_loop.faq import Faq
from voice_loop.phrases import Phrases
from voice_loop.playout import Speech
from voice_loop.reply import Reply

#: Tools that one answer may use one after the other.
_MAX_TOOLS_IN_A_ROW: Final = 5


class Answers:
    """Has the answers of one call made."""

    def __init__(self, dialogue: Dialogue, faq: Faq, phrases: Phrases, language: str) -> None:
        self._dialogue = dialogue
        self._faq = faq
        self._phrases = phrases
        self._language = language

    def to(self, reply: Reply, held: Speech | None) -> Answer:
        """Have a reply answered from the dialogue so far.

        Args:
            reply: the answer in the making. What it answers is added, where it is not there yet.
            held: the speech that the person has interrupted with it; its words are added, too.
        """
        dialogue = self._dialogue.copy()
        if reply.transcript is not None:
            if not reply.settled:
                if held is not None and held.in_history:
                    dialogue.agent_said(held.heard_text, held.cut_short, held.unheard_text)
                dialogue.person_said(reply.transcript.text)
            if reply.menu_again:
                dialogue.menu_again()
            dialogue.recall(self._faq.about(reply.transcript.text))
            if not reply.keys and is_read_back(reply.transcript.text, self._language):
                dialogue.ask_to_read_back()
        exhausted = reply.tools_used >= _MAX_TOOLS_IN_A_ROW
        return Answer(
            reply.speech,
            tuple(dialogue.messages()),
            use_tools=not exhausted,
            fallback=self._phrases.tool_trouble if exhausted else self._phrases.at_a_loss,
            stopwatch=reply.stopwatch,
        )
