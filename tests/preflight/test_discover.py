"""What is proposed must never delete what is not a dead connection's, nor pass the living by."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field

import pytest

from reaper.core.model import Answer, Outcome
from reaper.core.rows.endpoint import parse_endpoint
from reaper.core.rows.shape import TableFacts
from reaper.preflight.discover import Discovery, NoSettingsFit, discover, must_be_understood
from tests.support.tables import clients, item

ENDPOINT = parse_endpoint("https://abc123.execute-api.eu-west-1.amazonaws.com/prod", None)
NOW = time.time()
EVERYBODY = clients(20, NOW, seed=5)
LIVING, DEAD = EVERYBODY[:14], EVERYBODY[14:]
OLD = [client.id for client in clients(60, NOW, seed=6)]


@dataclass
class FakeTable:
    key_names: tuple[str, ...]
    name: str = "things"
    indexes: tuple = ()
    index_keys: set = field(default_factory=set)

    @property
    def facts(self) -> TableFacts:
        return TableFacts(self.name, self.key_names, self.key_names[0], None)


class FakeGateway:
    """Knows who lives, and when they connected."""

    def __init__(self, living) -> None:
        self._connected_at = {client.id: client.connected_at for client in living}
        self._answers: list[Answer] = []

    @property
    def in_flight(self) -> int:
        return len(self._answers)

    def start(self, probe) -> None:
        moment = self._connected_at.get(probe.connection_id)
        outcome = Outcome.GONE if moment is None else Outcome.ALIVE
        self._answers.append(Answer(probe, outcome, "", moment, moment))

    def poll(self, wait_seconds: float) -> list[Answer]:
        answers, self._answers = self._answers, []
        return answers


def found(rows, keys=("id",), living=LIVING, endpoint=ENDPOINT, **table) -> dict[str, str]:
    """The sure settings; or why there are none, as ``NONE``."""
    items = [item(row) for row in rows]
    given = Discovery(FakeTable(keys, **table), items, FakeGateway(living), endpoint, "eu-west-1")
    proposals = []
    try:
        for proposal in discover(given):
            proposals.append(proposal)
        must_be_understood(given, proposals)
    except NoSettingsFit as why:
        return {"NONE": str(why)}
    return {one.variable: one.value for one in proposals if one.variable and one.is_sure}


def each(make):
    return [make(client) for client in EVERYBODY]


@pytest.mark.parametrize(
    ("connection", "other", "row_filter"),
    [
        (
            lambda c: {"pk": f"U#{c.number}", "sk": f"X#{c.number}", "type": "CONNECTION"},
            lambda c: {"pk": "ROOM#1", "sk": f"MSG#{c.number}", "type": "MESSAGE", "text": "hi"},
            "type=CONNECTION",
        ),
        (
            lambda c: {"pk": f"USER#{c.number}", "sk": "CONN"},
            lambda c: {"pk": f"USER#{c.number}", "sk": "PROFILE", "name": "Ann"},
            "sk=CONN",
        ),
        (
            lambda c: {"pk": f"USER#{c.number}", "sk": f"CONN#{c.number}"},
            lambda c: {"pk": f"USER#{c.number}", "sk": f"HIST#{c.number}"},
            "sk=CONN[#|:/].*",
        ),
    ],
)
def test_of_kinds_that_all_hold_ids_only_connections_are_taken(connection, other, row_filter):
    rows = each(lambda c: connection(c) | {"connectionId": c.id})
    rows += each(lambda c: other(c) | {"connectionId": c.id})
    assert found(rows, keys=("pk", "sk"))["ROW_FILTER"] == row_filter


def test_where_nothing_tells_kinds_apart_nobody_guesses():
    rows = each(lambda c: {"id": f"a{c.number}", "type": "thing", "connectionId": c.id})
    rows += each(lambda c: {"id": f"b{c.number}", "type": "stuff", "connectionId": c.id})
    assert "rows of several kinds hold ids" in found(rows)["NONE"]


@pytest.mark.parametrize(
    ("row", "keys"),
    [
        (lambda c: {"pk": f"USER#{c.number}", "sk": "PROFILE", "email": "x", "name": "y"}, "pk sk"),
        (lambda c: {"id": f"u{c.number}", "email": f"{c.number}@x", "passwordHash": "z"}, "id"),
        (lambda c: {"orderId": f"o{c.number}", "total": c.number}, "orderId"),
        (lambda c: {"userId": f"u{c.number}", "birthdate": "x", "lifetimeSpend": 5}, "userId"),
    ],
)
def test_a_row_that_may_be_somebodys_is_not_deleted(row, keys):
    rows = each(lambda c: row(c) | {"connectionId": c.id})
    assert found(rows, keys=tuple(keys.split()))["EVICT_ACTION"] == "clear"


@pytest.mark.parametrize(
    "row",
    [
        lambda c: {"id": f"s{c.number}", "connectionId": c.id, "userId": "u", "room": "r"},
        lambda c: {"id": f"s{c.number}", "connectionId": c.id, "email": "x", "ttl": 1_800_000_000},
        lambda c: {"id": c.id, "email": "x", "score": 7},
    ],
)
def test_a_row_that_is_its_connections_own_is_deleted(row):
    settings = found(each(row))
    assert "NONE" not in settings
    assert "EVICT_ACTION" not in settings


@pytest.mark.parametrize(
    "row",
    [
        lambda c: {"roomId": "r", "ts": str(c.number), "senderConnectionId": c.id, "text": "hi"},
        lambda c: {"roomId": "r", "ts": str(c.number), "ownerConnectionId": c.id, "title": "t"},
    ],
)
def test_ids_of_somebody_in_a_role_are_no_connections(row):
    for living in (LIVING, ()):
        settings = found(each(row), keys=("roomId", "ts"), living=living)
        assert "by its name not those of" in settings["NONE"]


def test_rows_of_connections_come_before_the_ids_of_somebody_in_a_role():
    rows = each(lambda c: {"id": c.id, "connectedAt": c.ms})
    rows += [{"id": f"room-{c.number}", "ownerConnectionId": c.id, "title": "t"} for c in LIVING]
    assert found(rows)["CONNECTION_ID_ATTRIBUTE"] == "id"


def test_of_two_kinds_of_composite_keys_the_one_that_lives_is_taken():
    rows = each(lambda c: {"room": "r", "sk": f"CONN#{c.id}"})
    rows += [
        {"room": "r", "sk": f"MSG#17000000{n}#{one}", "text": "hi"} for n, one in enumerate(OLD)
    ]
    assert found(rows, keys=("room", "sk"))["CONNECTION_ID_PATTERN"].startswith("CONN#(")


def test_parts_of_keys_that_differ_are_values_and_no_kinds():
    rows = each(lambda c: {"t": "t", "sk": f"r{c.number % 4}#{c.id}"})
    settings = found(rows, keys=("t", "sk"))
    assert settings["CONNECTION_ID_PATTERN"] == "[^#|:/,;@ ~]*#([A-Za-z0-9_-]{11,16}=)"


def test_whole_ids_come_before_those_of_messages_beside_them():
    rows = each(lambda c: {"room": "r", "sk": c.id})
    rows += each(lambda c: {"room": "r", "sk": f"17000000{c.number}#{c.id}", "text": "hi"})
    rows += each(lambda c: {"room": "r", "sk": f"18000000{c.number}#{c.id}", "text": "hi"})
    settings = found(rows, keys=("room", "sk"))
    assert settings["CONNECTION_ID_PATTERN"] == "[A-Za-z0-9_-]{11,16}="


@pytest.mark.parametrize("prefix", ["conn-", "ws_", "a-b_"])
def test_a_prefix_whose_signs_ids_have_too_is_taken_off(prefix):
    settings = found(each(lambda c: {"id": f"{prefix}{c.id}"}))
    assert settings["CONNECTION_ID_PATTERN"] == f"{prefix}([A-Za-z0-9_-]{{11,16}}=)"


@pytest.mark.parametrize("living", [LIVING, ()])
def test_a_former_id_is_not_taken_for_the_current_one(living):
    rows = each(
        lambda c: {
            "userId": f"u{c.number}",
            "lastConnectionId": c.id if c.number < 2 else OLD[c.number],
            "connectionId": c.id,
        }
    )
    assert found(rows, keys=("userId",), living=living)["CONNECTION_ID_ATTRIBUTE"] == "connectionId"


def test_nothing_of_a_user_goes_with_the_id_without_evidence():
    rows = each(
        lambda c: {
            "userId": f"u{c.number}",
            "email": f"{c.number}@x",
            "tenant": "t",
            "avatar": "a",
            "role": "member",
            "connectionId": c.id,
        }
    )
    rows += [{"userId": "o1", "email": "o@x", "tenant": "t", "role": "admin"}]
    settings = found(rows, keys=("userId",), index_keys={"email", "tenant"})
    assert settings["EVICT_ACTION"] == "clear"
    assert not settings.keys() & {"EVICT_REMOVE", "EVICT_SET"}


def test_what_several_rows_without_an_id_lack_goes_with_it():
    rows = each(
        lambda c: {
            "userId": f"u{c.number}",
            "name": "x",
            "online": True,
            "wsToken": "t",
            "gsi1pk": c.id,
            "connectionId": c.id,
        }
    )
    rows += [{"userId": f"o{n}", "name": "y", "online": False} for n in range(4)]
    settings = found(rows, keys=("userId",), index_keys={"gsi1pk"})
    assert settings["EVICT_REMOVE"] == "gsi1pk,wsToken"
    assert settings["EVICT_SET"] == '{"online": false}'


@pytest.mark.parametrize(
    "rows",
    [
        [{"id": f"f{n}", "etag": "z80ghJXVZe9m59_5-Ydk2g=="} for n in range(20)],
        [{"id": f"f{n}", "salt": one, "email": "x"} for n, one in enumerate(OLD)],
    ],
)
def test_digests_are_no_ids(rows):
    assert "NONE" in found(rows)


def test_lower_cased_ids_are_refused_behind_a_custom_domain_too():
    endpoint = parse_endpoint("https://ws.example.com", "eu-west-1")
    rows = each(lambda c: {"connectionId": c.id.lower()})
    assert "NONE" in found(rows, keys=("connectionId",), endpoint=endpoint)


@pytest.mark.parametrize(
    ("prefix", "mark"), [("user{}@x.de", "~"), ("room {}", " "), ("u{}", ","), ("u{}", "#")]
)
def test_a_pattern_gives_back_whole_ids_whatever_stands_before_them(prefix, mark):
    rows = each(lambda c: {"id": f"{prefix.format(c.number)}{mark}{c.id}"})
    items = [item(row) for row in rows]
    settings = found(rows)
    assert "NONE" not in settings
    pattern = re.compile(settings["CONNECTION_ID_PATTERN"])
    assert {pattern.fullmatch(one["id"]["S"])[1] for one in items} == {c.id for c in EVERYBODY}


def test_other_rows_of_a_partition_that_hold_more_are_not_taken_along_without_asking():
    rows = each(lambda c: {"pk": f"CONN#{c.id}", "sk": "META"})
    rows += each(lambda c: {"pk": f"CONN#{c.id}", "sk": f"ORDER#{c.number}", "total": 5})
    settings = found(rows, keys=("pk", "sk"))
    assert settings["ROW_FILTER"] == "sk=META"
    assert "EVICT_SCOPE" not in settings


def test_messages_under_a_connection_are_no_connections():
    rows = [
        {"connectionId": c.id, "messageId": f"m{n}", "text": "hi"}
        for c in EVERYBODY
        for n in range(3)
    ]
    assert "nothing tells which" in found(rows, keys=("connectionId", "messageId"))["NONE"]


@pytest.mark.parametrize(
    ("open_state", "closed_state", "row_filter"),
    [
        ({"status": "active"}, {"status": "closed"}, "status=active"),
        ({"connectionStatus": 1}, {"connectionStatus": 0}, "connectionStatus=1"),
        ({"isActive": True}, {"isActive": False}, "isActive=true"),
        ({"eventType": "CONNECT"}, {"eventType": "DISCONNECT"}, "eventType=CONNECT"),
        ({}, {"disconnectedAt": 1_790_000_000}, "!disconnectedAt"),
        ({}, {"leftHanded": "yes"}, None),
        ({}, {"deleteAt": 1_790_000_000}, None),
    ],
)
def test_closed_connections_that_stay_as_history_are_told(open_state, closed_state, row_filter):
    rows = each(lambda c: {"id": c.id} | open_state)
    rows += [{"id": one} | closed_state for one in OLD[:9]]
    assert found(rows).get("ROW_FILTER") == row_filter


def test_without_living_clients_a_state_is_only_a_guess():
    rows = each(lambda c: {"id": c.id, "status": "online" if c.number % 2 else "closed"})
    assert "ROW_FILTER" not in found(rows, living=())


def test_a_filter_is_never_made_of_the_ids_or_times_themselves():
    rows = [{"pk": f"s{c.number}", "cid": c.id, "type": "CONN", "at": c.ms} for c in LIVING[:3]]
    rows += [{"pk": f"room{n}", "type": "ROOM"} for n in range(3)]
    assert found(rows, keys=("pk",))["ROW_FILTER"] == "type=CONN"


@pytest.mark.parametrize("members", [lambda one: {one}, lambda one: [one]])
def test_a_set_or_list_of_one_id_is_a_set_or_list(members):
    rows = each(lambda c: {"userId": f"u{c.number}", "connections": members(c.id)})
    settings = found(rows, keys=("userId",))
    assert settings["CONNECTION_ID_ATTRIBUTE"] == "connections[]"
    assert "EVICT_ACTION" not in settings


def test_rows_that_all_name_hosts_of_others_do_not_make_all_rows_foreign():
    rows = each(lambda c: {"id": c.id, "callbackUrl": f"https://hooks{c.number}.customer.com/x"})
    settings = found(rows)
    assert "ENDPOINT_ATTRIBUTE" not in settings
    assert "NONE" not in settings


@pytest.mark.parametrize(
    "row",
    [
        lambda c: {"id": c.id, "version": 1},
        lambda c: {"id": c.id, "roomSize": c.number},
        lambda c: {"id": c.id, "score": 10**37},
    ],
)
def test_a_number_that_is_no_time_is_none(row):
    assert "CONNECTED_AT_ATTRIBUTE" not in found(each(row))


def test_an_attribute_that_most_living_clients_lack_is_not_when_they_connected():
    rows = each(lambda c: {"id": c.id} | ({"movedAt": c.ms} if c.number == 3 else {}))
    assert "CONNECTED_AT_ATTRIBUTE" not in found(rows)


def test_an_end_on_the_row_of_a_living_client_is_told():
    rows = each(lambda c: {"id": c.id} | ({"disconnectedAt": 5} if c.number == 3 else {}))
    rows += [{"id": one, "disconnectedAt": 1_790_000_000} for one in OLD[:9]]
    items = [item(row) for row in rows]
    given = Discovery(FakeTable(("id",)), items, FakeGateway(LIVING), ENDPOINT, "eu-west-1")
    (told,) = [one for one in discover(given) if one.variable == "ROW_FILTER"]
    assert not told.is_sure
    assert "on 1 rows of living clients too" in told.why


def test_names_that_no_setting_can_spell_are_passed_over():
    rows = each(lambda c: {"id": c.id, "a": {".x": c.id, "b.c": c.id, "d,e": c.id}})
    assert found(rows)["CONNECTION_ID_ATTRIBUTE"] == "id"
    rows = each(lambda c: {"id": f"u{c.number}", "a": {".x": c.id, "b.c": c.id, "d,e": c.id}})
    assert "a is a map from something else to ids" in found(rows)["NONE"]


@pytest.mark.parametrize("users", [("ann", "bob", "eve"), ("u1", "u2", "u3")])
def test_a_map_from_users_to_ids_is_told_and_no_users_entry_is_taken_for_the_place(users):
    rows = [
        {"room": f"r{n}", "present": dict(zip(users, (c.id for c in LIVING[n:]), strict=False))}
        for n in range(3)
    ]
    told = found(rows, keys=("room",))
    assert "present is a map from something else to ids" in told["NONE"]
    assert not told.keys() & {"CONNECTION_ID_ATTRIBUTE", "ROW_FILTER"}


def test_a_map_from_one_user_a_row_is_such_a_map_too():
    rows = each(lambda c: {"room": f"r{c.number}", "present": {f"u{c.number}": c.id}})
    assert "present is a map from something else to ids" in found(rows, keys=("room",))["NONE"]


OURS, OTHERS = (f"{api}.execute-api.eu-west-1.amazonaws.com" for api in ("abc123", "zzz999"))


@pytest.mark.parametrize("endpoint", [ENDPOINT, None])
def test_members_that_name_their_endpoints_are_asked_there(endpoint):
    def member(c):
        host = OTHERS if c.number % 4 == 0 else OURS
        return {"connectionId": c.id, "domainName": host, "stage": "prod", "at": c.ms}

    rows = [
        {"room": f"r{n}", "clients": [member(c) for c in EVERYBODY if c.number % 3 == n]}
        for n in range(3)
    ]
    told = found(rows, keys=("room",), endpoint=endpoint)
    assert told["CONNECTION_ID_ATTRIBUTE"] == "clients[].connectionId"
    assert told["ENDPOINT_ATTRIBUTE"] == "clients[].domainName,clients[].stage"


def test_history_among_members_and_what_goes_with_them_is_told():
    def member(c):
        left = {"disconnectedAt": c.ms} if c.number % 2 else {}
        return {"connectionId": c.id, "email": "x", **left}

    rows = [{"user": "u", "sessions": [member(c) for c in EVERYBODY]}]
    items = [item(row) for row in rows]
    given = Discovery(FakeTable(("user",)), items, FakeGateway(LIVING), ENDPOINT, "eu-west-1")
    told = list(discover(given))
    assert any("goes what it holds (email)" in one.why for one in told)
    (history,) = [one for one in told if one.variable == "ROW_FILTER"]
    assert (history.value, history.is_sure) == ("!sessions[].disconnectedAt", False)


@pytest.mark.parametrize("name", ["conn[x]", "a{}", "{}", "[]", " x"])
def test_odd_names_end_nothing(name):
    rows = each(lambda c: {"pk": f"p{c.number}", name: [c.id], "m": {name: c.id}})
    assert "NONE" in found(rows, keys=("pk",))


def test_collections_inside_of_collections_are_told():
    rows = each(lambda c: {"pk": f"r{c.number}", "groups": [{"name": "x", "ids": [c.id]}]})
    told = found(rows)
    assert "groups[].ids[] holds ids in collections inside of others" in told["NONE"]


def test_members_that_are_named_by_their_users_have_one_pattern():
    rows = [{"room": "r", "members": [f"{u}#{c.id}" for u, c in zip("abc", LIVING, strict=False)]}]
    told = found(rows, keys=("room",))
    assert told["CONNECTION_ID_ATTRIBUTE"] == "members[]"
    assert told["CONNECTION_ID_PATTERN"] == "[^#|:/,;@ ~]*#([A-Za-z0-9_-]{11,16}=)"


def test_history_with_a_distant_ttl_does_not_hide_the_living():
    rows = each(lambda c: {"id": c.id, "connectedAt": c.ms})
    far = int(NOW) + 90 * 86_400
    rows += [{"id": one, "connectedAt": 1_790_000_000_000, "ttl": far} for one in OLD]
    assert found(rows)["CONNECTED_AT_ATTRIBUTE"] == "connectedAt"
