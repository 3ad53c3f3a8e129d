"""Settings that do not fit the table, as a sweep shows, told with the variable that cures it."""

from __future__ import annotations

from datetime import tzinfo

import structlog

from reaper.core.errors import TableUnfit
from reaper.core.evidence.breaker import HoldReason
from reaper.core.evidence.calibration import Offset, cure_of
from reaper.core.report.tally import Tally, not_understood

log = structlog.get_logger()


class Hints:
    """Remembers what was told already, from sweep to sweep."""

    def __init__(
        self,
        id_attribute: str,
        *,
        may_lack_ids: bool,
        holds_many: bool,
        offset_seconds: float,
        time_zone: tzinfo,
    ) -> None:
        """``may_lack_ids``: a row without an id is somebody who is not connected; ``holds_many``:
        ids are members of rows.
        """
        self._id_attribute = id_attribute
        self._may_lack_ids = may_lack_ids
        self._holds_many = holds_many
        self._was_somebody_there = False
        self._offset_seconds = offset_seconds
        self._time_zone = time_zone
        self._told_offset: Offset | None = None
        self._held_last_time: HoldReason | None = None

    def tell_of_times(self, offset: Offset | None, now: float) -> None:
        """Living rows agree with each other, and not with the gateway, on when they connected."""
        if offset is None or offset == self._told_offset:
            return
        self._told_offset = offset
        log.warning(
            "connection time off",
            why="living rows agree with each other, and not with the gateway",
            rows=offset.rows,
            seconds=offset.seconds,
            cure=cure_of(offset, self._offset_seconds, self._time_zone, now),
        )

    def tell_of_ids(self, tally: Tally) -> TableUnfit | None:
        """Which rows were not understood. Returns why none was, if so it is."""
        self._was_somebody_there |= tally.scanned > 0
        if self._holds_many and self._was_somebody_there and not tally.scanned:
            return None  # a set that everybody has left is not there any more
        why = not_understood(
            tally,
            self._id_attribute,
            may_lack_ids=self._may_lack_ids,
            holds_many=self._holds_many,
        )
        if why is not None:
            log.warning("no row understood", why=why.why, cure=why.cure)
        elif tally.malformed and not self._may_lack_ids:
            log.warning(
                "rows without a usable id",
                attribute=self._id_attribute,
                rows=tally.malformed,
            )
        return why

    def tell_of_release(self, hold_reason: HoldReason | None) -> None:
        """Evictions were held by the sweep before, and are not by this one."""
        if self._held_last_time is not None and hold_reason is None:
            log.info("evictions are no longer held", held_for=self._held_last_time.value)
        self._held_last_time = hold_reason
