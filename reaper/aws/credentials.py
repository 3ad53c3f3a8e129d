"""Credentials that are refreshed beside everything else, and used for as long as they are valid.

botocore refreshes them when somebody signs: where a role's endpoint is slow to fail, every request
would wait for another attempt.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import structlog
from botocore.credentials import Credentials, ReadOnlyCredentials, RefreshableCredentials
from botocore.exceptions import CredentialRetrievalError

log = structlog.get_logger()

LOOK_SECONDS = 5.0
"""So often botocore is asked whether there are newer ones; it asks the role's endpoint in the last
15 minutes of their life only."""

MIN_LOOK_SECONDS = 0.5
MAX_PAUSE_SECONDS = 60.0
"""After attempts that failed: 1, 2, 4 … seconds, and no more than this."""

FIRST_WAIT_SECONDS = 45.0
"""So long the first credentials may take. Then it is told who does not answer."""


def kept(source: Credentials) -> Credentials:
    """The same credentials, but nobody ever waits for a refresh; as they are if they need none."""
    return KeptCredentials(source) if isinstance(source, RefreshableCredentials) else source


class KeptCredentials(Credentials):
    """What botocore's chain yields, asked for on a thread of its own."""

    def __init__(self, source: RefreshableCredentials) -> None:
        super().__init__("", "", method=source.method)
        self._source = source
        self._fault = f"no answer within {FIRST_WAIT_SECONDS:g} s"
        self._is_first_over = threading.Event()
        self._frozen: ReadOnlyCredentials | None = None
        self._take()
        self._give_up_at = time.monotonic() + FIRST_WAIT_SECONDS
        threading.Thread(target=self._refresh, name="credentials", daemon=True).start()

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Raises CredentialRetrievalError where there are none that are still valid."""
        self._is_first_over.wait(max(0.0, self._give_up_at - time.monotonic()))
        frozen = self._frozen
        if frozen is None or self._seconds_left() < 0:
            raise CredentialRetrievalError(provider=self.method, error_msg=self._fault)
        return frozen

    def _refresh(self) -> None:
        pause = 1.0
        while True:
            try:
                self._source.get_frozen_credentials()
                self._fault = "they have expired"
                pause = 1.0
            except Exception as error:  # noqa: BLE001 - a refresh raises whatever a provider raises
                self._fault = str(getattr(error, "kwargs", {}).get("error_msg") or error)
                log.warning(
                    "credentials not refreshed",
                    why=self._fault,
                    provider=self.method,
                    valid_for_seconds=round(max(0.0, self._seconds_left())),
                )
                pause = min(MAX_PAUSE_SECONDS, 2 * pause)
            self._take()
            self._is_first_over.set()
            time.sleep(min(self._look_seconds(), LOOK_SECONDS) if pause == 1.0 else pause)

    def _take(self) -> None:
        """What the chain holds by now, without making it ask for more."""
        source: Any = self._source
        self._frozen = getattr(source, "_frozen_credentials", None)
        expiry = getattr(source, "_expiry_time", None)
        self._expires_at = None if expiry is None else float(expiry.timestamp())
        if self._frozen is not None:
            self._is_first_over.set()

    def _look_seconds(self) -> float:
        """Sooner where they live for seconds only."""
        return max(MIN_LOOK_SECONDS, self._seconds_left() / 2)

    def _seconds_left(self) -> float:
        expires_at = self._expires_at
        return LOOK_SECONDS * 2 if expires_at is None else expires_at - time.time()
