"""Entry point. It holds signals back before the slow imports, so that none is lost."""

import sys

from reaper.daemon.signals import block_signals


def main() -> int:
    if {"run", "sweep"} & set(sys.argv[1:]):
        block_signals()
    from reaper import cli

    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
