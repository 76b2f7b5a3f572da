"""Cells on disk, their keys, and the records that they hold."""
