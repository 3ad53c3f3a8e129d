"""The suspects that a process remembers from sweep to sweep."""

from __future__ import annotations

from collections import defaultdict

from reaper.core.evidence.evidence_rule import Suspect
from reaper.core.rows.endpoint import Endpoint

MAX_SUSPECTS = 100_000
"""Some 350 bytes each. More are asked again in every sweep until there is room for them."""


class SuspectStore:
    """Ids that answered 410, each of one endpoint, in bounded memory."""

    def __init__(self) -> None:
        self._of: defaultdict[Endpoint, dict[str, Suspect]] = defaultdict(dict)

    def __len__(self) -> int:
        return sum(map(len, self._of.values()))

    def get(self, endpoint: Endpoint, connection_id: str) -> Suspect | None:
        return self._of[endpoint].get(connection_id)

    def remember(self, endpoint: Endpoint, connection_id: str, suspect: Suspect) -> bool:
        """Whether there was room for it."""
        if len(self) >= MAX_SUSPECTS:
            return False
        self._of[endpoint][connection_id] = suspect
        return True

    def forget(self, endpoint: Endpoint, connection_id: str) -> None:
        self._of[endpoint].pop(connection_id, None)

    def forget_unasked_since(self, moment: float) -> None:
        """Those whose rows are gone, or show signs of life; none of them answered 200."""
        for endpoint, suspects in list(self._of.items()):
            unasked = [name for name, one in suspects.items() if one.last_410_at < moment]
            for connection_id in unasked:
                del suspects[connection_id]
            if not suspects:
                del self._of[endpoint]
