"""Remembers the menus of one call, to tell when a way through them leads nowhere."""

from typing import Final

from voice_loop.answering.phrases import plain

#: Share of words that two hearings of one menu have in common at least: recognisers vary.
_ALIKE: Final = 0.6


class Menus:
    """What menus were heard."""

    def __init__(self) -> None:
        self._heard: list[tuple[frozenset[str], int]] = []

    def hear(self, text: str) -> int:
        """Take what a menu said; how often it has been heard by now."""
        words = frozenset(plain(text).split())
        for index, (menu, times) in enumerate(self._heard):
            if _alike(words, menu):
                self._heard[index] = (menu, times + 1)
                return times + 1
        self._heard.append((words, 1))
        return 1


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    return bool(one | other) and len(one & other) / len(one | other) >= _ALIKE
