"""Code generated from ``proto/hub.proto`` by ``nox -s proto``; never edited."""
