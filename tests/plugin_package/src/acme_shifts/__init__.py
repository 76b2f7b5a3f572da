"""Corruptions of images by the sensors of Acme."""
