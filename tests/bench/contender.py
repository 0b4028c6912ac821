"""The contender: a provider of this package, as its users write one."""

# pyright: basic

import threading

from handlers import make_handler
from meter import NAME, TOKEN, Meter, read_arguments
from payloads import CreateUser

from arbvantage_provider import Provider


def stick(payload: CreateUser) -> None:
    """Never return."""
    threading.Event().wait()


def main() -> None:
    """Run until SIGTERM."""
    arguments = read_arguments(["async", "sync", "wait", "block"])
    handler = make_handler(arguments.kind, Meter(arguments.marks))
    settings = {"max_concurrency": arguments.slots, "journal": arguments.journal}
    provider = Provider(NAME, TOKEN, arguments.hub, **settings)
    provider.actions.register("create_user", payload_schema=CreateUser)(handler)
    provider.actions.register("stick", payload_schema=CreateUser)(stick)
    provider.start()


if __name__ == "__main__":
    main()
