"""`stn-client models`."""

import click

from stn_client import output
from stn_client.commands.common import EPILOG, JSON, told, with_key
from stn_client.sync import Client


@click.command(epilog=EPILOG)
@JSON
@click.pass_context
def models(context: click.Context, /, as_json: bool) -> None:
    """List the models that are served, their versions and states."""
    with told(), with_key(context, Client) as client:
        known = client.models()
    table = output.Table(
        [("MODEL", 8), ("VERSION", -7), ("STATE", 10), ("READY", 5), ("LABELS", 6)]
    )
    for model in known:
        if as_json:
            output.say(output.json_line(model.document))
            continue
        for one in model.versions:
            ready = "yes" if one.ready else f"no: {one.problem or 'not yet'}"
            table.row(model.name, str(one.version), one.state, ready, ", ".join(one.labels))
        if not model.versions:
            table.row(model.name, "-", "-", f"no: {model.problem or 'no version'}", "")
