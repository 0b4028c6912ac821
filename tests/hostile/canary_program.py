"""A provider full of secrets, whose code lets each of them out in every way it can.

Each secret begins with ``canary-``, so whatever leaves the process may not hold that
word. The secrets are made here, as a traceback shows the line that it stands on.
"""

# They are raised where a careless author would.
# ruff: noqa: TRY301

import asyncio
import faulthandler
import gc
import logging
import pickle
import sys
import threading
import traceback
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import suppress
from typing import Any

from pydantic import BaseModel, Field, SecretStr, field_validator
from typing_extensions import override

from arbvantage_provider import (
    ActionError,
    Inject,
    Outcome,
    ProcessPool,
    Provider,
    ProviderError,
    Retry,
    TaskContext,
    TaskInfo,
)
from arbvantage_provider.executors.calls import pack_call
from arbvantage_provider.rate_limit import RateLimitMonitor, RateLimits

WORD = "CANARY-".lower()
TOKEN = WORD + "token"


class Account(BaseModel):
    """Its validator quotes what it was given."""

    key: str
    pem: str = ""
    deep: dict[str, list[str]] = Field(default_factory=dict)
    secret: SecretStr = SecretStr(WORD + "default")
    kind: str = ""

    @field_validator("kind")
    @classmethod
    def check_kind(cls, kind: str) -> str:
        if "refused" in kind:
            raise ValueError(f"{kind} is refused")
        if "raised" in kind:
            raise RuntimeError(f"{kind} is raised")
        return kind


class Payload(BaseModel):
    """Its validator quotes what it was given, and its secret hides itself."""

    key: SecretStr
    number: int = 0
    kind: str = ""

    @field_validator("kind")
    @classmethod
    def check_kind(cls, kind: str) -> str:
        if kind:
            raise ValueError(f"{kind} is refused")
        return kind


class Careless(Provider):
    """Its hook words an error with the account, or fails with it."""

    @override
    def handle_task_exception(
        self, e: BaseException, action: str, payload: Any, account: Any
    ) -> Any:
        self.logger.warning("hook", account=account)
        if action == "fail_in_hook":
            raise RuntimeError(account, TOKEN) from e
        return super().handle_task_exception(e, action, payload, account)


class RaisingMonitor(RateLimitMonitor):
    """Fails the first time."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    @override
    def check_rate_limits(self) -> RateLimits | None:
        self.asked += 1
        if self.asked == 1:
            raise RuntimeError(f"{TOKEN} was refused")
        return None

    @override
    def make_safe_request(
        self, request_func: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Any:
        return request_func(*args, **kwargs)


provider = Careless(
    "canaries",
    TOKEN,
    response_format="unified" if "unified" in sys.argv else "plain",
    log_file=next((word for word in sys.argv if word.endswith(".log")), None),
    log_level="DEBUG",
    execution_timeout=20,
    shutdown_timeout=5,
    max_concurrency=4,
)
register = provider.actions.register
With = dict[str, Any]
NOWHERE = "127.0.0.1:1"
HANDLERS: list[str] = []
KEPT: list[Any] = []


def leak(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Register a handler that is given the account."""
    HANDLERS.append(handler.__name__)
    return register(account_schema=Account)(handler)


def quote(account: Account) -> str:
    """All that is secret, as a careless author might write it."""
    return f"{account!r} {account.key} {account.pem} {account.deep} {TOKEN}"


# --- handlers that raise -----------------------------------------------------------


@leak
def raise_text(account: Account) -> None:
    raise ValueError(quote(account))


@leak
async def raise_text_async(account: Account) -> None:
    raise ValueError(account, quote(account), account.model_dump_json())


@leak
def raise_key(account: Account) -> None:
    raise KeyError(account.key)


@leak
def raise_from(account: Account) -> None:
    try:
        raise KeyError(account.key)
    except KeyError as error:
        raise OSError(5, quote(account), account.key) from error


@leak
def raise_while(account: Account) -> None:
    try:
        raise KeyError(account.key)
    except KeyError:
        raise RuntimeError(account.pem)  # noqa: B904 - the context is the point


@leak
def raise_noted(account: Account) -> None:
    error = ValueError("noted")
    error.add_note(quote(account))
    raise error


@leak
async def raise_group(account: Account) -> None:
    inner = ExceptionGroup(account.key, [ValueError(account.pem)])
    raise ExceptionGroup(quote(account), [inner, KeyError(account.key)])


@leak
def raise_with_locals(account: Account) -> None:
    key, token = account.key, TOKEN
    KEPT.append((key, token))
    raise LookupError("look at my variables")


@leak
def exit_with_text(account: Account) -> None:
    sys.exit(quote(account))


@leak
def fail_in_hook(account: Account) -> None:
    raise ValueError(account.key)


@register(account_schema=Account, retry=Retry(on=OSError, first=0.001))
def try_again(account: Account) -> None:
    raise OSError(quote(account))


@register(account_schema=Account, timeout=0.05)
async def take_too_long(account: Account) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        raise ValueError(quote(account))


# --- handlers that log, or let others do so ------------------------------------------


@leak
def log(account: Account, logger: Any, context: TaskContext, **kwargs: Any) -> None:
    for each in (logger, context.logger, provider.logger):
        each.info(account.key, account=account, pem=account.pem, token=TOKEN)
        each.info("%s of %s", account.key, TOKEN, **{account.key: account.deep})
        try:
            raise ValueError(quote(account))
        except ValueError as error:
            each.exception("caught", raw=repr(account).encode(), error=error)
    sys.stdout.write(f"{context!r} {logger!r} {kwargs['provider']!r}\n")


@leak
async def log_elsewhere(account: Account) -> None:
    def write() -> None:
        provider.logger.info(account.key, pem=account.pem)

    async def write_async() -> None:
        write()

    write()
    await asyncio.to_thread(write)
    await asyncio.create_task(write_async())
    asyncio.get_running_loop().call_soon(write)
    await asyncio.sleep(0)
    provider.process_task("log_nothing", {})


@register()
def log_nothing() -> None:
    provider.logger.info("nothing", token=TOKEN)


@leak
async def leave_unawaited(account: Account) -> None:
    async def fail() -> None:
        raise ValueError(quote(account))

    async def leave() -> None:
        sys.exit(quote(account))

    loop = asyncio.get_running_loop()
    failing, leaving = loop.create_task(fail()), loop.create_task(leave())
    loop.create_future().set_exception(KeyError(account.key))
    loop.call_soon(sys.exit, account.key)
    loop.call_soon(fail_with, account.key, TOKEN)
    pending = loop.create_task(hold(account.key))
    await asyncio.sleep(0.01)
    del failing, leaving, pending
    gc.collect()


def fail_with(*secrets: str) -> None:
    raise ValueError(*secrets)


async def hold(_: str) -> None:
    await asyncio.get_running_loop().create_future()


@leak
def look_at_everything(account: Account, **kwargs: Any) -> None:
    faulthandler.dump_traceback(file=sys.__stderr__ or 2)
    given = {name: each for name, each in kwargs.items() if name != "account"}
    sys.stdout.write(f"{sorted(given)} {given!r}\n")


@register()
def take_all(**kwargs: Any) -> str:
    """What is asked for by no name; the account was not declared."""
    sys.stdout.write(f"{sorted(kwargs)} {kwargs!r}\n")
    return f"{sorted(kwargs)}"


# --- payloads and results -----------------------------------------------------------


@register(payload_schema=Payload)
def take_payload(payload: Payload) -> None:
    raise ValueError(f"{payload!r} {payload}", payload)


@register()
def give_broken() -> Any:
    return {"a": [WORD + "result", {WORD + "member"}, object()]}


@register()
def give_number() -> list[Any]:
    return [WORD + "result", float("nan")]


@register()
def give_broken_data() -> None:
    raise ActionError("no data", {"a": object(), "b": WORD + "result"})


class Promised(BaseModel):
    """What a result is checked with."""

    number: int


@register()
def break_promise() -> Promised:
    return {"number": WORD + "result"}  # type: ignore[return-value] # pyright: ignore[reportReturnType]


# --- in a process ---------------------------------------------------------------------


class Unsendable:
    """Says why it cannot be sent."""

    @override
    def __reduce__(self) -> Any:
        raise ValueError(TOKEN)


def raise_there(account: Account) -> None:
    raise_from(account)


def give_unsendable(account: Account) -> Any:
    return [account.key, Unsendable()]


POOL = lambda: ProcessPool(1)  # noqa: E731
for handler in (raise_there, give_unsendable):
    HANDLERS.append(handler.__name__)
    register(account_schema=Account, executor=POOL)(handler)


# --- what runs around the tasks ---------------------------------------------------------


@provider.middleware
def fail_after(task: TaskInfo) -> Generator[None, Outcome, None]:
    outcome = yield
    sys.stdout.write(f"{task!r}\n")
    if task.action == "log_nothing":
        raise RuntimeError(f"{TOKEN} {outcome.message}")


@provider.middleware
async def fail_before(task: TaskInfo) -> AsyncGenerator[None, Outcome]:
    if task.action == "log_nothing":
        raise RuntimeError(TOKEN) from ValueError(TOKEN)
    yield


register("wait", rate_limit_monitor=RaisingMonitor())(lambda: None)


@register()
def stop() -> None:
    provider.stop()


# --- the runs that fail -------------------------------------------------------------------


def fail_to_start(url: str) -> None:
    """Let ``start`` raise in each way, and print it as Python does at the end."""
    for prepare in (open_badly, make_badly, ask_badly, ask_badly):
        failing = make_failing(connect_timeout=20)
        prepare(failing)
        print_failure(failing, url)
    print_failure(make_failing(connect_timeout=0.2), NOWHERE)


def make_failing(connect_timeout: float) -> Provider:
    return Provider("failing", TOKEN, connect_timeout=connect_timeout)


def open_badly(failing: Provider) -> None:
    @failing.lifespan
    def open_it() -> Iterator[int]:
        try:
            raise ValueError(TOKEN)
        except ValueError as error:
            error.add_note(TOKEN)
            raise RuntimeError(f"cannot open with {TOKEN}") from ExceptionGroup(
                "some", [error, KeyError(TOKEN)]
            )
        yield 1

    @failing.actions.register()
    def use(number: Inject[int]) -> int:
        return number


def make_badly(failing: Provider) -> None:
    def make() -> Any:
        raise RuntimeError(TOKEN)

    failing.actions.register(executor=make)(raise_there)


def ask_badly(failing: Provider) -> None:
    """The hub refuses its token, in words that hold it."""


def print_failure(failing: Provider, url: str) -> None:
    try:
        failing.start(hub_url=url)
    except ProviderError as error:
        sys.stdout.write(f"{type(error).__name__}\n")
        sys.stdout.writelines(traceback.format_exception(error))
        if url == NOWHERE:
            told = traceback.TracebackException.from_exception(
                error, capture_locals=True
            )
            sys.stdout.writelines(told.format())
        sys.stdout.write(f"{error!r} {pickle.dumps(error)!r}\n")


def show_everything() -> None:
    """The reprs of what is public, and what is sent to processes."""
    shown: list[Any] = [provider, provider.settings, provider.settings.describe()]
    shown += [provider.actions, provider.snapshot(), provider.logger, vars(provider)]
    shown += [provider.actions.get_action(name) for name in provider.actions]
    for each in shown:
        sys.stdout.write(f"{each!r}\n{each}\n")
    settings = provider.settings.describe()
    sys.stdout.write(f"{pack_call(print, [settings], {})!r}\n")


def run(url: str, second: str) -> None:
    logging.basicConfig(level=logging.DEBUG)
    provider.start(hub_url=url)
    show_everything()
    fail_to_start(second)
    with suppress(ProviderError):
        Provider("other", TOKEN, hub_url=TOKEN, timezone=TOKEN)
    starting = {"hub_url": second}
    thread = threading.Thread(target=make_failing(20).start, kwargs=starting)
    thread.start()
    thread.join()
    faulthandler.dump_traceback()
    make_failing(20).start(hub_url=second)


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2])
