"""The tables of docs/connection.md are what is read, and what is said."""

import dataclasses
import re
from collections.abc import Callable

from arbvantage_provider import TLS, Provider
from arbvantage_provider.connection import (
    BY_ADDRESS,
    NO_PROXIES,
    PROXIES,
    parse_address,
)
from arbvantage_provider.hub import faults
from arbvantage_provider.variables import ENVIRONMENT, reading

ReadTable = Callable[[str, str], list[list[str]]]


def test_the_addresses_are_those_that_are_read(read_table: ReadTable) -> None:
    rows = read_table("connection.md", "## The address")
    shown = [url for row in rows for url in re.findall(r"`([^`]+)`", row[0])]
    assert {parse_address(url).scheme for url in shown} == {"", "grpc", "grpcs", "unix"}


def test_the_variables_of_proxies_are_those_that_are_read(
    read_table: ReadTable,
) -> None:
    rows = read_table("connection.md", "### Proxies")
    shown = [tuple(re.findall(r"`([^`]+)`", row[0])) for row in rows]
    assert shown == [PROXIES, NO_PROXIES, BY_ADDRESS]


def test_the_parts_of_tls_are_those_that_there_are(read_table: ReadTable) -> None:
    rows = read_table("connection.md", "## TLS")
    shown = {row[0].strip("`"): row[1].strip("`") for row in rows}
    assert list(shown) == [field.name for field in dataclasses.fields(TLS)]
    assert {f"tls.{name}": variable for name, variable in shown.items()} == {
        n: v for n, v in ENVIRONMENT.items() if n.startswith("tls.")
    }


def test_what_the_error_says_is_what_is_shown(read_table: ReadTable) -> None:
    after = (
        "`start()` raises `ConnectionError` where there is no connection, and says why:"
    )
    shown = {
        (row[0].strip("`"), row[1] == "at once")
        for row in read_table("connection.md", after)
    }
    known = [v for v in vars(faults).values() if isinstance(v, faults.Fault)]
    known += faults.FAULTS.values()
    with reading(ENVIRONMENT):
        words = [(re.split(";", each.describe())[0], each.is_certain) for each in known]
    assert {(text.partition(" (")[0], when) for text, when in words} == shown


def test_the_sources_of_a_token_are_arguments(read_table: ReadTable) -> None:
    rows = read_table("connection.md", "## The token")
    given = {name for row in rows for name in re.findall(r"`(\w+)=", row[0])}
    assert given == {"auth_token", "auth_token_file"}
    assert Provider("p", lambda: "a-token").has_token
