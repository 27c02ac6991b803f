"""What `nadir schedule` does, more often than once a minute: python -m tests.month.serving LANDING WORKSPACE."""

import sys
from datetime import timedelta
from pathlib import Path

from prefect.schedules import Interval

from flows.handover import Request
from flows.schedule import serve_nightly
from flows.settings import Settings
from tests.flows.ports import free_port

EVERY = timedelta(seconds=20)

if __name__ == "__main__":
    landing, workspace = map(Path, sys.argv[1:])
    serve_nightly(
        Request((landing,)), Settings(workspace=workspace), Interval(EVERY), when=f"every {EVERY}", port=free_port()
    )
