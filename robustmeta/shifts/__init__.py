"""What a shift is made of: corruptions, taskings and sequences."""
