"""Where rows name the endpoint that they connected to."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from reaper.core.discovery.leaves import collection_of, leaves
from reaper.core.discovery.proposal import Proposal, remark
from reaper.core.rows.endpoint import Endpoint
from reaper.core.rows.endpoint_resolver import EndpointResolver
from reaper.core.rows.items import AttributePath, Item, attribute, attribute_path

_NAME = re.compile(r"endpoint|domain|host|url|callback|request_?context|api_?id|gateway", re.I)

_GOOD_NAME = re.compile(r"endpoint|domain|request_?context|^ctx$|gateway", re.I)
"""Under such a name a custom domain may stand; under others only execute-api is an endpoint."""

_HOST_TO_ALLOW = re.compile(r"REAPER_ALLOWED_ENDPOINT_HOSTS=([^/]+\.[a-z]{2,})$")


def endpoint_attribute(
    items: Sequence[Item], rows: Sequence[int], ids: str, own: Endpoint | None, region: str
) -> tuple[str, list[Proposal]]:
    """The setting, empty where rows name none, or all the same as is configured.

    ``ids`` is where those are: members may name their endpoints beside them.
    """
    resolver = EndpointResolver(own, region)
    for setting in _candidates(items, rows, collection_of(ids)):
        paths = [attribute_path(name) for name in setting.split(",")]
        named, foreign = _named(items, rows, paths, resolver)
        if not named and not foreign:
            continue
        hosts = _hosts_to_allow(items, rows, paths, resolver)
        if set(named) <= {own} and not hosts and not foreign:
            return "", [remark(f"{setting}: all rows name the endpoint that is set anyway")]
        if not named:
            (why, _), *_ = foreign.most_common(1)
            return "", [remark(f"{setting}: all rows name {why}. Not used")]
        why = f"{len(named):,} endpoints of this Region, {foreign.total():,} rows of others"
        proposals = [Proposal("ENDPOINT_ATTRIBUTE", setting, why)]
        if hosts:
            why = (
                "rows name these hosts, and answers of the gateway are signed for: are they yours?"
            )
            proposals.append(Proposal("ALLOWED_ENDPOINT_HOSTS", ",".join(hosts), why, False))
        return setting, proposals
    return "", []


def _candidates(items: Sequence[Item], rows: Sequence[int], collection: str) -> list[str]:
    """A map or two attributes with domain and stage, else one that holds a host."""
    names = Counter(
        name
        for n in rows
        for name, _ in leaves(items[n])
        if collection_of(name) in ("", collection)
    )
    found = [
        name.removesuffix(".domainName")
        for name in names
        if name.endswith(".domainName")
        and f"{name.removesuffix('.domainName')}.stage" in names
        and name.removesuffix(".domainName") != collection  # all of a member is not its endpoint
    ]
    for name in sorted(names):
        parent, _, last = name.rpartition(".")
        if re.fullmatch(r"domain_?-?(name)?|host|api_?-?id", last, re.I):
            stages = [
                one
                for one in names
                if re.fullmatch(
                    re.escape(f"{parent}." if parent else "") + r"stage(_?-?name)?", one, re.I
                )
            ]
            found += [f"{name},{stage}" for stage in stages]
    return found + [name for name in sorted(names) if _NAME.search(name)]


def _named(
    items: Sequence[Item],
    rows: Sequence[int],
    paths: list[AttributePath],
    resolver: EndpointResolver,
) -> tuple[Counter[Endpoint], Counter[str]]:
    """How many rows name which endpoint; how many name one that is another Region's, or no host."""
    may_be_custom = all(_GOOD_NAME.search(".".join(path)) for path in paths[:1])
    named: Counter[Endpoint] = Counter()
    foreign: Counter[str] = Counter()
    for n in rows:
        values = [attribute(items[n], path) for path in paths]
        if any(value is None for value in values):
            continue
        endpoint = resolver.of_row(values)
        if endpoint is not None:
            named[endpoint] += 1
        elif "of Region" in (why := resolver.why_foreign(values) or "") or (
            may_be_custom and _HOST_TO_ALLOW.search(why)
        ):
            foreign[why] += 1
    return named, foreign


def _hosts_to_allow(
    items: Sequence[Item],
    rows: Sequence[int],
    paths: list[AttributePath],
    resolver: EndpointResolver,
) -> list[str]:
    whys = {resolver.why_foreign([attribute(items[n], path) for path in paths]) or "" for n in rows}
    return sorted(match[1] for why in whys if (match := _HOST_TO_ALLOW.search(why)))
