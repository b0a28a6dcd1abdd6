"""`stn-serve`: start the gateway."""

import sys
from collections.abc import Sequence

from pydantic import ValidationError

from service.app import create_app
from service.errors import ServiceError
from service.keys import line_for, new_key
from service.memory import return_large_buffers
from service.server import Server, allow_connections, bind
from service.settings import Settings
from service.supervisor import Supervisor, inherited_socket
from service.telemetry.logs import configure_logging

# Settings whose value a message does not repeat.
_UNSAID = ("api_keys", "allow_anonymous")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the gateway until it is told to stop; return the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["keys"]:
        return _make_key(arguments[1:])
    try:
        settings = read_settings(arguments)
    except ValidationError as error:
        for fault in error.errors():
            name = str(fault["loc"][0]) if fault["loc"] else "settings"
            flag = f"--{name.replace('_', '-')} (STN_{name.upper()})"
            words = fault["msg"].removeprefix("Value error, ")
            # Never keys, nor what might be one.
            got = "" if name in _UNSAID else f"; got {fault['input']!r}"
            print(f"stn-serve: {flag}: {words}{got}", file=sys.stderr)
        return 2
    configure_logging(settings.log_format, settings.log_level)
    listening = inherited_socket()
    if settings.workers > 1 and listening is None:
        listening = bind(settings.host, settings.port)
        admin = None
        if settings.admin_port is not None:
            admin = bind(settings.admin_host, settings.admin_port)
        return Supervisor(arguments, settings.workers, listening, admin).run()
    return_large_buffers()
    allow_connections(settings.max_connections)
    try:
        app = create_app(settings)
        server = Server(app, settings)
        server.run([listening] if listening else None)
    except ServiceError as error:
        print(f"stn-serve: {error.detail}", file=sys.stderr)
        return 1
    return 0 if server.started else 1


def _make_key(arguments: Sequence[str]) -> int:
    if len(arguments) != 2 or arguments[0] != "new":
        print("usage: stn-serve keys new NAME", file=sys.stderr)
        return 2
    key = new_key()
    try:
        line = line_for(arguments[1], key)
    except ValueError as error:
        print(f"stn-serve: {error}", file=sys.stderr)
        return 2
    print(f"key, for the caller, shown only now:  {key}")
    print(f"line, for the gateway's file of keys: {line}")
    return 0


def read_settings(arguments: Sequence[str]) -> Settings:
    """Read settings from flags and environment.

    Raises:
        ValidationError: a value is out of range.
        SystemExit: `--help`, or a flag that does not exist.
    """
    return Settings(_cli_parse_args=list(arguments), _cli_prog_name="stn-serve")


if __name__ == "__main__":
    sys.exit(main())
