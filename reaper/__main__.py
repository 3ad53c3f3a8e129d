"""Entry point. It holds signals back before the slow imports, so that none is lost,
and opens what was closed before anything else is opened."""

import sys

from reaper.daemon.signals import block_signals
from reaper.daemon.streams import open_closed_streams


def main() -> int:
    open_closed_streams()
    if {"run", "sweep"} & set(sys.argv[1:]):
        block_signals()
    from reaper import cli

    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
