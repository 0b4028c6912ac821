"""The coverage-guided fuzzer: ``python program.py TARGET [libFuzzer options]``."""

# atheris is in the environment of `nox -s fuzz` only.
# pyright: basic, reportMissingImports=false, reportMissingModuleSource=false
# pyright: reportAttributeAccessIssue=false

import sys

import atheris

with atheris.instrument_imports(include=["arbvantage_provider"]):
    from targets import TARGETS


def main() -> None:
    """Fuzz the target that the first argument names."""
    name, *options = sys.argv[1:]
    atheris.Setup([sys.argv[0], *options], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
