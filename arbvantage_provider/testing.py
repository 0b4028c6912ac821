"""What users test their providers with: a hub inside the process.

::

    with LocalHub(token="secret") as hub, running(provider, hub):
        assert hub.submit("echo", {"text": "hi"}).result().data == {"text": "hi"}
"""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from secrets import token_urlsafe

from arbvantage_provider.connection import name_scheme
from arbvantage_provider.executors.importing import check_start
from arbvantage_provider.local_hub.local_hub import LocalHub
from arbvantage_provider.local_hub.results import HubResult
from arbvantage_provider.local_hub.task_handle import TaskHandle
from arbvantage_provider.provider import Provider

__all__ = ["HubResult", "LocalHub", "TaskHandle", "running"]


@contextmanager
def running(provider: Provider, hub: LocalHub) -> Generator[Provider]:
    """Run ``provider`` against ``hub``, on a thread, for the time of the block.

    The hub's address and token are used, whatever the provider's settings say; with
    a hub that speaks TLS, the provider's ``tls``. At the end of the block the provider
    drains.

    Raises:
        ProviderError: whatever ended the provider, at the end of the block.
        TimeoutError: if it does not end within its ``shutdown_timeout`` and a
            few seconds.
    """
    check_start()
    raised: list[BaseException] = []

    def run() -> None:
        try:
            provider.start(
                hub_url=name_scheme(hub.url), auth_token=hub.token or token_urlsafe()
            )
        except BaseException as error:  # noqa: BLE001 - raised again below
            raised.append(error)

    thread = threading.Thread(target=run, name=f"provider {provider.name}", daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        provider.stop()
        thread.join(provider.settings.shutdown_timeout + 5)
    if raised:
        raise raised[0]
    if thread.is_alive():
        problem = f"{provider!r} did not end"
        raise TimeoutError(problem)
