"""Certificates that change while a provider runs, in every way in which they do."""

import asyncio
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from arbvantage_provider import TLS, ConfigError, Provider
from arbvantage_provider.connection import parse_address
from arbvantage_provider.hub.channel_pool import ChannelPool
from arbvantage_provider.hub.files import Watched
from arbvantage_provider.testing import LocalHub

Make = Callable[..., Provider]
Start = Callable[..., Any]


CLOSED = grpc.ChannelConnectivity.SHUTDOWN


class Clock:
    """Tells a time that the test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def put(source: Path, target: Path) -> None:
    """Replace a file as a whole."""
    new = target.with_suffix(".new")
    shutil.copyfile(source, new)
    new.replace(target)


def read_warnings(log: Path) -> list[str]:
    channels = map(json.loads, log.read_text(encoding="utf-8").splitlines())
    return [
        line["reason"] for line in channels if "file cannot be used" in line["event"]
    ]


# --- in a provider at work ---------------------------------------------------


def test_a_hub_that_comes_back_with_another_authority_is_trusted_when_the_roots_change(
    make_authority: Any, make_provider: Make, start: Start
) -> None:
    former, latter = make_authority(), make_authority()
    served = former.serve()
    roots = former.roots.with_name("trusted.pem")
    put(former.roots, roots)
    provider = make_provider(auth_token="a-token", tls=TLS(roots=roots))
    with LocalHub(tls=served) as hub:
        start(provider, hub)
        hub.submit("echo").result(20)
        hub.stop()
        new = latter.issue()
        put(new.certificate, Path(str(served.certificate)))
        put(new.key, Path(str(served.key)))
        put(latter.roots, roots)
        hub.start()
        assert hub.submit("echo", {"text": "again"}).result(20).data == {
            "text": "again"
        }


def test_a_certificate_that_changes_is_shown_without_a_restart(
    authority: Any, noting_hub: Any, make_provider: Make, start: Start
) -> None:
    mine, other = authority.issue("first"), authority.issue("second")
    tls = TLS(roots=authority.roots, **mine._asdict())
    with noting_hub as hub:
        run = start(make_provider(auth_token="a-token", tls=tls), hub)
        hub.wait_for(name="first")
        put(other.certificate, mine.certificate)
        put(other.key, mine.key)
        hub.wait_for(name="second")
        run.stop()


def test_a_volume_of_kubernetes_that_is_swapped_is_seen(
    authority: Any, noting_hub: Any, make_provider: Make, start: Start, tmp_path: Path
) -> None:
    for name in ("first", "second"):
        pair = authority.issue(name)
        (tmp_path / name).mkdir()
        pair.certificate.rename(tmp_path / name / "tls.crt")
        pair.key.rename(tmp_path / name / "tls.key")
    data = tmp_path / "..data"
    data.symlink_to(tmp_path / "first")
    tls = TLS(roots=authority.roots, certificate=data / "tls.crt", key=data / "tls.key")
    with noting_hub as hub:
        run = start(make_provider(auth_token="a-token", tls=tls), hub)
        hub.wait_for(name="first")
        next_data = tmp_path / "..data_tmp"
        next_data.symlink_to(tmp_path / "second")
        next_data.replace(data)
        hub.wait_for(name="second")
        run.stop()


def test_a_certificate_whose_key_comes_later_is_not_used_before(
    authority: Any,
    noting_hub: Any,
    make_provider: Make,
    start: Start,
    eventually: Any,
    log: Path,
) -> None:
    mine, other = authority.issue("first"), authority.issue("second")
    tls = TLS(roots=authority.roots, **mine._asdict())
    with noting_hub as hub:
        run = start(make_provider(auth_token="a-token", tls=tls), hub)
        hub.wait_for(name="first")
        put(other.certificate, mine.certificate)
        eventually(lambda: bool(read_warnings(log)))
        hub.calls.clear()
        hub.wait_for(name="first")
        put(other.key, mine.key)
        hub.wait_for(name="second")
        run.stop()
    (warning,) = read_warnings(log)
    assert warning.startswith("tls.key: ")


def test_a_poll_that_is_held_ends_on_the_channel_where_it_began(authority: Any) -> None:
    mine, other = authority.issue("first"), authority.issue("second")
    server = TLS(roots=authority.roots, **authority.issue()._asdict())
    clock = Clock()

    async def program(hub: LocalHub) -> None:
        channels = ChannelPool(
            parse_address(hub.url),
            TLS(roots=authority.roots, **mine._asdict()),
            proxy=None,
            max_receive_bytes=100_000,
            max_send_bytes=100_000,
            monotonic=clock,
            warn=pytest.fail,
        )
        line = channels.begin()
        poll = line.poll(b"", timeout=20)
        await asyncio.to_thread(hub.wait_until, lambda: hub.held == 1)
        put(other.certificate, mine.certificate)
        put(other.key, mine.key)
        clock.now += 1
        assert channels.current() is not line
        hub.submit("echo")
        assert (await poll).action == "echo"
        assert line.channel.get_state() is not CLOSED
        channels.end(line)
        async with asyncio.timeout(10):
            while line.channel.get_state() is not CLOSED:  # noqa: ASYNC110 - gRPC tells nobody
                await asyncio.sleep(0.005)
        await channels.close()

    with LocalHub(tls=server, idle="long_poll") as hub:
        asyncio.run(program(hub))


# --- the files by themselves -------------------------------------------------


class File:
    """A watched file, with its clock and what it warned of."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = Clock()
        self.warnings: list[str] = []
        self.reads = 0
        path.write_text("one", encoding="utf-8")
        self.watched = Watched(
            [path], self.read, monotonic=self.clock, warn=self.warnings.append
        )

    def read(self) -> str:
        self.reads += 1
        text = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
        if not text:
            raise ConfigError("there is nothing")
        return text

    def look(self, *, after: float) -> str:
        self.clock.now += after
        self.watched.look()
        return self.watched.value


@pytest.fixture
def file(tmp_path: Path) -> File:
    return File(tmp_path / "file")


def test_a_file_is_looked_at_once_a_second_at_most(file: File) -> None:
    file.path.write_text("other", encoding="utf-8")
    assert file.look(after=0.9) == "one"
    assert file.look(after=0.2) == "other"


def test_a_file_that_does_not_change_is_not_read_again_and_again(file: File) -> None:
    for _ in range(5):
        file.look(after=1)
    assert file.reads == 2


def test_a_second_write_within_one_tick_of_the_clock_is_seen(file: File) -> None:
    assert [file.look(after=1), file.look(after=1)] == ["one", "one"]
    file.path.write_text("two", encoding="utf-8")
    assert file.look(after=1) == "two"
    stamp = file.path.stat()
    file.path.write_text("six", encoding="utf-8")
    os.utime(file.path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert file.look(after=1) == "six"


def test_a_file_that_cannot_be_used_changes_nothing_and_is_told_once(
    file: File,
) -> None:
    file.path.write_text("", encoding="utf-8")
    assert [file.look(after=1), file.look(after=1)] == ["one", "one"]
    file.path.unlink()
    assert file.look(after=1) == "one"
    assert file.warnings == ["there is nothing"]


def test_a_file_that_can_be_used_again_is_used_and_its_next_fault_is_told(
    file: File,
) -> None:
    file.path.write_text("", encoding="utf-8")
    file.look(after=1)
    file.path.write_text("two", encoding="utf-8")
    assert file.look(after=1) == "two"
    file.path.write_text("", encoding="utf-8")
    file.look(after=1)
    assert len(file.warnings) == 2


@pytest.mark.parametrize("half", ["half of it", ""])
def test_a_file_that_changes_under_the_reading_is_read_again(
    tmp_path: Path, half: str
) -> None:
    path = tmp_path / "file"
    path.write_text(half, encoding="utf-8")
    others = ["the whole of it"]

    def read() -> str:
        text = path.read_text(encoding="utf-8")
        if others:
            path.write_text(others.pop(), encoding="utf-8")
        if not text:
            raise ConfigError("there is nothing")
        return text

    watched = Watched([path], read, monotonic=lambda: 0, warn=pytest.fail)
    assert watched.value == "the whole of it"


def test_a_file_that_never_stands_still_cannot_be_used(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()

    def read() -> int:
        with path.open("a", encoding="utf-8") as file:
            return file.write("more")

    with pytest.raises(ConfigError, match="changes while it is read"):
        Watched([path], read, monotonic=lambda: 0, warn=pytest.fail)
