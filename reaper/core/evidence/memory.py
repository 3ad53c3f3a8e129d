"""What a process remembers from sweep to sweep. A kill merely begins it anew."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from math import inf

from reaper.core.evidence.activity import OwnHeartbeats, SelfTest
from reaper.core.evidence.calibration import Calibration
from reaper.core.evidence.endpoint_state import EndpointState
from reaper.core.evidence.suspect_store import SuspectStore
from reaper.core.pacing.rate import AIMDRate
from reaper.core.rows.endpoint import Endpoint
from reaper.core.rows.row import Row


@dataclass(slots=True)
class Memory:
    suspects: SuspectStore = field(default_factory=SuspectStore)
    endpoints: defaultdict[Endpoint, EndpointState] = field(
        default_factory=lambda: defaultdict(EndpointState)
    )
    calibration: Calibration = field(default_factory=Calibration)
    self_test: SelfTest = field(default_factory=SelfTest)
    own_heartbeats: OwnHeartbeats = field(default_factory=OwnHeartbeats)
    rate: AIMDRate | None = None
    """What the account's throttle has taught of the rate of requests."""
    in_sweep: set[Endpoint] = field(default_factory=set)
    """Endpoints that rows of the running sweep belong to."""

    def born_at(self, opened_at: float | None) -> float | None:
        """The moment at which rows say that their connection was opened, if they can be believed.

        By the clock that never goes back; ``opened_at`` is by the application's.
        """
        if opened_at is None or not self.calibration.is_calibrated:
            return None
        return self.calibration.moment_of(opened_at)

    def may_be_newborn(self, row: Row) -> bool:
        """Whether a row that looks newborn by its time can be: not where we know its client."""
        is_known = self.own_heartbeats.last_to(row.connection_id) > -inf
        return not is_known and not self.calibration.is_doubtful

    def rate_below(self, ceiling_rps: float, now: float) -> AIMDRate:
        """The rate as it was taught, below the ceiling of another sweep."""
        if self.rate is None:
            self.rate = AIMDRate.starting_at(ceiling_rps, now)
        self.rate.set_ceiling(ceiling_rps)
        return self.rate

    def begin_sweep(self) -> None:
        self.in_sweep = set()
        for state in self.endpoints.values():
            state.begin_sweep()

    def meet(self, endpoint: Endpoint) -> EndpointState:
        """A row of the running sweep belongs to it."""
        self.in_sweep.add(endpoint)
        state = self.endpoints[endpoint]
        state.meet()
        return state

    def end_sweep(self, *, is_complete: bool, is_of_table: bool) -> None:
        """``is_complete``: every row had its turn; ``is_of_table``: of all segments."""
        self.self_test.give_up()
        if not is_complete:
            return
        for state in self.endpoints.values():
            state.end_sweep(is_of_table=is_of_table)
        for endpoint in self.endpoints.keys() - self.in_sweep:
            state = self.endpoints[endpoint]
            state.miss()
            if is_of_table or state.is_forgotten:
                del self.endpoints[endpoint]
