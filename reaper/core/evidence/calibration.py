"""Whether a time on the rows is when their clients connected, by the gateway's own account.

A GET that is answered 200 says when the gateway saw the client connect. Rows hold all sorts of
times: that one, a local time without its zone, a sign-up, the end of a TTL.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from statistics import median
from typing import NamedTuple

from reaper.core.rows.times import Time

AGREEING_ROWS = 3
"""So many living rows must bear the time out."""

TOLERANCE_SECONDS = 120.0
"""How far a row's time may be from the gateway's: two clocks, and a ``$connect`` of 29 s."""

MAX_SAMPLES = 50

MAX_CLOCKS = 10
"""So many of the last answers tell the gateway's time. It is asked for with every decision."""

ROUND_SECONDS = 900
"""Zones and TTLs are multiples of a quarter of an hour."""


class Offset(NamedTuple):
    """What living rows agree on."""

    seconds: float
    """To be added to the time on the row for the gateway's."""
    rows: int
    is_zone: bool
    """Whether the times have no zone, so that another zone is what explains it."""


@dataclass(slots=True)
class Calibration:
    """Of one process and one attribute. Living rows bear it out, or one of them refutes it."""

    refuted_by_seconds: float = 0.0
    """How much earlier than the gateway's the worst time of a living row is; 0 where none is."""
    is_doubtful: bool = False
    """Whether a living row's time was off, in whichever direction: it says nothing of youth."""
    _agreeing: set[str] = field(default_factory=set)
    _samples: deque[tuple[float, bool]] = field(default_factory=lambda: deque(maxlen=MAX_SAMPLES))
    _clocks: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_CLOCKS))

    @property
    def is_calibrated(self) -> bool:
        return len(self._agreeing) >= AGREEING_ROWS and not self.refuted_by_seconds

    def learn(self, connection_id: str, on_row: Time, connected_at: float) -> None:
        """A living row's time, its offset included, and the gateway's; both epoch seconds."""
        early = connected_at - on_row.seconds
        if abs(early) <= TOLERANCE_SECONDS:
            if len(self._agreeing) < AGREEING_ROWS:
                self._agreeing.add(connection_id)
        else:
            self.is_doubtful = True
            self.refuted_by_seconds = max(self.refuted_by_seconds, early)
        self._samples.append((early, on_row.has_zone))

    def learn_clock(self, gateway_time: float, moment: float) -> None:
        """What the gateway's clock shows, in epoch seconds, at a moment of the one that never goes
        back: the host's own may be wrong, or be set right meanwhile."""
        self._clocks.append(gateway_time - moment)

    def gateway_time(self, moment: float) -> float | None:
        """What its clock shows at a moment, by most of its last answers."""
        return moment + median(self._clocks) if self._clocks else None

    def moment_of(self, gateway_time: float) -> float | None:
        """The moment at which it showed that, by the answer that makes rows youngest; None where
        too few have told.
        """
        if len(self._clocks) < AGREEING_ROWS:
            return None
        return gateway_time - min(self._clocks)

    @property
    def offset(self) -> Offset | None:
        """By how much all living rows are off, if that is the same for most of them."""
        if len(self._samples) < AGREEING_ROWS:
            return None
        middle = median(early for early, _ in self._samples)
        agreeing = [one for one in self._samples if abs(one[0] - middle) <= TOLERANCE_SECONDS]
        if abs(middle) <= TOLERANCE_SECONDS or len(agreeing) * 2 <= len(self._samples):
            return None
        round_seconds = round(middle / ROUND_SECONDS) * ROUND_SECONDS
        is_round = abs(round_seconds - middle) <= TOLERANCE_SECONDS and round_seconds != 0
        is_zone = is_round and not any(has_zone for _, has_zone in agreeing)
        seconds = float(round_seconds) if is_round else float(round(middle))
        return Offset(seconds, len(agreeing), is_zone and abs(seconds) <= 14 * 3600)


def cure_of(offset: Offset, configured_seconds: float, zone: tzinfo, now: float) -> str:
    """The variable, with the value that mends such an offset at this epoch second."""
    if not offset.is_zone:
        return f"REAPER_CONNECTED_AT_OFFSET_SECONDS={configured_seconds + offset.seconds:.0f}"
    configured = datetime.fromtimestamp(now, UTC).astimezone(zone).utcoffset() or timedelta()
    minutes = round((configured.total_seconds() - offset.seconds) / 60)
    sign = "-" if minutes < 0 else "+"
    return f"REAPER_TIME_ZONE={sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
