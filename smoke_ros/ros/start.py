"""The program ``smoke_node``: ready for signals before the seconds that its imports take."""

from __future__ import annotations

import os
import sys

from smoke_ros.huge_pages import use_huge_pages
from smoke_ros.ros.signals import StopSignals


def main() -> int:
    """Run the node until it is told to stop; return the exit code of the process."""
    signals = StopSignals()
    use_huge_pages()
    try:
        with signals.raising():
            from smoke_ros.ros import node
    except KeyboardInterrupt:
        # There is nothing yet to clean up, and half of PyTorch is not fit to be ended in order.
        os._exit(0)
    return node.main(signals=signals)


if __name__ == '__main__':
    sys.exit(main())
