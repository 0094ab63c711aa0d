"""`constrain` with a scripted model instead of torch: for tests that start, kill and resume a process many times.

Its answers depend on the prompt alone, so that a resumed job's output can be compared with that of an undisturbed one.
"""

from __future__ import annotations

import sys
import time
import zlib

import numpy as np

import constrain.cli.extract
import constrain.cli.generate
from constrain.__main__ import main
from constrain.generate import LanguageModel
from constrain.vocabulary import Vocabulary

DELAY = 0.0005


class Scripted:
    """Logits drawn from a hash of the sequence so far; a token is a byte."""

    max_length = 100_000
    vocabulary = Vocabulary([*(bytes([byte]) for byte in range(256)), None], end_ids=256)

    def chat_ids(self, messages):
        return [*messages[-1]["content"].encode(), 256]

    def text_ids(self, text):
        return list(text.encode())

    def open(self, num_sequences):
        return Session(num_sequences)


class Session:
    def __init__(self, num_sequences):
        self.texts = [b""] * num_sequences

    def forward(self, tokens):
        time.sleep(DELAY)
        self.texts = [text + repr(new).encode() for text, new in zip(self.texts, tokens, strict=True)]
        rows = [np.random.default_rng(zlib.crc32(text)).normal(size=257) for text in self.texts]
        return np.array(rows, dtype=np.float32)

    def keep(self, rows):
        self.texts = [self.texts[row] for row in rows]

    def add(self, num_sequences):
        self.texts += [b""] * num_sequences


def run(argv):
    """The command line with the scripted model; returns the exit code."""

    def load(arguments):
        return LanguageModel(Scripted())

    constrain.cli.extract.load_model = load
    constrain.cli.generate.load_model = load
    return main(argv)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
