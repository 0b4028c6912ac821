"""``python -m arbvantage_provider``, and the script: the ``arbvantage`` command."""

from arbvantage_provider.cli import main
from arbvantage_provider.executors.importing import import_only


def run(name: str | None = None) -> None:
    """Run the command that is typed; this process starts nothing but what that says.

    Args:
        name: how the command is called; ``None``: as its file.
    """
    import_only("this command")
    main(prog_name=name)


if __name__ == "__main__":
    run("python -m arbvantage_provider")
