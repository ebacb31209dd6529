"""`python -m tests.fuzzing`: files that are wrong, into every reader."""

from tests.fuzzing.run import main

raise SystemExit(main())
