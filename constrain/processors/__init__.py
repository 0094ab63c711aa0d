"""Floor 7: constraints inside other libraries that generate text."""
