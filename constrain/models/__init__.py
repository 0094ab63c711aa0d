"""Floor 5: the Phi-3.5 runner and its backends."""
