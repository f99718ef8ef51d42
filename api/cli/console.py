"""What every command of `offhook` needs: settings, output, exit codes, signals."""

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click
from rich.console import Console
from rich.table import Table

from api.http.request_id import RequestIdFilter
from api.settings import Settings, SettingsError, load_settings
from api.settings.server import LogFormat
from api.telemetry.log_lines import JsonLines

if TYPE_CHECKING:
    from api.store import Store

T = TypeVar("T")

#: Exit codes: 1 something is wrong with the world (a call failed, a check is red), 2 bad usage or
#: settings, 3 the server or the PBX cannot be reached.
EXIT_FAILED, EXIT_USAGE, EXIT_UNREACHABLE = 1, 2, 3

LOG_LEVELS = click.Choice(["debug", "info", "warning", "error"])

out = Console()
err = Console(stderr=True)


def fail(message: str, code: int = EXIT_FAILED) -> NoReturn:
    """End with a message on stderr."""
    err.print(message, style="red", markup=False, highlight=False)
    sys.exit(code)


def print_json(value: Any) -> None:
    """JSON on stdout, for programs."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def settings_or_fail(config: Path | None) -> Settings:
    """Load the settings; end with every fault named."""
    try:
        return load_settings(config, os.environ)
    except SettingsError as error:
        fail(str(error), EXIT_USAGE)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine; Ctrl-C and SIGTERM end it in order."""

    async def main() -> T:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel)
        return await task

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        sys.exit(130)


def log_to_stderr(level: str, log_format: LogFormat = "text") -> None:
    """Every log line with its time, level, place and request, if any, on stderr.

    Of libraries, warnings and errors only.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(RequestIdFilter())
    text = "%(asctime)s %(levelname)s %(name)s %(request)s%(message)s"
    handler.setFormatter(JsonLines() if log_format == "json" else logging.Formatter(text))
    logging.basicConfig(
        level=max(logging.WARNING, getattr(logging, level.upper())), handlers=[handler]
    )
    for ours in ("api", "models", "pbx", "voice_loop"):
        logging.getLogger(ours).setLevel(level.upper())


def config_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--config FILE`, as every command that reads the settings has it."""
    return click.option(
        "--config",
        type=click.Path(path_type=Path),
        help="Settings file; default OFFHOOK_CONFIG, else offhook.toml.",
    )(command)


@contextlib.asynccontextmanager
async def started(server: contextlib.AbstractAsyncContextManager[T]) -> AsyncIterator[T]:
    """Enter a server; what keeps it from starting is told in one line."""
    from api.egress.sealing import SealError
    from api.main import StartError
    from api.store import StoreError
    from pbx.audio_port import MediaError
    from voice_loop.ports import EngineError

    async with contextlib.AsyncExitStack() as stack:
        try:
            entered = await stack.enter_async_context(server)
        except (StartError, SealError, StoreError, MediaError, EngineError) as error:
            fail(str(error))
        yield entered


@contextlib.asynccontextmanager
async def opened_store(settings: Settings) -> AsyncIterator["Store"]:
    """The store, for a command that works on it directly; closed at the end."""
    from api.egress.sealing import SealError
    from api.store import Store, StoreError

    try:
        store = await Store.open(settings.store)
    except StoreError as error:
        fail(str(error))
    try:
        yield store
    except SealError as error:
        fail(str(error))
    finally:
        await store.close()


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(*titles, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    return table
