"""What lasting lies take: a gateway that calls a part of the living dead for long.

    python -m tests.bench.lies

Worlds of the evidence rule alone, at the defaults. In each a part of the ids, always the same ones,
answers 410 for some time, and all others the truth; one row in twenty is a true zombie.
"""

from __future__ import annotations

from statistics import mean

from tests.support.rule_world import Blip, RuleWorld

PARTS = (0.05, 0.3, 0.6, 0.9)
MINUTES = (2, 5, 15, 60)
WORLDS_BY_ROWS = {10: 300, 100: 60, 1000: 12}


def lost(rows: int, part: float, minutes: float, seed: int) -> float:
    """The part of the living that went."""
    zombies = rows // 20
    world = RuleWorld(seed, rows - zombies, zombies)
    world.sweep()  # one that is sane, as there is before most lies
    begins = world.moment + world.chance.uniform(0, 300)
    world.blips = [Blip(begins, 60 * minutes, part)]
    while world.moment < begins + 60 * minutes:
        world.sweep()
    return len(world.lost) / world.live


def main() -> None:
    print("| rows | minutes | " + " | ".join(f"{part:.0%} of the ids lie" for part in PARTS) + " |")
    print("|---|---|" + "---|" * len(PARTS))
    for rows, worlds in WORLDS_BY_ROWS.items():
        for minutes in MINUTES:
            cells = []
            for part in PARTS:
                found = [lost(rows, part, minutes, seed) for seed in range(worlds)]
                hit = mean(one > 0 for one in found)
                cells.append(f"{hit:.0%} of worlds, {mean(found):.1%} of rows")
            print(f"| {rows:,} | {minutes} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
