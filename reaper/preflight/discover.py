"""Discovery: a sample of a table and some questions to the gateway, and the settings that fit."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from reaper.aws.dynamodb.connections import ConnectionsTable
from reaper.aws.gateway import Gateway
from reaper.config.environment import SettingsError, load_settings
from reaper.config.rules import endpoint_resolver, row_shape
from reaper.config.settings import PREFIX
from reaper.core.discovery.endpoints import endpoint_attribute
from reaper.core.discovery.kinds import Sample, SeveralKinds, connection_rows
from reaper.core.discovery.leaves import newest_time
from reaper.core.discovery.moments import moments
from reaper.core.discovery.places import IdPlace, apart, id_places
from reaper.core.discovery.proposal import Proposal, remark
from reaper.core.discovery.staying import eviction, of_members, sparse_index
from reaper.core.errors import TableUnfit
from reaper.core.model import Answer, Ask, Outcome, Probe, Purpose
from reaper.core.rows.endpoint import Endpoint
from reaper.core.rows.endpoint_resolver import EndpointResolver
from reaper.core.rows.items import Item, attribute, attribute_path
from reaper.core.rows.reader import RowReader

SEGMENTS = 7
ROWS_OF_SEGMENT = 500
MAX_ROWS = SEGMENTS * ROWS_OF_SEGMENT
MAX_READ_UNITS = SEGMENTS * 128
"""A page of a segment is 1 MB at most, which takes 128 of them."""

MAX_PLACES = 4
MAX_ENDPOINTS = 20
IDS_OF_PLACE = 40
MANY_ASKED = 10
PAUSE_SECONDS = 0.02
"""Between two questions: 50 a second, a two-hundredth of the Region's quota."""


class NoSettingsFit(Exception):
    """No sweep would understand the table. The message says why."""


@dataclass
class Known:
    """What the gateway says of the ids that it was asked after."""

    alive: dict[str, float | None] = field(default_factory=dict)
    """When those that live connected, in epoch seconds."""
    gone: set[str] = field(default_factory=set)
    trouble: str = ""
    """What an answer says that is neither."""

    def learn(self, answer: Answer) -> None:
        match answer.outcome:
            case Outcome.ALIVE:
                self.alive[answer.probe.connection_id] = answer.connected_at
            case Outcome.GONE:
                self.gone.add(answer.probe.connection_id)
            case _:
                self.trouble = answer.detail

    def alive_of(self, place: IdPlace) -> int:
        return sum(one in self.alive for one in place.distinct)

    def asked_of(self, place: IdPlace) -> int:
        return sum(one in self.alive or one in self.gone for one in place.distinct)


class Discovery(NamedTuple):
    """Everything that a table is looked at with."""

    table: ConnectionsTable
    items: Sequence[Item]
    gateway: Gateway
    endpoint: Endpoint | None
    region: str


def sample(table: ConnectionsTable) -> list[Item]:
    """Some rows of every part of a table that was described. Raises TableError."""
    items: list[Item] = []
    for segment in range(SEGMENTS):
        page = table.scan_page(None, None, segment, SEGMENTS, ROWS_OF_SEGMENT)
        items += page.items()
    return items


def must_be_understood(given: Discovery, found: Sequence[Proposal]) -> None:
    """Read the sample by what was found. Raises NoSettingsFit where that is of no use."""
    values = {f"{PREFIX}{one.variable}": one.value for one in found if one.variable and one.is_sure}
    try:
        settings = load_settings(given.region, values)
        shape = row_shape(settings, given.table.facts)
    except (SettingsError, TableUnfit) as error:
        raise NoSettingsFit(f"what was found does not go together: {error}") from None
    reader = RowReader(shape, endpoint_resolver(settings, given.region))
    rows = reader.read_page(given.items, time.time())
    if not any(row.connection_id and row.endpoint for row in rows):
        whys = Counter(reader.why_foreign(row.item) for row in rows if row.endpoint is None)
        why = f"; most name {whys.most_common(1)[0][0]}" if whys else ""
        raise NoSettingsFit(f"with these settings none of {len(given.items):,} rows is usable{why}")


def choose_endpoint(given: Discovery, endpoints: Callable[[], list[Endpoint]]) -> Discovery:
    """Where no row names its endpoint: the one of the account's whose clients answer."""
    places = id_places(given.items, given.table.key_names)
    if not places or _endpoints_on_rows(given._replace(endpoint=None), places[0])[0]:
        return given
    for endpoint in endpoints()[:MAX_ENDPOINTS]:
        with_it = given._replace(endpoint=endpoint)
        if _ask(with_it, places[:1], "").alive:
            return with_it
    return given


def discover(given: Discovery) -> Iterator[Proposal]:
    """The settings that fit, each with its evidence. Raises NoSettingsFit."""
    table, items, endpoint = given.table, given.items, given.endpoint
    yield Proposal("TABLE_NAME", table.name, f"{len(items):,} rows were looked at")
    if endpoint is not None:
        yield Proposal("API_ENDPOINT", str(endpoint), "the endpoint")
    if not items:
        raise NoSettingsFit("the table is empty, so nothing tells what its rows look like")
    places = id_places(items, table.key_names)
    if not places:
        raise NoSettingsFit(
            "no attribute holds what looks like connection ids, such as R0oXAdfD0kwCH6w="
        )
    setting, endpoints = _endpoints_on_rows(given, places[0])
    known = _ask(given, places[:MAX_PLACES], setting)
    place = _best(places, known)
    if place is not places[0]:
        setting, endpoints = _endpoints_on_rows(given, place)
    if place.unserved:
        raise NoSettingsFit(place.unserved)
    yield from _of_ids(given, place, places, known)
    if place.is_of_members:
        yield remark("each of a row's ids is a connection: it goes alone, and its row stays")
        items, place = apart(items, place)
        rows = sorted(place.ids)
        yield from of_members(items, place)
    else:
        rows = yield from _of_kinds(given, place, known)
    yield from endpoints
    if endpoint is None and not setting:
        raise NoSettingsFit("no row names its endpoint, and none is given: add --endpoint wss://…")
    connected_at = {
        n: moment
        for n in rows
        for one in place.ids[n]
        if (moment := known.alive.get(one)) is not None
    }
    yield from moments(items, rows, place.setting, connected_at, time.time())
    if not place.is_of_members:
        yield from eviction(items, rows, place, table.key_names, table.index_keys)


def _endpoints_on_rows(given: Discovery, place: IdPlace) -> tuple[str, list[Proposal]]:
    items, own = _each(given, place)
    return endpoint_attribute(items, sorted(own.ids), own.setting, given.endpoint, given.region)


def _each(given: Discovery, place: IdPlace) -> tuple[Sequence[Item], IdPlace]:
    """The rows with the place's ids, where those are members each of them by itself."""
    if place.is_of_members and not place.unserved:
        return apart(given.items, place)
    return given.items, place


def _of_kinds(
    given: Discovery, place: IdPlace, known: Known
) -> Generator[Proposal, None, list[int]]:
    """Returns the connection rows, by their index. Raises NoSettingsFit."""
    table, items = given.table, given.items
    try:
        kinds = connection_rows(Sample(items, table.key_names, known.alive.keys()), place)
    except SeveralKinds as why:
        raise NoSettingsFit(str(why)) from None
    yield from kinds.proposals
    yield from sparse_index(items, kinds.rows, table.indexes)
    return kinds.rows


def _best(places: Sequence[IdPlace], known: Known) -> IdPlace:
    """The one of whose ids most are alive; the likelier one where that is about the same."""

    def credit(place: IdPlace) -> tuple[bool, int]:
        tenths_alive = round(10 * known.alive_of(place) / max(1, known.asked_of(place)))
        return tenths_alive > 0 and not place.is_somebodys, tenths_alive

    return max(places, key=credit)


def _of_ids(
    given: Discovery, place: IdPlace, places: Sequence[IdPlace], known: Known
) -> Iterator[Proposal]:
    """Raises NoSettingsFit where no id is one of API Gateway's."""
    alive, asked = known.alive_of(place), known.asked_of(place)
    is_keyed = place.setting in given.table.key_names
    is_of_aws = given.endpoint is None or given.endpoint.scheme == "https"
    for other in places:
        if other is not place and not other.is_certain and is_of_aws:
            yield remark(f"{other.setting}: changed by some library, or no ids: not chosen")
        elif other is not place and other.is_of_members and other.is_certain:
            yield remark(
                f"{other.setting}: holds ids too, which stay there: see 'Two places that belong"
                " together' in docs/tables.md"
            )
    if place.is_somebodys:
        raise NoSettingsFit(
            f"{place.setting} holds ids, and by its name not those of the rows' own connections: if"
            " they are, set REAPER_CONNECTION_ID_ATTRIBUTE to it"
        )
    if asked >= MANY_ASKED and not alive and not (place.has_good_name or is_keyed):
        raise NoSettingsFit(
            f"{place.setting} holds what looks like ids, of which none of {asked:,} is alive and"
            " whose name says nothing: are they connection ids?"
        )
    if not place.is_certain and not alive and is_of_aws:
        raise NoSettingsFit(
            f"{place.setting} holds `{place.distinct[0]}`, and ids of API Gateway have letters of"
            " both cases, such as R0oXAdfD0kwCH6w=: something has changed them"
        )
    if known.trouble:
        yield remark(f"the gateway was asked, and some answers told nothing: {known.trouble}")
    why = f"ids in {len(place.ids):,} of {len(given.items):,} rows"
    why += f"; of {asked:,} that were asked {alive:,} are alive" if asked else ""
    yield Proposal("CONNECTION_ID_ATTRIBUTE", place.setting, why)
    if place.pattern:
        such = f", unlike {place.others[0]!r}" if place.others else ""
        yield Proposal("CONNECTION_ID_PATTERN", place.pattern, f"the id in its text{such}")


def _ask(given: Discovery, places: Sequence[IdPlace], endpoint_setting: str) -> Known:
    """After the ids of the newest rows of each place, by GET, a few a second."""
    known, resolver = Known(), EndpointResolver(given.endpoint, given.region)
    paths = [attribute_path(name) for name in endpoint_setting.split(",") if name]
    for items, place in (_each(given, one) for one in places):
        ages = {n: newest_time(items[n], time.time()) for n in place.ids}
        wanted: dict[str, Endpoint] = {}
        for n in sorted(ages, key=lambda n: ages[n], reverse=True):
            endpoint = resolver.of_row([attribute(items[n], path) for path in paths])
            if endpoint is not None:
                wanted |= dict.fromkeys(place.ids[n][:IDS_OF_PLACE], endpoint)
            if len(wanted) >= IDS_OF_PLACE:
                break
        for one in wanted.keys() - known.alive.keys() - known.gone:
            given.gateway.start(Probe(wanted[one], one, Ask.CHECK, Purpose.DUE))
            for answer in given.gateway.poll(PAUSE_SECONDS):
                known.learn(answer)
        while given.gateway.in_flight:
            for answer in given.gateway.poll(1.0):
                known.learn(answer)
        if known.trouble and not (known.alive or known.gone):
            break  # it is denied, or out of reach
    return known
