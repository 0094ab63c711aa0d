"""Every instance of MaskBench's public sample and of the official suite, judged as whole texts; counts and compile times.

    python -m benchmarks.json_schema_suites [maskbench | suite] [--tokens] [--ascii] [--verbose]

MaskBench runs with the default options, and again with `property_order="any"`; the official suite with the latter, and
with formats as annotations except in its own folder. The files of draft 7 carry no `$schema`; they are given one.

Prints how many schemas compile, are refused (and why), and give wrong answers, beside percentiles of the compile time.
The data are looked for in `<repository>/../shared`.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import constrain

SHARED = Path(__file__).resolve().parents[2] / "shared"


def by_text(expr: Any, text: str) -> bool:
    return bool(expr.matches(text))


class ByTokens:
    """Fed to a matcher as the tokens of Phi-3.5's vocabulary: accepted if every token is and the text may end there."""

    def __init__(self) -> None:
        self.vocabulary = constrain.Vocabulary.from_tokenizer(SHARED / "phi3-tokenizer")
        self.last: Any = (None, None)

    def __call__(self, expr: Any, text: str) -> bool:
        if self.last[0] is not expr:
            self.last = (expr, constrain.compile(expr, self.vocabulary))
        matcher = self.last[1].matcher()
        ids = self.vocabulary.encode(text.encode("utf-8", "surrogatepass"))
        return bool(matcher.accept_tokens(ids) == len(ids) and matcher.is_accepting())


def judge(expr: Any, tests: list[dict[str, Any]], accepts_text: Any, ascii_only: bool) -> tuple[int, int]:
    """Wrong accepts and wrong rejects over `{"data", "valid"}` records."""
    accepts = rejects = 0
    for test in tests:
        found = accepts_text(expr, json.dumps(test["data"], ensure_ascii=ascii_only))
        accepts += found and not test["valid"]
        rejects += not found and test["valid"]
    return accepts, rejects


def run(
    groups: list[tuple[str, Any, list[dict[str, Any]]]],
    verbose: bool,
    accepts_text: Any = by_text,
    ascii_only: bool = False,
    **options: Any,
) -> dict[str, Any]:
    """Counts over (name, schema, tests) groups."""
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    times: list[float] = []
    for name, schema, tests in groups:
        start = time.perf_counter()
        try:
            expr = constrain.json_schema(schema, **options)
        except constrain.ConstrainError as error:
            if isinstance(error, constrain.UnsatisfiableError) and not any(t["valid"] for t in tests):
                counts["rightly unsatisfiable"] += 1
                continue
            counts[type(error).__name__] += 1
            reasons[f"{type(error).__name__}: {str(error).splitlines()[0][:90]}"] += 1
            if verbose:
                print(f"{name}: {type(error).__name__}: {str(error)[:200]}")
            continue
        times.append(time.perf_counter() - start)
        accepts, rejects = judge(expr, tests, accepts_text, ascii_only)
        counts["compiled"] += 1
        counts["right"] += not accepts and not rejects
        counts["groups with a wrong accept"] += accepts > 0
        counts["groups with a wrong reject"] += rejects > 0
        if verbose and (accepts or rejects):
            print(f"{name}: {accepts} wrong accepts, {rejects} wrong rejects")
    times.sort()
    micro = {f"p{p}": round(times[min(len(times) - 1, len(times) * p // 100)] * 1e6) for p in (50, 90, 99)} if times else {}
    if times:
        micro |= {"avg": round(sum(times) / len(times) * 1e6), "max": round(times[-1] * 1e6)}
    return {"groups": len(groups), **counts, "compile_us": micro, "reasons": reasons}


def maskbench() -> list[tuple[str, Any, list[dict[str, Any]]]]:
    with gzip.open(SHARED / "maskbench" / "public.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    return [(r["id"], r["schema"], r["tests"]) for r in rows]


def suite(draft: str, folder: str = "") -> list[tuple[str, Any, list[dict[str, Any]]]]:
    base = SHARED / "json-schema-test-suite" / "tests" / draft
    files = sorted((base / folder).glob("*.json"))
    return [
        (f"{file.stem}: {g['description']}", declared(g["schema"], draft), g["tests"])
        for file in files
        for g in json.loads(file.read_text())
    ]


def declared(schema: Any, draft: str) -> Any:
    """The schema with the `$schema` of its folder, where it has none."""
    if draft != "draft7" or not isinstance(schema, dict) or "$schema" in schema:
        return schema
    return {"$schema": "http://json-schema.org/draft-07/schema#", **schema}


def remotes() -> dict[str, Any]:
    base = SHARED / "json-schema-test-suite" / "remotes"
    return {
        f"http://localhost:1234/{file.relative_to(base).as_posix()}": json.loads(file.read_text())
        for file in sorted(base.rglob("*.json"))
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("which", nargs="?", default="all", choices=["all", "maskbench", "suite"])
    parser.add_argument("--tokens", action="store_true", help="feed the texts as tokens of Phi-3.5's vocabulary")
    parser.add_argument("--ascii", action="store_true", help="spell the texts in ASCII, and allow any escapes")
    parser.add_argument("--verbose", action="store_true")
    given = parser.parse_args()
    if not SHARED.is_dir():
        print(f"no data: {SHARED} is not there", file=sys.stderr)
        return 1
    results = {}
    common: dict[str, Any] = {"accepts_text": ByTokens() if given.tokens else by_text, "ascii_only": given.ascii}
    common |= {"escapes": "any"} if given.ascii else {}
    if given.which in ("all", "maskbench"):
        groups = maskbench()
        run(groups[:20], False)
        results["maskbench"] = run(groups, given.verbose, **common)
        results["maskbench, any order"] = run(groups, given.verbose, property_order="any", **common)
    if given.which in ("all", "suite"):
        for draft in ("draft2020-12", "draft7"):
            for folder in ("", "optional", "optional/format"):
                formats = "assert" if folder.endswith("format") else "annotate"
                name = f"{draft}/{folder or 'required'}"
                results[name] = run(
                    suite(draft, folder), given.verbose, formats=formats, remotes=remotes(), property_order="any", **common
                )
    for name, result in results.items():
        reasons = result.pop("reasons")
        print(name, json.dumps(result))
        for reason, n in reasons.most_common(25 if given.verbose else 6):
            print(f"    {n:4} {reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
