"""``python -m orchestration.cli`` is the ``rollups`` command."""

from __future__ import annotations

import sys

from orchestration.cli import main

if __name__ == "__main__":
    sys.exit(main())
