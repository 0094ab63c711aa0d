"""Measurements of constrain beside its peers; see README.md in this folder."""
