"""Train the embedded model: `python -m embedded.train` writes constrain/models/embedded/.

Tokenizer, constructed weights, a short phase on repeated random tokens, then synthetic documents without end: about 4,096
tokens a step, Muon for matrices and AdamW for embeddings, the rate constant first and then decaying. The loss counts values and what
closes them fully, other answer tokens at 0.3; its softmax runs over the batch's tokens, which learn, and random others, which
only repel. The seed decides everything but the rounding of the machine. Sources: Jordan et al. 2024 (Muon); Hägele et al. 2024
(constant rate, then decay). The figures are in embedded/README.md; benchmarks/extraction.py measures them.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch
import torch.nn.functional as F

from constrain.models.prompts import prompt
from embedded import construct, tokenizer
from embedded.documents import Record, Writer

FOLDER = Path(__file__).resolve().parent.parent / "constrain" / "models" / "embedded"
END, PADDING = 32007, 32000
BATCH_TOKENS, LONGEST = 4096, 460
NEGATIVES = 1536


class Encoder:
    """Records to token ids and loss weights."""

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer

        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        vocabulary = self.tokenizer.get_vocab()
        self.pieces = sorted(vocabulary, key=vocabulary.__getitem__)
        self.lengths = [
            1 if piece.startswith("<0x") else len(piece.replace("▁", " ").encode()) for piece in self.pieces
        ]
        self.words = [
            piece for piece in self.pieces if piece.isalpha() and len(piece) > 1 and not piece.startswith("▁")
        ]

    def encode(self, record: Record) -> tuple[list[int], list[float]]:
        """Ids of the whole chat and the weight of each as a target."""
        user = prompt(record.text, record.schema)[0]["content"]
        asked = self.tokenizer.encode(f"<|user|>\n{user}<|end|>\n<|assistant|>\n").ids
        answer = self.tokenizer.encode(record.answer).ids
        return [*asked, *answer, END], [0.0] * len(asked) + self._weights(record, answer)

    def _weights(self, record: Record, answer: list[int]) -> list[float]:
        counted = [0.3] * (len(record.answer.encode()) + 1)
        for start, end in record.spans:
            counted[start : end + 1] = [1.0] * (end + 1 - start)
        place, weights = -1, []
        for token in answer:
            weights.append(counted[max(place, 0)])
            place += self.lengths[token]
        return [*weights, 1.0]


@dataclass(frozen=True)
class Schedule:
    """The steps of a run; `decay` is the last share of them, over which the rate falls to nothing."""

    steps: int = 5000
    decay: float = 0.45
    seed: int = 0

    def rate(self, step: int) -> float:
        """The share of the full rates: a short warm-up, constant, then linear decay."""
        return min(1.0, (step + 1) / 60, (self.steps - step) / (self.decay * self.steps))


def batches(encoder: Encoder, schedule: Schedule) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Endless batches of records of similar length: ids and weights, padded on the right."""
    writer = Writer(schedule.seed, pieces=encoder.words)
    shuffle = Random(schedule.seed)
    while True:
        pool = sorted(
            (encoder.encode(writer.record()) for _ in range(2400)),
            key=lambda one: len(one[0]),
        )
        groups: dict[int, list[list[tuple[list[int], list[float]]]]] = {}
        for one in pool:
            width = -(-len(one[0]) // 16) * 16
            if width <= LONGEST:
                of_width = groups.setdefault(width, [[]])
                if len(of_width[-1]) == BATCH_TOKENS // width:
                    of_width.append([])
                of_width[-1].append(one)
        ready = [
            (group, width) for width, found in groups.items() for group in found if len(group) == BATCH_TOKENS // width
        ]
        shuffle.shuffle(ready)
        yield from (padded(group, width) for group, width in ready)


def padded(group: list[tuple[list[int], list[float]]], width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and weights of one width; the few shapes that widths of whole sixteens give keep kernels cached."""
    ids = torch.tensor([ids + [PADDING] * (width - len(ids)) for ids, _ in group])
    return ids, torch.tensor([weights + [0.0] * (width - len(weights)) for _, weights in group])


def repeated(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Random tokens, twice: the second half can be copied."""
    half = torch.randint(259, 32000, (20, 100), generator=generator)
    weights = torch.zeros(20, 200)
    weights[:, 101:] = 1.0
    return torch.cat([half, half], 1), weights


class Network:
    """The forward pass of Phi3ForCausalLM over embeddings, with matrices in bfloat16: three times as fast to train on a CPU as the
    module itself. `check` compares the two."""

    def __init__(self, model: Any) -> None:
        self.model = model
        angles = torch.arange(LONGEST + 60)[:, None] * construct.THETA ** (
            -torch.arange(construct.HEAD // 2) / (construct.HEAD // 2)
        )
        self.cos, self.sin = angles.cos(), angles.sin()

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        count, width, size = x.shape
        cos, sin = self.cos[:width, None], self.sin[:width, None]
        for layer in self.model.model.layers:
            attention, mlp = layer.self_attn, layer.mlp
            qkv = self._linear(_norm(x, layer.input_layernorm.weight), attention.qkv_proj.weight)
            heads = qkv.float().view(count, width, 3 * construct.HEADS, construct.HEAD)
            turned, value = heads.split([2 * construct.HEADS, construct.HEADS], 2)
            a, b = turned.chunk(2, -1)
            turned = torch.cat([a * cos - b * sin, b * cos + a * sin], -1)
            query, key = turned.transpose(1, 2).chunk(2, 1)
            mixed = F.scaled_dot_product_attention(query, key, value.transpose(1, 2), is_causal=True)
            x = x + self._linear(mixed.transpose(1, 2).reshape(count, width, size), attention.o_proj.weight).float()
            gate, up = self._linear(_norm(x, layer.post_attention_layernorm.weight), mlp.gate_up_proj.weight).chunk(
                2, -1
            )
            x = x + self._linear(F.silu(gate) * up, mlp.down_proj.weight).float()
        return _norm(x, self.model.model.norm.weight)

    @staticmethod
    def _linear(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return x.bfloat16() @ weight.bfloat16().t()

    def check(self, ids: torch.Tensor) -> float:
        """The greatest difference of the last layer's output from that of transformers."""
        with torch.no_grad():
            theirs = self.model.model(ids, use_cache=False).last_hidden_state
            return float((self(self.model.model.embed_tokens.weight[ids]) - theirs).abs().max())


def _norm(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return x * (x.square().mean(-1, keepdim=True) + 1e-5).rsqrt() * weight


class Rows:
    """AdamW over the embedding rows that a batch touches."""

    def __init__(self, table: torch.Tensor) -> None:
        self.table = table
        self.mean, self.square = torch.zeros_like(table), torch.zeros_like(table)
        self.steps = torch.zeros(len(table), 1)

    @torch.no_grad()
    def step(self, rows: torch.Tensor, gradient: torch.Tensor, rate: float) -> None:
        steps = self.steps[rows] + 1
        mean = self.mean[rows] * 0.9 + gradient * 0.1
        square = self.square[rows] * 0.95 + gradient.square() * 0.05
        self.steps[rows], self.mean[rows], self.square[rows] = steps, mean, square
        update = mean / (1 - 0.9**steps) / ((square / (1 - 0.95**steps)).sqrt() + 1e-7)
        self.table[rows] -= rate * update


class Muon:
    """Momentum, orthogonalised by five Newton-Schulz steps; fused projections are taken apart first."""

    def __init__(self, model: Any) -> None:
        self.parts: list[tuple[torch.nn.Parameter, int]] = []
        for layer in model.model.layers:
            self.parts += [
                (layer.self_attn.qkv_proj.weight, 3),
                (layer.self_attn.o_proj.weight, 1),
                (layer.mlp.gate_up_proj.weight, 2),
                (layer.mlp.down_proj.weight, 1),
            ]
        self.momenta = [torch.zeros_like(weight) for weight, _ in self.parts]

    @torch.no_grad()
    def step(self, rate: float) -> None:
        for (weight, count), momentum in zip(self.parts, self.momenta, strict=True):
            assert weight.grad is not None
            momentum.mul_(0.95).add_(weight.grad)
            update = (weight.grad + 0.95 * momentum).view(count, -1, weight.shape[1])
            weight.mul_(1 - rate * 0.02)
            weight.sub_(_orthogonalised(update).view_as(weight), alpha=rate * 0.2 * math.sqrt(max(update.shape[1:])))
            weight.grad = None


def _orthogonalised(update: torch.Tensor) -> torch.Tensor:
    x = (update / update.norm(dim=(1, 2), keepdim=True).clamp_min(1e-9)).bfloat16()
    tall = x.shape[1] > x.shape[2]
    x = x.transpose(1, 2) if tall else x
    for _ in range(5):
        square = x @ x.transpose(1, 2)
        x = 3.4445 * x + (-4.775 * square + 2.0315 * square @ square) @ x
    return (x.transpose(1, 2) if tall else x).float()


class Trainer:
    """One training run: the model, its two optimisers, and the step."""

    def __init__(self, model: Any, seed: int) -> None:
        self.model, self.network = model, Network(model)
        self.table = model.model.embed_tokens.weight.data
        self.rows, self.muon = Rows(self.table), Muon(model)
        self.norms = [parameter for name, parameter in model.named_parameters() if "norm" in name]
        self.adam = torch.optim.AdamW(self.norms, lr=1e-3, betas=(0.9, 0.95), weight_decay=0.0)
        self.generator = torch.Generator().manual_seed(seed)

    def step(self, ids: torch.Tensor, weights: torch.Tensor, rate: float) -> float:
        """One step at `rate` times the full rates; returns the loss."""
        used, places = ids.unique(return_inverse=True)
        others = torch.randint(3, 32000, (NEGATIVES,), generator=self.generator)
        others = others[~torch.isin(others, used)]
        others = others[: len(others) - (len(used) + len(others)) % 256]
        table = self.table[used].requires_grad_()
        hidden = self.network(F.embedding(places, table))
        counted = weights[:, 1:] > 0
        hidden, targets, weight = hidden[:, :-1][counted], places[:, 1:][counted], weights[:, 1:][counted]
        logits = torch.cat(
            [hidden.bfloat16() @ table.bfloat16().t(), hidden.bfloat16() @ self.table[others].bfloat16().t()], 1
        ).float()
        loss = (F.cross_entropy(logits, targets, reduction="none") * weight).sum() / weight.sum()
        loss.backward()
        assert table.grad is not None
        self.rows.step(used, table.grad, 1e-3 * rate)
        self.muon.step(3e-3 * rate)
        for group in self.adam.param_groups:
            group["lr"] = 1e-3 * rate
        self.adam.step()
        self.adam.zero_grad(set_to_none=True)
        return float(loss.detach())


@torch.no_grad()
def accuracy(trainer: Trainer, encoder: Encoder, unseen: bool, count: int = 150, show: int = 0) -> dict[str, float]:
    """The share of fields whose every token and closer has the greatest logit, by kind, over held-out values."""
    writer = Writer("progress", unseen=unseen, held_out=True)
    right: dict[str, list[bool]] = {}
    for number in range(count):
        record = writer.record()
        ids, weights = encoder.encode(record)
        if len(ids) > LONGEST:
            continue
        hidden = trainer.network(trainer.table[torch.tensor([ids])])[0]
        begin = weights.index(0.3) if 0.3 in weights else 0
        guesses = (hidden[begin - 1 : -1] @ trainer.table[:32011].t()).argmax(1).tolist()
        fields: list[bool] = []
        inside = False
        for guess, target, weight in zip(guesses, ids[begin:], weights[begin:], strict=True):
            if weight == 1.0 and not inside:
                fields.append(True)
            inside = weight == 1.0
            if inside and guess != target:
                fields[-1] = False
        right.setdefault(record.kind, []).extend(fields[:-1] if len(fields) > 1 else fields)
        if number < show:
            print(record.text, "\n", record.answer, "\n", encoder.tokenizer.decode(guesses), fields, flush=True)
    shares = {kind: sum(fields) / len(fields) for kind, fields in sorted(right.items())}
    every = [one for fields in right.values() for one in fields]
    return {"all": sum(every) / len(every)} | shares


def save(model: Any, folder: Path) -> None:
    """Write the weights in float16 and the two configuration files."""
    import copy

    half = copy.deepcopy(model).half()
    half.config.dtype = torch.float16
    half.save_pretrained(folder)
    (folder / "generation_config.json").write_text(
        json.dumps(
            {"bos_token_id": 1, "do_sample": False, "eos_token_id": [32007, 32001, 32000], "pad_token_id": 32000},
            indent=2,
        )
        + "\n"
    )


def progress(trainer: Trainer, encoder: Encoder) -> None:
    for unseen in (False, True):
        shares = accuracy(trainer, encoder, unseen)
        line = " ".join(f"{kind} {share:.3f}" for kind, share in shares.items())
        print("  unseen" if unseen else "  known ", line, flush=True)


def warm_up(trainer: Trainer, steps: int = 60) -> None:
    """The first steps, on random tokens that repeat: they set the strength of the constructed heads."""
    for step in range(steps):
        loss = trainer.step(*repeated(trainer.generator), rate=(step + 1) / steps)
    print(f"repeated tokens: loss {loss:.3f}", flush=True)


def run(trainer: Trainer, encoder: Encoder, schedule: Schedule, checkpoint: Path | None) -> None:
    began, total = time.time(), 0.0
    source = batches(encoder, schedule)
    for step in range(1, schedule.steps + 1):
        total += trainer.step(*next(source), rate=schedule.rate(step - 1))
        if step % 100 == 0:
            print(f"step {step}: loss {total / 100:.4f}, {time.time() - began:.0f} s", flush=True)
            total = 0.0
        if step % 500 == 0 or step == schedule.steps:
            progress(trainer, encoder)
            if checkpoint:
                torch.save(trainer.model.state_dict(), checkpoint)


def main() -> None:
    parser = argparse.ArgumentParser(description="train the embedded model and write its files")
    parser.add_argument("--output", type=Path, default=FOLDER)
    parser.add_argument("--checkpoint", type=Path, help="write the weights here every 500 steps")
    parser.add_argument("--start", type=Path, help="go on from these weights with a fresh schedule")
    parser.add_argument("--steps", type=int, default=Schedule.steps)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    tokenizer.write(options.output)
    encoder = Encoder(options.output)
    model = construct.build(encoder.pieces, options.seed)
    trainer = Trainer(model, options.seed)
    if options.start:
        model.load_state_dict(torch.load(options.start))
    else:
        warm_up(trainer)
    difference = trainer.network.check(torch.arange(300, 500)[None])
    print(f"the forward pass differs from that of transformers by at most {difference:.3f}", flush=True)
    run(trainer, encoder, Schedule(options.steps, seed=options.seed), options.checkpoint)
    save(model, options.output)


if __name__ == "__main__":
    main()
