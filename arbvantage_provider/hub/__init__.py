"""The only place that knows gRPC: the wire, a channel, a client, a local hub."""
