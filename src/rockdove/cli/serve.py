"""rockdove serve: the server."""

from pathlib import Path
from typing import Annotated

import typer

from rockdove.cli.errors import CommandError, wrong_usage
from rockdove.server.config import ConfigError, load_config
from rockdove.server.log import configure_log
from rockdove.store import StoreError


def serve(
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="Settings in TOML; options given here win.")] = None,
    data: Annotated[Path | None, typer.Option(metavar="DIR", help="The data directory, made when it is missing.")] = None,
    store: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Use a PostgreSQL database, which nodes can share, in place of the directory."),
    ] = None,
    bus: Annotated[str | None, typer.Option(metavar="URL,URL…", help="NATS servers, by which nodes hear each other.")] = None,
    node_name: Annotated[
        str | None, typer.Option(metavar="NAME", help="What this node is called among the others [the host's name].")
    ] = None,
    tcp: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Listen for clients, or off [127.0.0.1:5181].")] = None,
    tls: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Listen for clients in TLS, or off [off].")] = None,
    cert: Annotated[Path | None, typer.Option(metavar="FILE", help="Certificate for TLS with its chain, PEM.")] = None,
    key: Annotated[Path | None, typer.Option(metavar="FILE", help="Its key, PEM without a passphrase.")] = None,
    proxy_protocol: Annotated[
        str | None,
        typer.Option(metavar="NETWORK,…", help="Balancers, such as 10.0.0.0/8, whose connections begin with a PROXY header."),
    ] = None,
    http: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Answer /healthz and /readyz, or off [127.0.0.1:5180].")
    ] = None,
) -> int:
    """Run the server until SIGTERM or Ctrl-C. Every setting can also be given as ROCKDOVE_NAME in the environment."""
    flags = {
        "data": data,
        "store": store,
        "bus": bus,
        "node_name": node_name,
        "tcp": tcp,
        "tls": tls,
        "cert": cert,
        "key": key,
        "proxy_protocol": proxy_protocol,
        "http": http,
    }
    try:
        settings = load_config(config, flags)
        configure_log(settings.log_format, settings.log_level)
        from rockdove.server.app import StartError, run  # the whole server: not needed to tell that a setting is wrong
    except ConfigError as error:
        raise wrong_usage(str(error)) from None
    try:
        return run(settings)
    except (StoreError, StartError) as error:
        raise CommandError(str(error)) from None
