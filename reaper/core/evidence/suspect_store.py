"""The suspects that a process remembers from sweep to sweep."""

from __future__ import annotations

from reaper.core.evidence.evidence_rule import Suspect
from reaper.core.rows.endpoint import Endpoint

MAX_SUSPECTS = 100_000
"""Some 300 bytes each. More are asked again in every sweep until there is room for them."""

Key = tuple[Endpoint, str]
"""An id, and whose."""


class SuspectStore:
    """Ids that answered 410, in bounded memory."""

    def __init__(self) -> None:
        self._suspects: dict[Key, Suspect] = {}
        self.get = self._suspects.get
        """The suspect of a key, or None. It is asked of every row, so it is the dict's own."""

    def __len__(self) -> int:
        return len(self._suspects)

    def remember(self, key: Key, suspect: Suspect) -> bool:
        """Whether there was room for it."""
        if len(self._suspects) >= MAX_SUSPECTS:
            return False
        self._suspects[key] = suspect
        return True

    def forget(self, key: Key) -> None:
        self._suspects.pop(key, None)

    def forget_unasked_since(self, moment: float) -> None:
        """Those whose rows are gone, or show signs of life; none of them answered 200."""
        unasked = [key for key, one in self._suspects.items() if one.last_410_at < moment]
        for key in unasked:
            del self._suspects[key]
