"""Starting a provider, and what each of its failures ends the process with."""

from arbvantage_provider.cli.errors import Failure, NoHub, TokenRefused
from arbvantage_provider.cli.user_code import blame
from arbvantage_provider.exceptions import (
    AuthenticationError,
    ConnectionError,  # noqa: A004 - the name is the contract's
    ProviderError,
)
from arbvantage_provider.executors.importing import starting
from arbvantage_provider.provider import Provider

_NOTHING_TO_SHOW = (
    "the provider has no token to show its hub: give it auth_token=…, or build it "
    "with Provider.from_env() and set PROVIDER_AUTH_TOKEN; with --local-hub it "
    "needs none"
)


def start(provider: Provider, **overrides: str) -> None:
    """Run the provider until it is stopped.

    Args:
        provider: what to run; it must have the main thread to see signals.
        overrides: ``hub_url`` and ``auth_token``, for this run only.

    Raises:
        Failure: with the exit code that says why.
    """
    try:
        with starting():
            provider.start(**overrides)
    except ConnectionError as error:
        raise NoHub(str(error)) from error
    except AuthenticationError as error:
        has_token = provider.has_token or "auth_token" in overrides
        raise TokenRefused(str(error) if has_token else _NOTHING_TO_SHOW) from error
    except ProviderError as error:
        raise Failure(str(error)) from error
    except Exception as error:
        raise blame(error, f"{provider.name!r} failed") from error
