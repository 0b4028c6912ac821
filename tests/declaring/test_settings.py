"""Settings: by argument, by environment, and what is wrong with them."""

# Some settings are wrong on purpose.
# pyright: basic

import dataclasses
import datetime as dt
import re
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from arbvantage_provider import (
    TLS,
    AuthenticationError,
    ConfigError,
    ConnectionError,  # noqa: A004 - the name is the contract's
    Provider,
)
from arbvantage_provider.rate_limit import NoRateLimitMonitor, RateLimitMonitor
from arbvantage_provider.settings import ENVIRONMENT

TOKEN = "token-of-these-settings"

VALUES: dict[str, tuple[str, Any]] = {
    "name": ("weather", "weather"),
    "auth_token_file": ("token.txt", "token.txt"),
    "hub_url": ("hub:1", "hub:1"),
    "max_receive_bytes": ("20000", 20_000),
    "max_send_bytes": ("1073741824", 1_073_741_824),
    "execution_timeout": ("2.5", 2.5),
    "on_monitor_error": ("open", "open"),
    "max_concurrency": ("4", 4),
    "timezone": ("Europe/Riga", "Europe/Riga"),
    "response_format": ("unified", "unified"),
    "connect_timeout": ("0.5", 0.5),
    "shutdown_timeout": ("0", 0.0),
    "poll_interval": ("3", 3.0),
    "journal": ("tasks.journal", "tasks.journal"),
    "journal_max_age": ("60", 60.0),
    "journal_sync": ("FULL", "full"),
    "log_level": ("warning", "WARNING"),
    "log_file": ("provider.log", "provider.log"),
}


@pytest.fixture(autouse=True)
def environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> Callable[[str, str], None]:
    """Sets variables; none of ours is set before."""
    for variable in ENVIRONMENT.values():
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    return monkeypatch.setenv


SetEnv = Callable[[str, str], None]


def test_the_defaults_are_those_of_the_documents() -> None:
    provider = Provider("p")
    assert provider.settings.model_dump() == {
        "name": "p",
        "auth_token": None,
        "auth_token_file": None,
        "hub_url": "hub-grpc:50051",
        "tls": None,
        "max_receive_bytes": 67_108_864,
        "max_send_bytes": 67_108_864,
        "execution_timeout": 1.0,
        "on_monitor_error": "closed",
        "max_concurrency": 16,
        "timezone": "UTC",
        "response_format": "plain",
        "connect_timeout": 30.0,
        "shutdown_timeout": 10.0,
        "poll_interval": 1.0,
        "journal": None,
        "journal_max_age": 3600.0,
        "journal_sync": "normal",
        "log_level": "INFO",
        "log_file": None,
    }
    assert isinstance(provider.rate_limit_monitor, NoRateLimitMonitor)


def test_every_setting_has_an_environment_variable() -> None:
    parts = {f"tls.{field.name}" for field in dataclasses.fields(TLS)}
    settings = set(Provider("p").settings.model_dump()) - {"tls"}
    assert set(ENVIRONMENT) == settings | parts


def test_the_parts_of_tls_are_read(environment: SetEnv) -> None:
    parts = {"roots": "r.pem", "certificate": "c.pem", "key": "k", "server_name": "n"}
    environment("PROVIDER_NAME", "p")
    for name, value in parts.items():
        environment(ENVIRONMENT[f"tls.{name}"], value)
    assert Provider.from_env().settings.tls == TLS(**parts)
    assert Provider.from_env(tls=None).settings.tls is None


def test_a_part_of_tls_that_needs_another_is_named(environment: SetEnv) -> None:
    environment("PROVIDER_NAME", "p")
    environment("PROVIDER_TLS_KEY", "k.pem")
    with pytest.raises(ConfigError, match=r"^tls.certificate \(PROVIDER_TLS_CERT"):
        Provider.from_env()


@pytest.mark.parametrize("setting", VALUES)
def test_each_variable_is_read(environment: SetEnv, setting: str) -> None:
    text, value = VALUES[setting]
    environment("PROVIDER_NAME", "p")
    environment(ENVIRONMENT[setting], text)
    assert getattr(Provider.from_env().settings, setting) == value


def test_the_token_is_read(environment: SetEnv) -> None:
    environment("PROVIDER_NAME", "p")
    environment("PROVIDER_AUTH_TOKEN", TOKEN)
    assert Provider.from_env().settings.token == TOKEN


@pytest.mark.parametrize(
    "token", ['{"a": 1}', "null", "[1]", '"quoted"', " spaced ", "123"]
)
def test_a_token_is_taken_as_it_is(environment: SetEnv, token: str) -> None:
    environment("PROVIDER_NAME", "p")
    environment("PROVIDER_AUTH_TOKEN", token)
    assert Provider.from_env().settings.token == token


def test_an_explicit_argument_wins(environment: SetEnv) -> None:
    environment("PROVIDER_NAME", "of the environment")
    environment("TASK_EXECUTION_TIMEOUT", "no number")
    environment("PROVIDER_AUTH_TOKEN", TOKEN)
    provider = Provider.from_env(name="mine", execution_timeout=3, auth_token=None)
    assert (provider.name, provider.execution_timeout) == ("mine", 3.0)
    assert provider.settings.auth_token is None


def test_the_environment_is_not_read_unless_it_is_asked(environment: SetEnv) -> None:
    environment("HUB_GRPC_URL", "elsewhere:1")
    assert Provider("p").hub_url == "hub-grpc:50051"


def test_an_empty_variable_counts_not(environment: SetEnv) -> None:
    environment("PROVIDER_NAME", "p")
    environment("TASK_EXECUTION_TIMEOUT", "")
    environment("PROVIDER_AUTH_TOKEN", "")
    provider = Provider.from_env()
    assert provider.execution_timeout == 1.0
    assert provider.settings.auth_token is None


def test_a_name_is_needed() -> None:
    with pytest.raises(ConfigError, match=r"name \(PROVIDER_NAME\): field required"):
        Provider.from_env()


def test_from_env_makes_an_instance_of_the_class_and_keeps_a_monitor(
    environment: SetEnv,
) -> None:
    class Mine(Provider):
        pass

    environment("PROVIDER_NAME", "p")
    monitor = NoRateLimitMonitor()
    provider = Mine.from_env(rate_limit_monitor=monitor)
    assert isinstance(provider, Mine)
    assert provider.rate_limit_monitor is monitor


WRONG: list[tuple[str, Any, str]] = [
    ("name", "", "at least 1 character"),
    ("name", None, "valid string"),
    ("name", "\ud800", "valid string"),
    ("auth_token", 5, "valid string"),
    ("auth_token", [TOKEN], "valid string"),
    ("auth_token_file", 5, "valid string"),
    ("hub_url", "", "at least 1 character"),
    ("hub_url", "hub", "has no port"),
    ("max_receive_bytes", 16_383, "greater than or equal to 16384"),
    ("max_receive_bytes", True, "valid number"),
    ("max_send_bytes", 1_073_741_825, "less than or equal to 1073741824"),
    ("tls", {}, "instance of TLS"),
    ("execution_timeout", 0, "greater than 0"),
    ("execution_timeout", -1, "greater than 0"),
    ("execution_timeout", "soon", "valid number"),
    ("execution_timeout", float("nan"), "finite number"),
    ("execution_timeout", float("inf"), "finite number"),
    ("execution_timeout", 10**400, ""),
    ("execution_timeout", True, "valid number"),
    ("connect_timeout", 0, "greater than 0"),
    ("shutdown_timeout", -0.1, "greater than or equal to 0"),
    ("poll_interval", 0, "greater than 0"),
    ("max_concurrency", 0, "greater than or equal to 1"),
    ("max_concurrency", 1.5, "valid integer"),
    ("max_concurrency", "many", "valid integer"),
    ("max_concurrency", True, "valid number"),
    ("timezone", "Europe/Rigaa", "did you mean 'Europe/Riga'?"),
    ("timezone", "../../etc/passwd", "there is no time zone"),
    ("timezone", "", "there is no time zone"),
    ("timezone", "a\0b", "there is no time zone"),
    ("response_format", "xml", "'plain' or 'unified'"),
    ("journal_sync", "off", "'normal' or 'full'"),
    ("journal_sync", None, "'normal' or 'full'"),
    ("journal_sync", 2, "'normal' or 'full'"),
    ("on_monitor_error", "ajar", "'closed' or 'open'"),
    ("on_monitor_error", None, "'closed' or 'open'"),
    ("log_level", "LOUD", "'DEBUG', 'INFO'"),
    ("log_level", 10, "'DEBUG', 'INFO'"),
    ("log_file", "/nowhere/at/all.log", "cannot open"),
    ("log_file", "/", "cannot open"),
    ("log_file", "a\0b", "cannot open"),
    ("rate_limit_monitor", 5, "RateLimitMonitor"),
]


@pytest.mark.parametrize(("setting", "value", "problem"), WRONG)
def test_a_wrong_argument_is_named_and_not_its_variable(
    setting: str, value: Any, problem: str
) -> None:
    given = {"name": "p", "auth_token": TOKEN, setting: value}
    with pytest.raises(ConfigError) as caught:
        Provider(**given)
    text = str(caught.value)
    assert text.startswith(setting)
    assert ENVIRONMENT.get(setting, "no variable") not in text
    assert problem in text
    assert TOKEN not in "".join(traceback.format_exception(caught.value))


def test_a_wrong_variable_is_named(environment: SetEnv) -> None:
    environment("PROVIDER_NAME", "p")
    environment("PROVIDER_AUTH_TOKEN", TOKEN)
    environment("TASK_EXECUTION_TIMEOUT", "soon")
    environment("PROVIDER_MAX_CONCURRENCY", "many")
    with pytest.raises(ConfigError) as caught:
        Provider.from_env()
    assert "execution_timeout (TASK_EXECUTION_TIMEOUT): " in str(caught.value)
    assert "max_concurrency (PROVIDER_MAX_CONCURRENCY): " in str(caught.value)
    assert TOKEN not in "".join(traceback.format_exception(caught.value))


def test_an_unknown_setting_says_what_was_meant() -> None:
    with pytest.raises(ConfigError, match="did you mean 'max_concurrency'"):
        Provider.from_env(name="p", max_concurency=3)


def test_a_config_error_is_a_value_error() -> None:
    assert issubclass(ConfigError, ValueError)


def test_no_repr_holds_the_token() -> None:
    provider = Provider("p", auth_token=TOKEN)
    shown = [provider, provider.settings, provider.actions, provider._redactor]
    shown += [provider._encoder, provider.snapshot(), vars(provider)]
    assert TOKEN not in repr(shown)
    assert TOKEN not in str(shown)
    assert TOKEN not in provider.settings.model_dump_json()
    assert repr(provider) == "<Provider 'p' at hub-grpc:50051>"


def test_settings_are_frozen() -> None:
    provider = Provider("p")
    with pytest.raises(ValidationError):
        provider.settings.name = "q"


def test_an_empty_token_is_none() -> None:
    assert Provider("p", auth_token="").settings.auth_token is None
    assert Provider("p", auth_token="").settings.token == ""


def test_a_monitor_that_is_falsy_is_kept() -> None:
    class Falsy(NoRateLimitMonitor):
        def __len__(self) -> int:
            return 0

    monitor: RateLimitMonitor = Falsy()
    assert Provider("p", rate_limit_monitor=monitor).rate_limit_monitor is monitor


def test_a_time_zone_is_a_zone() -> None:
    offset = dt.datetime(2026, 1, 31, tzinfo=Provider("p").settings.zone).utcoffset()
    assert offset == dt.timedelta(0)


@pytest.mark.parametrize(("setting", "value", "problem"), WRONG)
def test_a_wrong_argument_is_the_source_where_the_environment_is_read_too(
    environment: SetEnv, setting: str, value: Any, problem: str
) -> None:
    environment("PROVIDER_NAME", "p")
    with pytest.raises(ConfigError, match=f"^{setting}") as caught:
        Provider.from_env(**{setting: value})
    assert ENVIRONMENT.get(setting, "no variable") not in str(caught.value)


def test_what_is_said_of_the_address_names_the_source_that_counts(
    environment: SetEnv,
) -> None:
    environment("PROVIDER_NAME", "p")
    environment("PROVIDER_AUTH_TOKEN", TOKEN)
    environment("PROVIDER_CONNECT_TIMEOUT", "0.1")
    environment("HUB_GRPC_URL", "127.0.0.1:1")
    given = "the argument hub_url (HUB_GRPC_URL is not read here)"
    with pytest.raises(ConnectionError, match=r"check hub_url \(HUB_GRPC_URL\)"):
        Provider.from_env().start()
    with pytest.raises(ConnectionError, match=re.escape(given)):
        Provider.from_env().start(hub_url="127.0.0.1:2")
    with pytest.raises(ConnectionError, match=re.escape(given)):
        Provider("p", TOKEN, "127.0.0.1:2", connect_timeout=0.1).start()


def test_what_is_said_of_the_token_names_the_source_that_counts(
    environment: SetEnv,
) -> None:
    environment("PROVIDER_NAME", "p")
    with pytest.raises(AuthenticationError, match=r"set auth_token \(PROVIDER_AUTH"):
        Provider.from_env().start()
    with pytest.raises(AuthenticationError, match="set the argument auth_token"):
        Provider("p").start()


@pytest.mark.parametrize("name", ["max_receive_bytes", "max_send_bytes"])
def test_a_message_has_room_in_the_journal(name: str) -> None:
    longest: dict[str, Any] = {name: 900_000_000}
    assert Provider("p", journal="tasks.journal", **longest).settings.journal
    longer: dict[str, Any] = {name: 900_000_001}
    assert Provider("p", **longer)
    with pytest.raises(ConfigError, match=f"{name} may be 900000000 at most"):
        Provider("p", journal="tasks.journal", **longer)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("PROVIDER_MAX_CONCURENCY", "PROVIDER_MAX_CONCURRENCY"),
        ("PROVIDER_MAX_CONCURRENCY_", "PROVIDER_MAX_CONCURRENCY"),
        ("provider_log_levl", "PROVIDER_LOG_LEVEL"),
        ("PROVIDERS_NAME", "PROVIDER_NAME"),
        ("PROVIDER_TOKEN_FILE", "PROVIDER_AUTH_TOKEN_FILE"),
        ("PROVIDER_AUTH_TOKN", "PROVIDER_AUTH_TOKEN"),
        ("HUB_GRPC_URI", "HUB_GRPC_URL"),
        ("HUB_URL", "HUB_GRPC_URL"),
        ("TASK_EXECUTION_TIMOUT", "TASK_EXECUTION_TIMEOUT"),
        ("PROVIDER_EXECUTION_TIMEOUT", "TASK_EXECUTION_TIMEOUT"),
        ("PROVIDER_HUB_URL", "HUB_GRPC_URL"),
    ],
)
def test_a_variable_with_a_slip_is_told_of(
    environment: SetEnv, capsys: pytest.CaptureFixture[str], written: str, meant: str
) -> None:
    environment("PROVIDER_NAME", "p")
    environment(written, "a-secret-value")
    Provider.from_env()
    (line,) = capsys.readouterr().err.splitlines()
    assert f"variable={written.upper()} " in f"{line} "
    assert f"did_you_mean={meant} " in f"{line} "
    assert "a-secret-value" not in line


def test_an_error_tells_of_a_variable_with_a_slip(environment: SetEnv) -> None:
    environment("PROVIDER_NAM", "a-secret-value")
    with pytest.raises(ConfigError) as caught:
        Provider.from_env()
    assert str(caught.value) == (
        "name (PROVIDER_NAME): field required; "
        "PROVIDER_NAM is not read; did you mean PROVIDER_NAME?"
    )


@pytest.mark.parametrize(
    "name", ["PROVIDER_NAME", "HUB_PORT", "TASK_QUEUE", "PROVIDER_REGION", "LOG_LEVEL"]
)
def test_variables_of_others_are_left_alone(
    environment: SetEnv, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    environment("PROVIDER_NAME", "p")
    environment(name, "x")
    Provider.from_env()
    Provider("p")
    assert capsys.readouterr().err == ""
