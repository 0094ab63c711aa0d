"""Floor 8: the options that name a model and how it samples."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..errors import ConstrainError

if TYPE_CHECKING:
    from ..generate import Phi

__all__ = ["add_model_options", "load_model", "sampling_of"]


def add_model_options(parser: argparse.ArgumentParser, *, max_tokens: int) -> None:
    """Adds --model, --dtype, --device and the options of sampling."""
    parser.add_argument(
        "--model", metavar="M", help="a checkpoint folder or hub id (default: the embedded model)"
    )
    parser.add_argument(
        "--dtype", metavar="T", help="float32, bfloat16 or float16 (default: the checkpoint's)"
    )
    parser.add_argument(
        "--device", metavar="D", help="cpu, cuda, cuda:1 … (default: a GPU where there is one)"
    )
    parser.add_argument(
        "--max-tokens", metavar="N", type=int, default=max_tokens, help=f"answer length ({max_tokens})"
    )
    parser.add_argument(
        "--temperature", metavar="T", type=float, default=0.0, help="0: the likeliest token (0)"
    )
    parser.add_argument("--top-k", metavar="K", type=int, help="draw from the K likeliest tokens")
    parser.add_argument(
        "--top-p", metavar="P", type=float, default=1.0, help="draw from the likeliest that sum to P"
    )
    parser.add_argument(
        "--min-p", metavar="P", type=float, default=0.0, help="… from those P times as likely as the best"
    )
    parser.add_argument("--seed", metavar="N", type=int, help="the same seed draws the same answers")


def sampling_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """The options of `generate` that the command line gives; wrong ones are refused here, before a model is loaded."""
    from ..models.sampling import Sampling

    names = ("temperature", "top_k", "top_p", "min_p", "seed")
    options = {name: getattr(arguments, name) for name in names}
    Sampling(**options)
    if arguments.max_tokens < 1:
        raise ConstrainError(f"--max-tokens is {arguments.max_tokens}, expected a number from 1")
    return options | {"max_tokens": arguments.max_tokens}


def load_model(arguments: argparse.Namespace) -> Phi:
    """The model that the options name."""
    from ..generate import Phi

    return Phi.load(arguments.model, dtype=arguments.dtype, device=arguments.device)
