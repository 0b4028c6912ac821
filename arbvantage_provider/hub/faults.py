"""Why there is no connection, and what to do about it: gRPC's words in ours."""

import re
from dataclasses import dataclass
from typing import Final

from arbvantage_provider.variables import name_source, show_variables


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a hub cannot be reached.

    Attributes:
        words: what is wrong, and what to write, with room for variables.
        is_certain: whether waiting will not help.
    """

    words: str
    is_certain: bool = True

    def describe(self) -> str:
        """The words, with the environment variables that count."""
        return self.words.format(
            hub_url=name_source("hub_url"),
            server_name=show_variables("tls.server_name"),
            roots=show_variables("tls.roots"),
            certificate=show_variables("tls.certificate", "tls.key"),
        )


_OTHER_NAME: Final = Fault(
    words="its certificate is not for this host; give the name that it is for as "
    "TLS(server_name=…){server_name}"
)
_UNKNOWN_ROOT: Final = Fault(
    words="its certificate is of no authority that is trusted here; give the "
    "authority's own as TLS(roots=…){roots}"
)
# In the order in which they are looked for. The spelling is that of gRPC 1.84 to 1.85.
FAULTS: Final = {
    "certificate has expired": Fault(words="its certificate has expired"),
    "certificate is not yet valid": Fault(words="its certificate is not valid yet"),
    "unable to get local issuer certificate": _UNKNOWN_ROOT,
    "unable to get issuer certificate": _UNKNOWN_ROOT,
    "self signed certificate": _UNKNOWN_ROOT,
    "self-signed certificate": _UNKNOWN_ROOT,
    "CERTIFICATE_VERIFY_FAILED": Fault(words="its certificate is not valid"),
    "Hostname Verification Check failed": _OTHER_NAME,
    "is not in peer certificate": _OTHER_NAME,
    "WRONG_VERSION_NUMBER": Fault(
        words="it speaks no TLS; write grpc://host:port for a hub in plain text"
    ),
}
_HUNG_UP: Final = "Socket closed"
_WANTS_CERTIFICATE: Final = Fault(
    words="it hangs up on TLS; it may want a certificate, or another one: give "
    "TLS(certificate=…, key=…){certificate}",
    is_certain=False,
)
_WANTS_TLS: Final = Fault(
    words="it hangs up on plain text; if it speaks TLS, write grpcs://host:port",
    is_certain=False,
)
_BETWEEN: Final = re.compile(
    r"Received http2 header with status: (?P<status>\d+)"
    r"|(?P<reset>Received RST_STREAM with error code)"
    r"|No status received|Data frame with END_STREAM flag"
)
"""What gRPC says where a call ends without a status of the hub's own."""
UNKNOWN: Final = Fault(words="check {hub_url}", is_certain=False)


def explain(said: str, *, is_encrypted: bool = False) -> Fault:
    """What gRPC's words for a connection that failed mean.

    Args:
        said: the details of a call that found no connection; ``""``: none.
        is_encrypted: whether TLS was spoken.
    """
    if is_encrypted:
        for words, fault in FAULTS.items():
            if words in said:
                return fault
    if _HUNG_UP in said:
        return _WANTS_CERTIFICATE if is_encrypted else _WANTS_TLS
    return UNKNOWN


def find_answer_between(said: str) -> str | None:
    """What answered in the place of a hub; ``None``: it may be the hub itself.

    A proxy or a load balancer answers by HTTP alone. gRPC makes a status of that,
    such as UNIMPLEMENTED of 404, which is no word of the hub.

    Args:
        said: the details of a call that failed.
    """
    found = _BETWEEN.search(said)
    if found is None:
        return None
    if found["status"]:
        return f"HTTP status {found['status']}"
    return "a reset" if found["reset"] else "no status of gRPC"
