"""Why a sweep takes longer than its interval, by how far it has come."""

from __future__ import annotations

from reaper.core.report.report import Progress
from reaper.core.report.troubles import Kind, Trouble

SLOW_SECONDS = 0.5
"""API Gateway answers in tens of milliseconds."""

AT_BUDGET = 0.8
"""Of the budget used on average: the budget is what the sweep waits for."""


def overrun(
    progress: Progress,
    running_seconds: float,
    interval_seconds: float,
    budget_rps: float,
    cure_at_budget: str,
    paused: str | None = None,
) -> Trouble:
    """What makes a sweep late that has been running for so long.

    ``paused`` names what stopped the whole process for a while, if anything did;
    ``cure_at_budget`` is what gives the sweep more requests a second.
    """
    why = f"a sweep has been running for {running_seconds:,.0f} s, longer than"
    why += f" REAPER_SWEEP_INTERVAL_SECONDS={interval_seconds:g}, because "
    cause, cure = _cause(progress, running_seconds, budget_rps, cure_at_budget, paused)
    return Trouble(Kind.SWEEP_OVERRUN, why + cause, cure)


def _cause(
    progress: Progress,
    running_seconds: float,
    budget_rps: float,
    cure_at_budget: str,
    paused: str | None,
) -> tuple[str, str]:
    rps = progress.calls / max(1.0, running_seconds)
    if paused is not None:
        return paused, "find out what stops the machine or the process; the sweep goes on by itself"
    if rps >= AT_BUDGET * budget_rps:
        return (
            f"it is paced by the budget: {progress.calls:,} requests at {budget_rps:g} a second",
            f"{cure_at_budget}, or raise REAPER_SWEEP_INTERVAL_SECONDS",
        )
    if progress.waiting and progress.mean_latency_seconds >= SLOW_SECONDS:
        return (
            f"the gateway is slow: {progress.waiting:,} probes wait, and it answers {rps:,.0f} a"
            f" second of the {budget_rps:,.0f} that the budget allows, after"
            f" {progress.mean_latency_seconds:.2f} s each",
            "wait if API Gateway has trouble; else raise REAPER_MAX_IN_FLIGHT, and see whether a"
            " proxy or the CPU is at its limit",
        )
    if progress.suspects:
        return (
            f"{progress.suspects:,} suspects wait for their confirmation, each of which comes"
            " REAPER_CONFIRM_DELAY_SECONDS after the one before",
            "raise REAPER_SWEEP_INTERVAL_SECONDS, or lower REAPER_CONFIRM_DELAY_SECONDS",
        )
    if progress.is_evicting:
        return (
            "evictions are not done",
            "see by the log whether the hook's function, the table or the audit log is slow",
        )
    if not progress.scanned:
        return (
            "the table has brought no row so far",
            "see by the log whether DynamoDB throttles or does not answer",
        )
    if progress.scanned >= progress.row_estimate:
        return (
            f"{progress.waiting:,} probes wait for their turn",
            f"{cure_at_budget}, or raise REAPER_SWEEP_INTERVAL_SECONDS",
        )
    return (
        f"the table is read slowly: {progress.scanned:,} of about {progress.row_estimate:,} rows so"
        " far",
        "raise REAPER_SCAN_SEGMENTS, lift REAPER_SCAN_MAX_RCU, or see whether DynamoDB throttles"
        " the table's reads",
    )
