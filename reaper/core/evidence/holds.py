"""Why evictions are held, what to look at, and what ends it, in words for an operator."""

from __future__ import annotations

import re
from typing import NamedTuple

from reaper.core.evidence.breaker import BreakerLimits, Findings, HoldReason, hold_of
from reaper.core.iam import MANAGE_CONNECTIONS
from reaper.core.refusals import Refusal


class Explanation(NamedTuple):
    """Why evictions are held: its numbers, and what to do."""

    why: str
    cure: str
    refusal: Refusal | None = None
    """Where AWS refused to be asked, and said why."""

    def __str__(self) -> str:
        return f"{self.why}: {self.cure}"


def explain(reason: HoldReason, findings: Findings, limits: BreakerLimits) -> Explanation:
    """The numbers that led to a hold, and its cure."""
    match reason:
        case HoldReason.UNPROVEN_ENDPOINT:
            return _explain_unproven(findings)
        case HoldReason.TOO_MANY_GONE:
            return _explain_too_many_gone(findings, limits)
        case HoldReason.TOO_MANY_UNKNOWN:
            return _explain_too_many_unknown(findings, limits)
        case HoldReason.DENIED:
            return _explain_denied(findings)
        case HoldReason.AGE_CONTRADICTED:
            return Explanation(
                "the rows that are held are older than any socket by REAPER_CONNECTED_AT_ATTRIBUTE,"
                " which would let them go, but so are living ones by the gateway's account",
                "name the attribute that holds the time of connection, or mend how it is read"
                " with REAPER_TIME_ZONE or REAPER_CONNECTED_AT_OFFSET_SECONDS ('reaper check' says"
                " by how much it is off)",
            )
        case HoldReason.SHARED_TABLE:
            return Explanation(
                "more rows were born in this table than clients connected to this API by"
                " CloudWatch's ConnectCount, so another API writes into it too",
                "give rows their endpoint (REAPER_ENDPOINT_ATTRIBUTE) or each API its own table",
            )


def explain_deaf(findings: Findings, limits: BreakerLimits) -> Explanation:
    """Why clients that answer no heartbeat are left alone: the endpoint's own hold comes first."""
    if reason := hold_of(findings, limits):
        return explain(reason, findings, limits)
    counts = findings.counts
    return Explanation(
        f"{counts.deaf} clients answered none of their last heartbeats and {counts.pongs}"
        " answered, and while that is so the fault is likelier on the application's side",
        "let the application note pongs in REAPER_LAST_SEEN_ATTRIBUTE, or switch pongs off with"
        " REAPER_PONG_TIMEOUT_SECONDS=0",
    )


def what_ends_it(max_connection_age_seconds: float) -> str:
    """How a hold ends if nobody does anything about it."""
    if not max_connection_age_seconds:
        return "REAPER_MAX_CONNECTION_AGE_SECONDS=0, so nothing ends this hold but its cure"
    hours, minutes = divmod(round(max_connection_age_seconds / 60), 60)
    return (
        "if nothing is done, 'reaper run' lets each row go that still answers 410"
        f" {hours} h {minutes} min after it first did: no socket lives so long"
    )


def _decided(findings: Findings) -> int:
    counts = findings.counts
    return counts.alive + counts.harvest.dead + counts.unknown


def _explain_denied(findings: Findings) -> Explanation:
    counts, refusal = findings.counts, findings.refusal
    refused = f"{counts.denied} of {_decided(findings)} answers were 403"
    if refusal is not None:
        return Explanation(f"{refused}: {MANAGE_CONNECTIONS} {refusal.why}", refusal.cure, refusal)
    return Explanation(
        f"{refused}, which AWS does not explain",
        "correct the stage and path in REAPER_API_ENDPOINT; if they are right, grant"
        f" {MANAGE_CONNECTIONS} for GET and POST on @connections/* (`reaper policy`)",
    )


def _explain_too_many_unknown(findings: Findings, limits: BreakerLimits) -> Explanation:
    counts, refusal = findings.counts, findings.refusal
    if refusal is not None:
        why = f"{counts.unknown} of {_decided(findings)} rows could not be asked"
        return Explanation(f"{why}: {MANAGE_CONNECTIONS} {refusal.why}", refusal.cure, refusal)
    kinds = {
        "throttled": counts.throttled,
        "denied": counts.denied,
        "with an id that is rejected": counts.rejected,
    }
    told = ", ".join(f"{rows} {kind}" for kind, rows in kinds.items() if rows)
    return Explanation(
        f"{counts.unknown} of {_decided(findings)} rows could not be reached"
        f"{told and f' ({told})'}{_most_frequent(findings)}; they get no heartbeat, and at"
        f" REAPER_MAX_UNKNOWN_FRACTION={limits.max_unknown_fraction:g} or more no row is evicted",
        _cure_of_inconclusive(findings.inconclusive),
    )


_CURES = (
    (r"^cannot resolve", "correct the host in REAPER_API_ENDPOINT, or this machine's DNS"),
    (
        r"^TLS fails.*certif",
        "set AWS_CA_BUNDLE to a file that also holds the authority which signed for the host: a"
        " private one, or that of a proxy which looks into TLS (`openssl s_client -connect"
        " HOST:443` shows its name)",
    ),
    (
        r"^TLS fails",
        "correct REAPER_API_ENDPOINT, or find the proxy in between: what answers there does not"
        " speak TLS as API Gateway does",
    ),
    (r"^proxy", "correct HTTPS_PROXY, or name the host in NO_PROXY"),
    (
        r"^cannot connect|refused|unreachable",
        "see what stands between this machine and the gateway: security group, firewall, VPC"
        " endpoint; and whether REAPER_API_ENDPOINT is right",
    ),
    (
        r"^no answer within|^connection broke",
        "wait if API Gateway has trouble; else look at the network: security group, VPC endpoint,"
        " proxy",
    ),
    (r"HTML", "find the firewall (WAF), CDN or proxy that answers, and let the reaper through"),
    (r"^404", "correct the stage and path in REAPER_API_ENDPOINT"),
    (r"^429", "lower REAPER_QUOTA_SHARE, or ask AWS for a higher quota"),
    (r"^5\d\d", "wait: it is the gateway's own trouble, and the next sweep asks again"),
)
"""For what an answer says that is neither 200 nor 410, for a person."""


def _cure_of_inconclusive(detail: str) -> str:
    for words, cure in _CURES:
        if re.search(words, detail):
            return cure
    return "see the log line 'inconclusive answers'; the next sweep asks again"


def _most_frequent(findings: Findings) -> str:
    return f", mostly: {findings.inconclusive}" if findings.inconclusive else ""


def _explain_unproven(findings: Findings) -> Explanation:
    counts = findings.counts
    if counts.has_ids_of_one_case:
        return Explanation(
            f"{counts.ids_of_one_case} of {counts.ids} ids have letters of one case only, and API"
            " Gateway's have both, so something has changed them, and they answer 410 whoever"
            " lives",
            "name the attribute with the true id in REAPER_CONNECTION_ID_ATTRIBUTE",
        )
    return Explanation(
        f"{counts.gone} rows answered 410 and nobody answered 200 meanwhile: REAPER_API_ENDPOINT"
        " is another API's, or nobody is connected, or the gateway is wrong for a while",
        "if clients are connected, compare REAPER_API_ENDPOINT with your API at once, since they"
        " get no heartbeats; if it is right, wait until somebody connects",
    )


def _explain_too_many_gone(findings: Findings, limits: BreakerLimits) -> Explanation:
    dead, answered = max(findings.harvests, key=lambda one: one.dead / max(1, one.answered))
    panel = findings.panel
    asked_again = (
        f", and {panel.dead} of {panel.answered} that were alive a moment ago answer 410 now"
        if panel and panel.dead
        else ""
    )
    return Explanation(
        f"{dead} of {answered} answering rows look like zombies{asked_again}, and"
        f" REAPER_MAX_GONE_FRACTION={limits.max_gone_fraction:g} of them or more are held",
        "right after an outage, or at the first run, they may be real: wait; else see whether"
        " another API's rows share this table (REAPER_ENDPOINT_ATTRIBUTE), or whether the gateway"
        " is wrong for a while",
    )
