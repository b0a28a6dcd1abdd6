"""The command `stn-client`, put together."""

import click

from stn_client.commands.bench import bench
from stn_client.commands.common import EPILOG
from stn_client.commands.models import models
from stn_client.commands.predict import predict
from stn_client.commands.warp import warp
from stn_client.retries import Retries


@click.group(
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        "show_default": True,
    },
    epilog=EPILOG,
)
@click.option(
    "--url", default="http://127.0.0.1:8000", envvar="STN_URL", show_envvar=True, help="Gateway."
)
@click.option("--timeout", default=10.0, metavar="SECONDS", help="How long one answer may take.")
@click.option(
    "--attempts",
    default=Retries.attempts,
    type=click.IntRange(min=1),
    help="Tries of a request that is refused for the moment (429, 503) or loses its connection; "
    "between them Retry-After is obeyed.",
)
@click.version_option(package_name="stn-serving")
@click.pass_context
def main(context: click.Context, /, url: str, timeout: float, attempts: int) -> None:
    """Ask a gateway of spatial transformer networks what pictures show, and to warp them.

    The API key, where the gateway asks for one, is taken from the environment: STN_API_KEY.

    \b
      stn-client predict digit.png             what it shows, and how sure
      stn-client predict --json scans/ >out.jsonl
                                               thousands of files, an object a line
      stn-client predict --save-warped seen scans/
                                               with what the network looked at
      stn-client warp photo.jpg --rotate 45    look at a region turned by 45 degrees
      stn-client models                        what is served
      stn-client bench                         how much the gateway bears
    """
    context.obj = {"url": url, "timeout": timeout, "retries": Retries(attempts=attempts)}


for command in (predict, warp, models, bench):
    main.add_command(command)
