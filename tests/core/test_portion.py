"""Why evidence may be judged by the portion: a segment is a sample of the table."""

from __future__ import annotations

import random
from hashlib import md5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reaper.core.evidence.breaker import BreakerLimits, Counts, Findings, HoldReason, hold_of
from reaper.core.portion import WholeTable, share_of

LIMITS = BreakerLimits(max_gone_fraction=0.5, min_gone_rows=20, max_unknown_fraction=0.2)
OF = 8


def verdicts(zombie_by_name: dict[str, bool], segment_of) -> list[HoldReason | None]:
    """What the breaker says of each segment that has zombies."""
    counts = [Counts() for _ in range(OF)]
    for name, is_zombie in zombie_by_name.items():
        one = counts[segment_of(name)]
        one.gone += is_zombie
        one.alive += not is_zombie
    return [hold_of(Findings(one), LIMITS) for one in counts if one.gone]


def by_hash(name: str) -> int:
    """As DynamoDB does it: a segment is a range of the hashes of partition keys."""
    return md5(name.encode(), usedforsecurity=False).digest()[0] * OF // 256


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.02, 0.3, 0.7, 1.0]))
def test_each_segment_of_a_table_is_judged_as_the_table_is(seed, zombie_rate):
    chance = random.Random(seed)
    table = {f"{seed}-{n}": chance.random() < zombie_rate for n in range(8_000)}
    gone = sum(table.values())
    whole = hold_of(Findings(Counts(gone=gone, alive=len(table) - gone)), LIMITS)
    assert set(verdicts(table, by_hash)) <= {whole}


def test_rows_of_one_partition_key_are_no_sample_and_are_judged_by_each_other():
    """A room that all have left is held, though the table as a whole would let it go."""
    table = {f"lively#{n}": False for n in range(1_000)} | {f"left#{n}": True for n in range(100)}
    assert hold_of(Findings(Counts(gone=100, alive=1_000)), LIMITS) is None
    assert verdicts(table, lambda name: by_hash(name.partition("#")[0])) == [
        HoldReason.UNPROVEN_ENDPOINT
    ]


def test_the_share_is_the_part_of_the_segments():
    assert share_of(WholeTable(4, 0.0)) == pytest.approx(1.0)
