"""What is known of an endpoint from sweep to sweep: who may be asked to test its word."""

from __future__ import annotations

from reaper.core.evidence.endpoint_state import EndpointState
from tests.support.builders import a_row


def swept(state: EndpointState, *, alive: list[str], gone: list[str]) -> EndpointState:
    state.begin_sweep()
    for name in alive:
        state.found_alive(1)
        state.answered_200(a_row(name), 0.0, is_witness=False)
    for name in gone:
        state.accuse(name, 1)
    state.end_sweep(is_of_table=True)
    return state


def drawn(state: EndpointState) -> set[str]:
    return {row.connection_id for row in state.draw()}


def test_who_has_died_since_stays_in_the_draw_until_its_row_goes():
    state = swept(EndpointState(), alive=["a", "b"], gone=[])
    assert drawn(swept(state, alive=["b"], gone=["a"])) == {"a", "b"}
    assert drawn(swept(state, alive=["b"], gone=["a"])) == {"a", "b"}
    state.forget("a")
    assert drawn(swept(state, alive=["b"], gone=[])) == {"b"}


def test_a_large_draw_is_not_renewed_by_those_whom_a_lie_spares():
    names = [f"c{n}" for n in range(10)]
    state = swept(EndpointState(max_draw=10), alive=names, gone=[])
    spared = [f"d{n}" for n in range(10)]
    assert drawn(swept(state, alive=spared, gone=names[:6])) == set(names)
    assert drawn(swept(state, alive=spared, gone=names[:2])) == set(spared)


def test_a_sample_is_spread_over_all_who_answered():
    state = swept(EndpointState(max_draw=8), alive=[f"c{n:03}" for n in range(256)], gone=[])
    places = sorted(int(name[1:]) for name in drawn(state))
    assert 4 <= len(places) <= 8
    assert places[0] < 64
    assert places[-1] >= 192


def test_witnesses_are_called_in_ever_wider_circles():
    state = swept(EndpointState(), alive=[f"c{n:02}" for n in range(25)], gone=[])
    state.begin_sweep()
    state.leave_alone([a_row("fresh")], [a_row("newborn")])
    called = []
    while state.may_call_witnesses:
        called.append([row.connection_id for row in state.call_witnesses()])
        state.found_witnesses(0)
    assert [len(circle) for circle in called] == [5, 20, 1, 1]
    assert called[0][-1] == "c24"
    state.found_witnesses(1)
    assert state.may_call_witnesses
