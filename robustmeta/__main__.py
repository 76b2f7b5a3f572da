"""``python -m robustmeta``."""

from robustmeta.cli import app

app()
