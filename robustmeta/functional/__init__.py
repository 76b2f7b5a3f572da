"""Mathematics only: tensors in, tensors out."""
