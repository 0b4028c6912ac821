"""Configuration: what may be set, by argument or environment, and its bounds.

This is the only module that reads the environment. Times are seconds.
"""

import datetime as dt
import difflib
import os
import zoneinfo
from collections.abc import Container, Generator
from contextlib import contextmanager
from pathlib import PurePath
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    SecretStr,
    ValidationError,
    ValidationInfo,
)
from pydantic import field_validator as validates

from arbvantage_provider.connection import (
    TLS,
    Address,
    Proxy,
    choose_proxy,
    choose_tls,
    parse_address,
)
from arbvantage_provider.exceptions import ConfigError, nearest_name
from arbvantage_provider.text import trim_token
from arbvantage_provider.variables import ENVIRONMENT, name_setting


def _refuse_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        problem = "input should be a valid number, not a boolean"
        raise ValueError(problem)  # noqa: TRY004 - pydantic catches this one
    return value


def _as_path(value: Any) -> Any:
    path = str(value) if isinstance(value, PurePath) else value
    if isinstance(path, str) and "\0" in path:
        problem = "input should be a path, without the character NUL"
        raise ValueError(problem)
    return path


def _as_lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


_TOKENS: Final = ("auth_token", "auth_token_file")
_OURS: Final = "PROVIDER_"
_OF_TLS: Final = "tls."
TWO_TOKENS: Final = "the token is given twice; give auth_token or auth_token_file"

_Float = Annotated[float, Field(allow_inf_nan=False), BeforeValidator(_refuse_boolean)]
_Integer = Annotated[int, BeforeValidator(_refuse_boolean)]
Seconds = Annotated[_Float, Field(gt=0)]
Bytes = Annotated[_Integer, Field(ge=16 * 1024, le=1024 * 1024 * 1024)]
"""How long a message may be: there is room for a short error, and gRPC can count it."""
LONGEST_IN_JOURNAL: Final = 900_000_000
"""Bytes of a message; SQLite takes no row of more than 1,000,000,000."""
ResponseFormat = Literal["plain", "unified"]
MonitorErrorPolicy = Literal["closed", "open"]
JournalSync = Literal["normal", "full"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


class ProviderSettings(BaseModel):
    """The settings of a provider; times are seconds."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        validate_default=True,
        use_attribute_docstrings=True,
    )

    name: Annotated[str, Field(min_length=1)]
    """What the hub knows the provider by."""
    auth_token: SecretStr | None = None
    """Its token, or ``None`` while it needs none, or has a source of it."""
    auth_token_file: Annotated[str | None, BeforeValidator(_as_path)] = None
    """A file that holds the token, instead."""
    hub_url: Annotated[str, Field(min_length=1)] = "hub-grpc:50051"
    """``host:port`` of the hub, ``grpc://host:port`` or ``grpcs://host``."""
    tls: InstanceOf[TLS] | None = None
    """What TLS is spoken with."""
    max_receive_bytes: Bytes = 64 * 1024 * 1024
    """The longest message that is taken from the hub."""
    max_send_bytes: Bytes = 64 * 1024 * 1024
    """The longest message that is sent to it."""
    execution_timeout: Seconds = 1.0
    """How long a handler may run."""
    on_monitor_error: MonitorErrorPolicy = "closed"
    """What holds while a rate limit monitor raises, or does not answer: ``closed``, no
    permit is free; ``open``, there is no limit."""
    max_concurrency: Annotated[_Integer, Field(ge=1, le=10_000)] = 16
    """How many tasks may be in flight."""
    timezone: str = "UTC"
    """An IANA name, such as ``Europe/Riga``."""
    response_format: ResponseFormat = "plain"
    """``plain``, or ``unified`` with the provider's name and times around the data."""
    connect_timeout: Seconds = 30.0
    """How long to wait for the hub's first answer."""
    shutdown_timeout: Annotated[_Float, Field(ge=0)] = 10.0
    """How long running tasks have when the provider stops."""
    poll_interval: Seconds = 1.0
    """The longest wait between two polls of an idle hub."""
    journal: Annotated[str, Field(min_length=1), BeforeValidator(_as_path)] | None = (
        None
    )
    """The file that tasks and results are kept in until they are done."""
    journal_max_age: Seconds = 3600.0
    """How old a task of the journal may be that is still run."""
    journal_sync: Annotated[JournalSync, BeforeValidator(_as_lower)] = "normal"
    """``full`` forces each commit of the journal onto the disk, so that a power cut loses
    nothing; ``normal`` leaves that to the system."""
    log_level: LogLevel = "INFO"
    """The least severe level that is logged."""
    log_file: str | None = None
    """A file that log lines go to as JSON, instead of stderr."""

    @validates("auth_token")
    @classmethod
    def _trimmed_or_none(cls, token: SecretStr | None) -> SecretStr | None:
        text = trim_token(token.get_secret_value()) if token else ""
        return SecretStr(text) if text else None

    @validates("auth_token_file")
    @classmethod
    def _only_source(cls, file: str | None, info: ValidationInfo) -> str | None:
        if file is not None and info.data.get("auth_token"):
            raise ConfigError(TWO_TOKENS)
        return file

    @validates("hub_url")
    @classmethod
    def _is_address(cls, url: str) -> str:
        parse_address(url)
        return url

    @validates("tls")
    @classmethod
    def _fits_the_address(cls, tls: TLS | None, info: ValidationInfo) -> TLS | None:
        if tls is not None and "hub_url" in info.data:
            url: str = info.data["hub_url"]
            if choose_tls(parse_address(url), tls) is None:
                problem = f"{url!r} is plain text; write grpcs://host:port in hub_url"
                raise ConfigError(problem)
        return tls

    @validates("journal")
    @classmethod
    def _holds_each_message(cls, path: str | None, info: ValidationInfo) -> str | None:
        for name in ("max_receive_bytes", "max_send_bytes"):
            if path is not None and info.data.get(name, 0) > LONGEST_IN_JOURNAL:
                problem = f"{name} may be {LONGEST_IN_JOURNAL} at most with a journal"
                raise ConfigError(problem)
        return path

    @validates("log_level", mode="before")
    @classmethod
    def _any_case(cls, level: Any) -> Any:
        return level.upper() if isinstance(level, str) else level

    @validates("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        load_timezone(name)
        return name

    @property
    def token(self) -> str:
        """The token's text; ``""`` where there is none."""
        return self.auth_token.get_secret_value() if self.auth_token else ""

    @property
    def zone(self) -> dt.tzinfo:
        """The time zone."""
        return load_timezone(self.timezone)

    def describe(self) -> dict[str, Any]:
        """The settings by name, without the token."""
        return self.model_dump(exclude={"auth_token"})


def read_address(url: str) -> Address:
    """Where the hub of this ``hub_url`` is.

    Raises:
        ConfigError: if it is written in a way that nobody understands.
    """
    try:
        return parse_address(url)
    except ConfigError as error:
        raise ConfigError(f"{name_setting('hub_url')}: {error}") from None


def may_color(stream: Any) -> bool:
    """Whether text for a stream may have colours: ``NO_COLOR``, ``FORCE_COLOR``, ``TERM``."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or may_drive(stream)


def may_drive(stream: Any) -> bool:
    """Whether a stream is a terminal that knows more than to print (``TERM=dumb``)."""
    try:
        is_terminal = bool(stream.isatty())
    except Exception:  # noqa: BLE001 - there may be none, or a program's own
        return False
    return is_terminal and os.environ.get("TERM") != "dumb"


@contextmanager
def suggest_variable(name: str, value: str) -> Generator[None]:
    """The environment has this variable meanwhile, unless it has it already."""
    is_set = name in os.environ
    os.environ.setdefault(name, value)
    try:
        yield
    finally:
        if not is_set:
            os.environ.pop(name, None)


def read_proxy(address: Address) -> Proxy | None:
    """The proxy that the environment names for this address, if any."""
    return choose_proxy(address, os.environ)


def load_timezone(name: str) -> dt.tzinfo:
    """The time zone of an IANA name.

    Raises:
        ValueError: if there is none of this name; it says which is like it.
    """
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        if name == "UTC":
            # A machine without time zone data still has this one.
            return dt.UTC
        nearest = nearest_name(name, zoneinfo.available_timezones())
        hint = f"; did you mean {nearest!r}?" if nearest else ""
        problem = f"there is no time zone {name!r}{hint}"
        raise ValueError(problem) from None


def make_settings(**given: Any) -> ProviderSettings:
    """The settings for these arguments.

    Raises:
        ConfigError: if one cannot be used; it names the setting, and its environment
            variable where that is read, and never the token.
    """
    try:
        return ProviderSettings(**given)
    except ValidationError as error:
        raise _explain(error) from None


def read_environment(given: Container[str] = ()) -> dict[str, Any]:
    """The settings that the environment holds, as text; an empty one counts not.

    The variables are those of ``ENVIRONMENT``.

    Args:
        given: settings that are given elsewhere, and so not read. The sources of the
            token are one setting here: where one is given, none is read.

    Raises:
        ConfigError: if there is a TLS certificate without a key, or the reverse.
    """
    # On first use: reading the environment is all that it is needed for.
    from pydantic import create_model  # noqa: PLC0415
    from pydantic_settings import BaseSettings, SettingsConfigDict  # noqa: PLC0415

    class Base(BaseSettings):
        model_config = SettingsConfigDict(
            env_ignore_empty=True, extra="ignore", hide_input_in_errors=True
        )

    fields: dict[str, Any] = dict.fromkeys(ENVIRONMENT.values(), (str | None, None))
    found = create_model("Environment", __base__=Base, **fields)()
    values = {name: getattr(found, env) for name, env in ENVIRONMENT.items()}
    read = {name: value for name, value in values.items() if value is not None}
    parts = {name: read.pop(name) for name in list(read) if name.startswith(_OF_TLS)}
    if parts and "tls" not in given:
        read["tls"] = TLS(**{n.removeprefix(_OF_TLS): v for n, v in parts.items()})
    has_token = any(name in given for name in _TOKENS)
    return {
        name: value
        for name, value in read.items()
        if name not in given and not (has_token and name in _TOKENS)
    }


def find_misspelt() -> dict[str, str]:
    """The variables that no setting has, with those that they are likely meant to be.

    A name that begins as ours do need not be as like one of them as any other, and may
    go on as the setting is called.
    """
    known = {*ENVIRONMENT.values()}
    tails = {name.replace(".", "_").upper(): env for name, env in ENVIRONMENT.items()}
    tails |= {n.removeprefix(_OURS): n for n in known if n.startswith(_OURS)}
    found: dict[str, str] = {}
    for name in {name.upper() for name in os.environ} - known:
        if name.startswith(_OURS):
            tail = nearest_name(name.removeprefix(_OURS), tails)
            nearest = tail and tails[tail]
        else:
            nearest = nearest_name(name, known)
            least = 0.7 if name.startswith(("HUB_", "TASK_")) else 0.9
            if nearest and difflib.SequenceMatcher(None, name, nearest).ratio() < least:
                nearest = None
        if nearest:
            found[name] = nearest
    return found


def _explain(error: ValidationError) -> ConfigError:
    """Each setting that is wrong, with what it may be."""
    lines: list[str] = []
    for detail in error.errors(include_url=False, include_input=False):
        name = str(detail["loc"][0])
        message = detail["msg"].removeprefix("Value error, ")
        if detail["type"] == "extra_forbidden":
            nearest = nearest_name(name, ProviderSettings.model_fields)
            message = "there is no such setting"
            message += f"; did you mean {nearest!r}?" if nearest else ""
        lines.append(f"{name_setting(name)}: {message[:1].lower()}{message[1:]}")
    return ConfigError("; ".join(lines))
