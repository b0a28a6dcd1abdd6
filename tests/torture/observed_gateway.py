"""`python -m tests.torture.observed_gateway`: the gateway, which on SIGUSR1 tells what it holds.

What a leak is made of cannot all be seen from outside: tasks on the event loop, and which requests
had reached the application when it was told to stop.
"""

import asyncio
import json
import signal
import sys
from types import FrameType
from typing import Any

from service import __main__ as program

_reached: list[str] = []


def _tell(number: int, frame: FrameType | None) -> None:
    held = {"tasks": len(asyncio.all_tasks()), "reached": len(_reached)}
    print(f"holds {json.dumps(held)}", flush=True)  # noqa: T201


def main() -> int:
    """Run the gateway, and say in the end which requests reached it."""
    create_app = vars(program)["create_app"]

    def create_noting_app(*arguments: Any, **named: Any) -> Any:
        app = create_app(*arguments, **named)
        app.edge.guards.append(lambda scope, context: _reached.append(context.request_id))
        return app

    vars(program)["create_app"] = create_noting_app
    signal.signal(signal.SIGUSR1, _tell)
    status = program.main(sys.argv[1:])
    print(f"reached {json.dumps(_reached)}", flush=True)  # noqa: T201
    return status


if __name__ == "__main__":
    sys.exit(main())
