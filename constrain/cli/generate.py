"""Floor 8: `constrain generate`: a prompt in, an answer out, under a constraint if one is given."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ..errors import ConstrainError
from .constraints import add_constraint_options, constraint_of
from .models import add_model_options, load_model, sampling_of

__all__ = ["add_parser", "run"]


def add_parser(commands: Any) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser(
        "generate", help="answer a prompt, in exactly the form asked for",
        description="Answers a prompt; with a constraint, the answer has exactly its form. The text goes to standard "
        "output as it comes. Exit code 1: the answer was cut off by --max-tokens.",
    )  # fmt: skip
    parser.add_argument("prompt", metavar="PROMPT", help="the user's message; - reads it from standard input")
    add_constraint_options(parser, required=False)
    parser.add_argument("--system", metavar="TEXT", help="a system message before the prompt")
    parser.add_argument(
        "--raw", action="store_true", help="continue the prompt as plain text, without the chat template"
    )
    parser.add_argument("--stats", action="store_true", help="say on standard error what the answer took")
    add_model_options(parser, max_tokens=512)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Generates; 0 for a whole answer, 1 for one cut off."""
    if arguments.raw and arguments.system is not None:
        raise ConstrainError("--system needs the chat template, which --raw leaves out")
    expr = constraint_of(arguments, whitespace="compact")
    options = sampling_of(arguments)
    prompt: Any = sys.stdin.read() if arguments.prompt == "-" else arguments.prompt
    lm = load_model(arguments)
    if arguments.system is not None:
        prompt = [{"role": "system", "content": arguments.system}, {"role": "user", "content": prompt}]
    stream = lm.stream(prompt, expr, chat=not arguments.raw, **options)
    for piece in stream:
        sys.stdout.write(piece)
        sys.stdout.flush()
    sys.stdout.write("\n")
    answer = stream.generation
    assert answer is not None
    if arguments.stats:
        print(
            f"{len(answer.token_ids)} tokens ({answer.num_sampled_tokens} sampled, {answer.num_forced_tokens} forced) in "
            f"{answer.num_forward_passes} passes and {answer.seconds:.2f} s, {1e3 * answer.mask_seconds:.1f} ms of them "
            f"for the constraint; finish_reason {answer.finish_reason}",
            file=sys.stderr,
        )
    if answer.finish_reason == "length":
        print(
            f"constrain generate: cut off after {len(answer.token_ids)} tokens (--max-tokens)",
            file=sys.stderr,
        )
        return 1
    return 0
