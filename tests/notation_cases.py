"""The same for the other notations: GBNF as llama.cpp documents it, EBNF as XGrammar and ISO/IEC 14977 write it.

See lark_cases.py for the form of a case. In EBNF the rule to begin with is called `root` throughout.
"""

from __future__ import annotations

from typing import Any

from tests.lark_cases import END_THINK, EOM, GGML, ISO, THINK, TOOL, XE, Case
from tests.lark_cases import case as any_case


def gbnf(id: str, source: str, grammar: str, accept: Any = (), reject: Any = (), **more: Any) -> Case:
    return any_case(f"gbnf-{id}", GGML + source, grammar, accept, reject, notation="gbnf", **more)


def ebnf(id: str, source: str, grammar: str, accept: Any = (), reject: Any = (), **more: Any) -> Case:
    return any_case(f"ebnf-{id}", source, grammar, accept, reject, notation="ebnf", **more)


GBNF = [
    gbnf("literal", "basics", 'root ::= "ab" "c"', ["abc"], ["", "ab", "abcd", "ab c"]),
    gbnf("alternatives", "sequences", 'root ::= "a" "b" | "c" | d\nd ::= "d"', ["ab", "c", "d"], ["a", "abc"]),
    gbnf("groups", "sequences", 'root ::= ("a" | "b") ("c" | "d")', ["ac", "bd"], ["a", "ab"]),
    gbnf("class", "characters", "root ::= [a-c_] [NBKQR]", ["aN", "_R"], ["dN", "aA", "-N"]),
    gbnf("class-negated", "characters", 'root ::= [^\\n"]+ "\\n"', ["abc\n", "é😀\n"], ["\n", 'a"b\n', "a\nb\n"]),
    gbnf("class-escapes", "characters", r'root ::= [\]\\\[]+ "."', ["]\\[."], [".", "a."]),
    gbnf("class-dash-last", "characters", "root ::= [+*-]+", ["-", "+*-"], ["", ","]),
    gbnf("class-unicode", "characters", "root ::= [ぁ-ゟ]+", ["ひらがな"], ["カ", "a", ""]),
    gbnf("class-codes", "characters", r"root ::= [\x41-\x43\u00e9\U0001F600]+", ["ABC", "é😀"], ["D", "e"]),
    gbnf("escapes", "characters", r'root ::= "\x41\u00e9\U0001F600\n\t\r\"\\"', ['Aé😀\n\t\r"\\'], ["A"]),
    gbnf("dot", "tokens", 'root ::= "<" .* ">"', ["<>", "<a\nb>", "<>>"], ["<", ">"]),
    gbnf("star-plus-optional", "repetition", 'root ::= "a"* "b"+ "c"?', ["b", "aabbc"], ["a", "bcc", ""]),
    gbnf("exactly", "repetition", 'root ::= "ab"{3}', ["ababab"], ["abab", "abababab"]),
    gbnf("at-least", "repetition", "root ::= [0-9]{2,}", ["12", "12345"], ["1", ""]),
    gbnf("between", "repetition", 'root ::= ("x" | "yy"){1,2} "."', ["x.", "yyx."], [".", "xxx."]),
    gbnf("at-most", "repetition", 'root ::= "x"{0,2} "."', [".", "xx."], ["xxx."]),
    gbnf("repeated-rule", "repetition", 'root ::= item{2} "!"\nitem ::= "(" item? ")"', ["()()!", "(())()!"], ["()!", "()()()!"]),
    gbnf("recursion", "non-terminals", 'root ::= "(" root ")" | [a-z]+', ["a", "((ab))"], ["(", "(a", "()"]),
    gbnf("left-recursion", "non-terminals", 'root ::= root "," [0-9]+ | [0-9]+', ["1", "1,22,3"], ["1,", ",1"]),
    gbnf("names", "non-terminals", "root ::= a-b UPPER-CASE rule_1 dataType\na-b ::= \"1\"\nUPPER-CASE ::= \"2\"\nrule_1 ::= \"3\"\ndataType ::= \"4\"", ["1234"], ["123"]),
    gbnf("comments", "comments", '# one\nroot ::= "#" # two\n  # three\n\n# four', ["#"], ["", "# two"]),
    gbnf("newlines-in-parentheses", "comments", 'root ::= (\n  # inside\n  "a"\n  "b"\n\n  | "c"\n)', ["ab", "c"], ["a", "abc"]),
    gbnf("newline-behind-bar", "comments", 'root ::= "a" |\n  "b" |\n\n  # yes\n  "c"', ["a", "b", "c"], ["ab"]),
    gbnf("empty-alternative", "json schemas", 'root ::= "a" space "b"\nspace ::= | " " | "\\n" [ \\t]{0,2}', ["ab", "a b", "a\n  b"], ["a  b", "a\n   b"]),
    gbnf("empty-string", "basics", 'root ::= "a" ("" | "b")', ["a", "ab"], ["b"]),
    gbnf("token-name", "tokens", "root ::= <think> thinking </think> [0-9]+\nthinking ::= !</think>*", [(THINK, "a\n", END_THINK, "1"), (THINK, END_THINK, "12"), (THINK, TOOL, END_THINK, "1")], ["<think></think>1", (THINK, "1"), (THINK, END_THINK, END_THINK, "1")]),
    gbnf("token-number", "tokens", 'root ::= <[302]> "a" !<[302]> "b"', [(TOOL, "a", EOM, "b"), (TOOL, "axb")], ["ab", (TOOL, "a", TOOL, "b"), (TOOL, "ab")]),
    gbnf("undefined", "basics", "root ::= nowhere", error="GrammarError"),
    gbnf("no-root", "the root rule", 'start ::= "a"', error="GrammarError"),
    gbnf("unclosed-string", "basics", 'root ::= "a', error="GrammarError"),
    gbnf("unclosed-class", "characters", "root ::= [a-", error="GrammarError"),
    gbnf("unknown-escape", "characters", r'root ::= "\q"', error="GrammarError"),
    gbnf("bad-range", "repetition", 'root ::= "a"{3,2}', error="GrammarError"),
    gbnf("nothing-to-repeat", "repetition", "root ::= *", error="GrammarError"),
]

XGRAMMAR_EBNF = [
    ebnf("expression", XE + "head", 'root ::= sum\nsum ::= num ([-+] num)*\nnum ::= [0-9]+ | "(" sum ")"', ["1", "1+(2-3)"], ["+1", "1+", "(1"]),
    ebnf("over-lines", XE + "grammar structure", 'root ::= "a"\n  | "b"\n  "c"\nother ::= "d"', ["a", "bc"], ["b", "d"]),
    ebnf("names", XE + "grammar structure", 'root ::= a.b c-d _e1\na.b ::= "1"\nc-d ::= "2"\n_e1 ::= "3"', ["123"], ["12"]),
    ebnf("comments", XE + "grammar structure", '# one\nroot ::= "#" # two', ["#"], ["#  "]),
    ebnf("left-recursion", XE + "grammar structure", 'root ::= root "a" | "a"', ["a", "aaa"], ["", "b"]),
    ebnf("empty-literal", XE + "string literals", 'root ::= sign [0-9]\nsign ::= "" | "+" | "-"', ["1", "-1"], ["+", "+-1"]),
    ebnf("empty-group", XE + "sequences", 'root ::= "a" ( ) "b"', ["ab"], ["a b"]),
    ebnf("escapes", XE + "string literals", r'root ::= "\"\\\/\'\?\n\r\t\b\f\a\v\0\e\x41\u00e9\U0001F600"', ["\"\\/'?\n\r\t\b\f\a\v\0\x1bAé😀"], ["A"]),
    ebnf("any-character", XE + "character classes", 'root ::= "<" [^]{2} ">"', ["<ab>", "<\n😀>"], ["<a>", "<abc>"]),
    ebnf("class-escapes", XE + "character classes", r"root ::= [\^\$\\\.\*\+\?\(\)\[\]\{\}\|\/\-]+", ["^$\\.*+?()[]{}|/-"], ["a", ""]),
    ebnf("class-negated", XE + "character classes", "root ::= [^0-9]", ["a", "\n", "日"], ["1", "", "ab"]),
    ebnf("shorthand-class", XE + "character classes", r"root ::= [\d]", error="GrammarError"),
    ebnf("counts", XE + "repetition", 'root ::= "a"{2} ("b" | "c"){1,2} "d"{2,} "e"{0}', ["aabdd", "aacbddd"], ["abdd", "aabd", "aabdde"]),
    ebnf("count-without-least", XE + "repetition", 'root ::= "a"{,4}', error="GrammarError"),
    ebnf("operator-twice", XE + "repetition", 'root ::= "a"++', error="GrammarError"),
    ebnf("operator-on-group", XE + "repetition", 'root ::= ("a"+)+', ["a", "aaa"], [""]),
    ebnf("defined-twice", XE + "grammar structure", 'root ::= "a"\nroot ::= "b"', error="GrammarError"),
    ebnf("undefined", XE + "usage", 'root ::= "x" nowhere', error="GrammarError"),
    ebnf("temperature", XE + "rule options", 'root ::= "n=" value\nvalue[temperature=0.7] ::= [a-z]+', ["n=ab"], ["n="]),
    ebnf("dispatch", XE + "TagDispatch", 'root ::= TagDispatch(("<t>", tool), ("<c>", code))\ntool ::= [0-9]+ "</t>"\ncode ::= [a-z]+ "</c>"', ["", "free text", "a <t", "<t>1</t>x<c>ab</c>", "<c>a</c><t>2</t>"], ["<t>", "<t>a</t>", "x<c>1</c>", "<c>a"]),
    ebnf("dispatch-once", XE + "TagDispatch", 'root ::= TagDispatch(("<t>", tool), loop_after_dispatch=false)\ntool ::= [0-9]+ "</t>"', ["", "x", "x<t>1</t>"], ["<t>1</t>x", "<t>1</t><t>2</t>"]),
    ebnf("dispatch-excludes", XE + "TagDispatch", 'root ::= body "</a>"\nbody ::= TagDispatch(("<t>", tool), excludes=("</a>",))\ntool ::= [^<]* "</t>"', ["</a>", "x<t>y</t>z</a>"], ["", "x</a>y", "x</a></a>", "<t>y</a>"]),
    ebnf("token", XE + "token-level elements", 'root ::= Token(302, 303) [a-z]+ ExcludeToken(302) "."', [(TOOL, "a", EOM, "."), (EOM, "ab", THINK, ".")], ["a.", (TOOL, "a", TOOL, "."), (THINK, "a", EOM, ".")]),
    ebnf("token-dispatch", XE + "TokenTagDispatch", 'root ::= TokenTagDispatch((302, tool), excludes=(303,))\ntool ::= [0-9]+ "!"', ["", "abc", ("a", TOOL, "1!b"), (THINK, TOOL, "1!")], [(TOOL,), (TOOL, "a!"), (EOM,)]),
]

ISO_EBNF = [
    ebnf("iso-sequence", ISO + "4.4", 'root = "a", "b" | \'c\', other ;\nother = "d" ;', ["ab", "cd"], ["a", "abcd"]),
    ebnf("iso-repeated", ISO + "4.5", 'root = digit, { digit } ;\ndigit = "0" | "1" ;', ["0", "0110"], ["", "2"]),
    ebnf("iso-optional", ISO + "4.6", 'root = [ "-" ], "1", [ ".", "5" ] ;', ["1", "-1.5"], ["-", "1."]),
    ebnf("iso-grouped", ISO + "4.7", 'root = ( "a" | "b" ), ( "c" | "d" ) ;', ["ac", "bd"], ["a", "ab"]),
    ebnf("iso-comments", ISO + "4.8", '(* one *) root = "a" (* "b" (* nested *) *) , "*" ;', ["a*"], ["a"]),
    ebnf("iso-factor", ISO + "4.9", 'root = 3 * "ab", 2 * ( "c" | "d" ) ;', ["abababcd"], ["ababcd", "abababc"]),
    ebnf("iso-exception", ISO + "4.10", 'root = { letter - "b" } ;\nletter = "a" | "b" | "c" ;', ["", "acca"], ["b", "abc"]),
    ebnf("iso-exception-nonempty", ISO + "4.10", 'root = { "a" } - , "." ;', ["a.", "aa."], ["."]),
    ebnf("iso-one-or-more-names", ISO + "4.2", 'root = first name, "!" ;\nfirst name = "Ada" ;', ["Ada!"], ["Ada", "!"]),
    ebnf("iso-empty", ISO + "4.11", 'root = "<", nothing, ">" ;\nnothing = ;', ["<>"], ["<"]),
    ebnf("iso-special", ISO + "4.12", "root = ? any letter ? ;", error="UnsupportedError"),
    ebnf("iso-terminator-dot", ISO + "table 1", 'root = "a" / "b" ! other.\nother = "c".', ["a", "b", "c"], ["ab"]),
    ebnf("iso-alternative-brackets", ISO + "table 1", 'root = (/ "a" /), (: "b" :), "c" ;', ["c", "abbc", "bc"], ["aac", "a"]),
    ebnf("iso-no-end", ISO + "4.3", 'root = "a", "b"', error="GrammarError"),
]

CASES: list[Case] = [*GBNF, *XGRAMMAR_EBNF, *ISO_EBNF]
