"""Where connection ids are found, and by which pattern."""

from __future__ import annotations

import re

import pytest

from reaper.core.discovery.places import id_places
from tests.support.tables import clients, item

IDS = [client.id for client in clients(12, 1_795_500_000, seed=3)]


def best(rows, keys=("pk",)):
    places = id_places([item(row) for row in rows], keys)
    return places[0] if places else None


@pytest.mark.parametrize(
    "texts",
    [
        ["CONN#{}", "CONN#{}"],
        ["CONN#a#{}", "CONN#b#{}"],
        ["{}#META", "{}#META"],
        ["tenant/{}", "tenant/{}"],
        ["u1|{}|web", "u2|{}|app"],
        ["CONN#{}", "CONN#{}", "ROOM#lobby"],
        ["a.b+c#{}", "a.b+c#{}"],
    ],
)
def test_a_pattern_takes_the_id_out_of_a_composite_text_and_nothing_else(texts):
    rows = [{"pk": text.format(one)} for one in IDS for text in texts]
    place = best(rows)
    pattern = re.compile(place.pattern)
    found = {match[1] for row in rows if (match := pattern.fullmatch(row["pk"]))}

    assert found == set(IDS)
    assert not pattern.fullmatch("CONN#TRIP")
    assert place.is_certain


def test_of_several_kinds_of_composite_texts_the_commonest_is_taken():
    rows = [{"pk": f"CONN#{one}"} for one in IDS] + [{"pk": f"OLD#{IDS[0]}"}]
    assert re.fullmatch(best(rows).pattern, f"OLD#{IDS[0]}") is None


@pytest.mark.parametrize(
    ("row", "setting"),
    [
        (lambda one: {"pk": one}, "pk"),
        (lambda one: {"pk": "x", "a": {"b-c": one}}, "a.b-c"),
        (lambda one: {"pk": f"CONN#{one}", "connectionId": one}, "connectionId"),
        (lambda one: {"pk": one.lower(), "wsId": one}, "wsId"),
        (lambda one: {"pk": one, "lastSender": one}, "pk"),
    ],
)
def test_of_several_places_the_likeliest_comes_first(row, setting):
    assert best([row(one) for one in IDS]).setting == setting


@pytest.mark.parametrize(
    ("row", "setting"),
    [
        ({"pk": "r", "ids": set(IDS)}, "ids[]"),
        ({"pk": "r", "ids": IDS}, "ids[]"),
        ({"pk": "r", "clients": [{"connectionId": one} for one in IDS]}, "clients[].connectionId"),
        ({"pk": "r", "clients": {one: {"name": "x"} for one in IDS}}, "clients{}"),
        (
            {"pk": "r", "in": {"u": {f"u{n}": {"ws": one} for n, one in enumerate(IDS)}}},
            "in.u{}.ws",
        ),
    ],
)
def test_ids_in_collections_are_found_too(row, setting):
    place = best([row])
    assert place.setting == setting
    assert place.is_of_members


def test_ids_that_a_library_has_changed_are_not_certain():
    assert not best([{"connectionId": one.lower()} for one in IDS]).is_certain


@pytest.mark.parametrize(
    "row", [{"pk": "user-1", "name": "Ann"}, {"pk": "aGVsbG8gd29ybGQ"}, {"pk": "x", "n": 5}]
)
def test_other_words_are_no_ids(row):
    assert best([row]) is None
