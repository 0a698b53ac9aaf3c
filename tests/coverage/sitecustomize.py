"""Python imports this at its start where the folder is in PYTHONPATH: what tests start is measured, too.

Without COVERAGE_PROCESS_START, which `make coverage` sets, it does nothing.
"""

import coverage

coverage.process_startup()
