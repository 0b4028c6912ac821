"""The only place that knows gRPC: the wire, channels, and a client."""

from arbvantage_provider.settings import suggest_variable

# gRPC reads it once, when it is imported. Its own log writes to stderr what a peer says
# word for word, line ends and all; what matters of it is in our errors, too.
with suggest_variable("GRPC_VERBOSITY", "NONE"):
    import grpc as _  # noqa: F401
