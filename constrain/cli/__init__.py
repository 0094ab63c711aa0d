"""Floor 8: the commands of the command line, one a file; __main__.py dispatches."""
