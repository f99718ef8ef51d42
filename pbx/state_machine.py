"""Where something stands, by a table; what the table does not have is not for now."""

import logging
from collections.abc import Mapping
from typing import Generic, TypeVar

_log = logging.getLogger(__name__)

StateT = TypeVar("StateT")
StepT = TypeVar("StepT")


class StateMachine(Generic[StateT, StepT]):
    """A state that only `step` changes.

    Args:
        name: whose it is, for the log.
        table: state → step → the state that it leads to.
        state: the first one.
    """

    def __init__(
        self, name: str, table: Mapping[StateT, Mapping[StepT, StateT]], state: StateT
    ) -> None:
        self._name = name
        self._table = table
        self._state = state

    @property
    def state(self) -> StateT:
        return self._state

    def allows(self, step: StepT) -> bool:
        """Whether the table has that step now."""
        return step in self._table[self._state]

    def step(self, step: StepT) -> bool:
        """Go where the table leads; a step that it does not have is logged, and changes nothing.

        Returns whether it has it.
        """
        before, after = self._state, self._table[self._state].get(step)
        name = getattr(step, "__name__", step)
        if after is None:
            _log.debug("%s: no %s while %s", self._name, name, before)
            return False
        _log.debug("%s: %s, %s to %s", self._name, name, before, after)
        self._state = after
        return True
