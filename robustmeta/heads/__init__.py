"""Heads with weights of their own that read a support set: what model-based learners are made of."""
