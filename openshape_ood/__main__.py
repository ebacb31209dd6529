"""`python -m openshape_ood`: the command line."""

from __future__ import annotations

from openshape_ood.cli import main

if __name__ == "__main__":
    main()
