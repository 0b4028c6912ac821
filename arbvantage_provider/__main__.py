"""``python -m arbvantage_provider``: the ``arbvantage`` command."""

from arbvantage_provider.cli import main

if __name__ == "__main__":
    main(prog_name="python -m arbvantage_provider")
