"""The command ``robustmeta``: parses, calls the package, prints."""

from robustmeta.cli.main import app

__all__ = ["app"]
