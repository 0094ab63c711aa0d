// The only file that includes nanobind. It converts and locks; it decides nothing.
//
// Ids, bytes and writable C-contiguous int32 arrays cross this boundary, nothing else. The three errors of the core
// become Python exceptions here, once.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <limits>

#include "constraint.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace constrain {
namespace {

using Lock = std::lock_guard<std::recursive_mutex>;
using Ids = std::vector<ExprId>;
using BitmaskArray = nb::ndarray<int32_t, nb::c_contig, nb::device::cpu>;

nb::bytes ToBytes(const std::string& s) { return nb::bytes(s.data(), s.size()); }
std::string_view View(const nb::bytes& b) { return {static_cast<const char*>(b.data()), b.size()}; }

// Runs f on a locked set with fresh fuel, after checking the ids that came from outside.
template <typename F>
auto Locked(ExprSet& set, std::initializer_list<ExprId> ids, F f) {
  Lock lock(set.mutex());
  for (ExprId e : ids) set.CheckId(e);
  set.Refuel();
  return f();
}

template <typename F>
auto LockedAll(ExprSet& set, const Ids& ids, F f) {
  Lock lock(set.mutex());
  for (ExprId e : ids) set.CheckId(e);
  set.Refuel();
  return f();
}

uint32_t ToMax(int64_t max) {
  if (max < 0) return kInfinite;
  if (max >= kInfinite) throw LimitError("max_repeat", static_cast<uint64_t>(max), (1u << 30) - 1);
  return static_cast<uint32_t>(max);
}

uint32_t ToMin(int64_t min) {
  if (min < 0) throw ExpressionError("a least count below zero");
  return ToMax(min);
}

uint32_t* RowOf(const BitmaskArray& array, int64_t index, const TokenTrie& trie) {
  const size_t words = trie.num_words();
  const size_t ndim = array.ndim();
  if (ndim < 1 || ndim > 2 || array.shape(ndim - 1) != words)
    throw ExpressionError("bitmask: the last dimension must have " + std::to_string(words) + " int32 words");
  const int64_t rows = ndim == 2 ? static_cast<int64_t>(array.shape(0)) : 1;
  if (index < 0 || index >= rows)
    throw ExpressionError("bitmask: row " + std::to_string(index) + " is outside its " + std::to_string(rows) + " rows");
  return reinterpret_cast<uint32_t*>(array.data()) + static_cast<size_t>(index) * words;
}

BitmaskArray ToArray(nb::handle bitmask) {
  BitmaskArray array;
  if (!nb::try_cast<BitmaskArray>(bitmask, array, /*convert=*/false))
    throw ExpressionError("bitmask: a writable C-contiguous int32 array on the CPU is needed");
  return array;
}

// A matcher remembers the last bitmask it was given, so that a step pays for no conversion.
struct BoundMatcher : Matcher {
  BoundMatcher(std::shared_ptr<Constraint> c, bool is_turn, const nb::bytes& prefix) : Matcher(std::move(c), is_turn, View(prefix)) {}
  BoundMatcher(const BoundMatcher& other) : Matcher(other) {}
  uint32_t* Row(const nb::object& bitmask, int64_t index) {
    if (bitmask.ptr() != bound) {
      array = ToArray(bitmask);
      keep = nb::borrow(bitmask);
      bound = bitmask.ptr();
    }
    return RowOf(array, index, constraint()->trie());
  }

  PyObject* bound = nullptr;
  nb::object keep;
  BitmaskArray array;
};

template <typename T>
void MaskRow(T* logits, int64_t stride, const uint32_t* words, size_t width, T minus_infinity) {
  for (size_t w = 0; w * 32 < width; ++w) {
    uint32_t blocked = ~words[w];
    if (blocked == 0) continue;
    const size_t base = w * 32;
    if (base + 32 > width) blocked &= (1u << (width - base)) - 1;
    if (blocked == 0xFFFFFFFF && stride == 1) {
      for (int i = 0; i < 32; ++i) logits[base + i] = minus_infinity;
      continue;
    }
    for (; blocked; blocked &= blocked - 1)
      logits[(base + static_cast<size_t>(__builtin_ctz(blocked))) * stride] = minus_infinity;
  }
}

void ApplyBitmask(nb::ndarray<nb::device::cpu> logits, BitmaskArray bitmask) {
  const size_t ndim = logits.ndim();
  if (ndim < 1 || ndim > 2 || bitmask.ndim() != ndim) throw ExpressionError("logits and bitmask: both need one dimension, or both two");
  const size_t rows = ndim == 2 ? logits.shape(0) : 1, width = logits.shape(ndim - 1), words = bitmask.shape(ndim - 1);
  if (ndim == 2 && bitmask.shape(0) != rows)
    throw ExpressionError("logits have " + std::to_string(rows) + " rows, the bitmask " + std::to_string(bitmask.shape(0)));
  if (words != (width + 31) / 32)
    throw ExpressionError("logits are " + std::to_string(width) + " wide, which needs " + std::to_string((width + 31) / 32) +
                          " words; the bitmask has " + std::to_string(words) + ": the vocabulary does not fit the logits");
  const int64_t row_stride = ndim == 2 ? logits.stride(0) : 0, stride = logits.stride(ndim - 1);
  const auto type = logits.dtype();
  const uint32_t* mask = reinterpret_cast<const uint32_t*>(bitmask.data());
  auto run = [&](auto* data, auto minus_infinity) {
    nb::gil_scoped_release release;
    for (size_t r = 0; r < rows; ++r)
      MaskRow(data + static_cast<int64_t>(r) * row_stride, stride, mask + r * words, width, minus_infinity);
  };
  const auto code = static_cast<nb::dlpack::dtype_code>(type.code);
  if (type == nb::dtype<float>()) run(static_cast<float*>(logits.data()), -std::numeric_limits<float>::infinity());
  else if (type == nb::dtype<double>()) run(static_cast<double*>(logits.data()), -std::numeric_limits<double>::infinity());
  else if (code == nb::dlpack::dtype_code::Float && type.bits == 16) run(static_cast<uint16_t*>(logits.data()), static_cast<uint16_t>(0xFC00));
  else if (code == nb::dlpack::dtype_code::Bfloat && type.bits == 16) run(static_cast<uint16_t*>(logits.data()), static_cast<uint16_t>(0xFF80));
  else throw ExpressionError("logits: float64, float32, float16 or bfloat16 is needed");
}

void BindExprSet(nb::module_& m) {
  nb::class_<ExprSet> c(m, "ExprSet", "An arena of interned expressions; an expression is an int in it.");
  c.attr("NO_MATCH") = kNoMatch;
  c.attr("EMPTY_STRING") = kEmptyString;
  c.attr("ANYTHING") = kAnything;
  c.def(nb::init<>())
      .def("clone", [](ExprSet& s) { Lock lock(s.mutex()); return std::make_shared<ExprSet>(s); })
      .def("byte_set", [](ExprSet& s, const nb::bytes& members) {
        ByteSet set;
        for (char b : View(members)) set.Add(static_cast<uint8_t>(b));
        return Locked(s, {}, [&] { return s.MakeByteSet(set); });
      }, "members"_a)
      .def("byte_range", [](ExprSet& s, int low, int high) {
        if (low < 0 || high > 255) throw ExpressionError("byte_range: bounds are 0..255");
        return Locked(s, {}, [&] { return s.MakeByteSet(ByteSet::Range(low, high)); });
      }, "low"_a, "high"_a)
      .def("literal", [](ExprSet& s, const nb::bytes& text) { return Locked(s, {}, [&] { return s.MakeLiteral(View(text)); }); }, "text"_a)
      .def("concat", [](ExprSet& s, const Ids& parts) { return LockedAll(s, parts, [&] { return s.MakeConcat(parts); }); }, "parts"_a)
      .def("union", [](ExprSet& s, const Ids& parts) { return LockedAll(s, parts, [&] { return s.MakeOr(parts); }); }, "parts"_a)
      .def("intersection", [](ExprSet& s, const Ids& parts) {
        return LockedAll(s, parts, [&] { return s.MakeAnd(parts); });
      }, "parts"_a)
      .def("complement", [](ExprSet& s, ExprId e) { return Locked(s, {e}, [&] { return s.MakeNot(e); }); }, "e"_a)
      .def("repeat", [](ExprSet& s, ExprId e, int64_t min, int64_t max) {
        return Locked(s, {e}, [&] { return s.MakeRepeat(e, ToMin(min), ToMax(max)); });
      }, "e"_a, "min"_a, "max"_a)
      .def("lexeme", [](ExprSet& s, ExprId e) { return Locked(s, {e}, [&] { return s.MakeLexeme(e); }); }, "e"_a)
      .def("mark_grammar", [](ExprSet& s) { Lock lock(s.mutex()); s.MarkGrammar(); }, "Lexemes and rules of this set are worth preparing.")
      .def("tabulated", [](ExprSet& s, ExprId e, uint32_t max_states) {
        return Locked(s, {e}, [&] { return s.Tabulated(e, max_states); });
      }, "e"_a, "max_states"_a = 20000, "A regular expression as a table; LimitExceeded where it has more states.")
      .def("has_substring", [](ExprSet& s, ExprId e) { return Locked(s, {e}, [&] { return s.HasSubstring(e); }); }, "e"_a)
      .def("fenced", [](ExprSet& s, ExprId e) {
        return Locked(s, {e}, [&] { s.SealFor(e); return s.MakeFenced(e); });
      }, "e"_a, "The same language, whose greedy lexemes do not see what follows e.")
      .def("greedy", [](ExprSet& s, ExprId e, ExprId munch, bool may_block, bool is_optional) {
        const Blocking blocking = !may_block ? kNeverBlocks : is_optional ? kMayBlockOnceBegun : kMayBlock;
        return Locked(s, {e, munch}, [&] { return s.MakeGreedy(e, munch, blocking); });
      }, "e"_a, "munch"_a, "may_block"_a = true, "is_optional"_a = false,
         "A text of e behind which no longer text of munch stands: a lexer's maximal munch. may_block: perhaps nothing fits behind it.")
      .def("body", [](ExprSet& s, ExprId e, const std::string& label) {
        return Locked(s, {e}, [&] { return s.MakeBody(e, label); });
      }, "e"_a, "label"_a = "")
      .def("rule", [](ExprSet& s, const std::string& name) { return Locked(s, {}, [&] { return s.MakeRule(name); }); }, "name"_a)
      .def("define", [](ExprSet& s, ExprId rule, ExprId body) {
        Locked(s, {rule, body}, [&] { s.DefineRule(rule, body); return 0; });
      }, "rule"_a, "body"_a)
      .def("members", [](ExprSet& s, ExprId separator, const std::vector<std::tuple<ExprId, int64_t, int64_t>>& entries,
                         int64_t num_ordered, int64_t low, int64_t high) {
        std::vector<Entry> list;
        for (const auto& [item, min, max] : entries) {
          s.CheckId(item);
          list.push_back({item, ToMin(min), ToMax(max)});
        }
        return Locked(s, {separator}, [&] {
          return s.MakeMembers(separator, std::move(list), ToMax(num_ordered), ToMin(low), ToMax(high));
        });
      }, "separator"_a, "entries"_a, "num_ordered"_a = -1, "low"_a = 0, "high"_a = -1,
         "Separated entries (item, min, max): the first num_ordered in order (-1: all), then the others in any order; low..high in all.")
      .def("keyed", [](ExprSet& s, ExprId key, ExprId tail, bool is_scarce) {
        return Locked(s, {key, tail}, [&] { return s.MakeKeyed(key, tail, is_scarce); });
      }, "key"_a, "tail"_a, "is_scarce"_a = true,
         "key·tail; as an entry of members no two of its keys are equal. Not scarce: every prefix has infinitely many keys.")
      .def("literals", [](ExprSet& s, const nb::list& texts) {
        std::vector<std::string_view> views;
        views.reserve(texts.size());
        for (nb::handle text : texts) {
          char* data;
          Py_ssize_t size;
          if (PyBytes_AsStringAndSize(text.ptr(), &data, &size)) throw nb::python_error();
          views.emplace_back(data, static_cast<size_t>(size));
        }
        std::shared_ptr<const Table> table;
        {
          nb::gil_scoped_release release;
          table = TableOfLiterals(std::move(views));
        }
        return Locked(s, {}, [&] { return s.MakeTable(std::move(table)); });
      }, "texts"_a)
      .def("table", [](ExprSet& s, uint32_t num_states, uint32_t start, const std::vector<uint32_t>& accepting,
                       const std::vector<std::tuple<uint32_t, uint8_t, uint32_t>>& moves) {
        std::vector<Move> list;
        for (const auto& [state, byte, target] : moves) list.push_back({state, byte, target});
        return Locked(s, {}, [&] { return s.MakeTable(TableOfMoves(num_states, start, accepting, std::move(list))); });
      }, "num_states"_a, "start"_a, "accepting"_a, "moves"_a)
      .def("substring", [](ExprSet& s, const nb::bytes& symbols, const nb::bytes& starts, const nb::bytes& ends, const nb::bytes& counts,
                           const std::vector<std::pair<nb::bytes, std::vector<uint32_t>>>& units, uint32_t min_count, uint32_t max_count,
                           uint32_t run_symbol) {
        auto numbers = [](const nb::bytes& b) {
          std::vector<uint32_t> list(b.size() / 4);
          std::memcpy(list.data(), b.data(), list.size() * 4);
          return list;
        };
        auto flags = [](const nb::bytes& b) {
          const std::string_view view = View(b);
          return std::vector<uint8_t>(view.begin(), view.end());
        };
        SubstringSource source{numbers(symbols), flags(starts), flags(ends), numbers(counts), min_count, max_count, run_symbol, {}};
        for (const auto& [bytes, list] : units) source.units.emplace_back(std::string(View(bytes)), list);
        std::shared_ptr<const Substring> text;
        {
          nb::gil_scoped_release release;
          text = std::make_shared<const Substring>(std::move(source));
        }
        return Locked(s, {}, [&] { return s.MakeSubstring(std::move(text)); });
      }, "symbols"_a, "starts"_a, "ends"_a, "counts"_a, "units"_a, "min_count"_a, "max_count"_a, "run_symbol"_a,
         "The contiguous parts of a text of uint32 symbols (0 ends each source) from a start to an end: substring.h. No match where none.")
      .def("copy_from", [](ExprSet& s, ExprSet& other, ExprId e) {
        if (&s == &other) return e;
        std::scoped_lock lock(s.mutex(), other.mutex());
        return s.CopyFrom(other, e);
      }, "other"_a, "e"_a)
      .def("nullable", [](ExprSet& s, ExprId e) { return Locked(s, {e}, [&] { return s.IsNullable(e); }); }, "e"_a)
      .def("derivative", [](ExprSet& s, ExprId e, uint8_t byte) {
        return Locked(s, {e}, [&] { return s.Derivative(e, byte); });
      }, "e"_a, "byte"_a)
      .def("step", [](ExprSet& s, ExprId e, uint8_t byte) {
        return Locked(s, {e}, [&] { s.SealFor(e); return s.Step(e, byte); });
      }, "e"_a, "byte"_a)
      .def("advance", [](ExprSet& s, ExprId e, const nb::bytes& text) {
        return Locked(s, {e}, [&] {
          s.SealFor(e);
          size_t i = 0;
          const std::string_view view = View(text);
          for (; i < view.size(); ++i) {
            if ((i & 1023) == 0) s.Refuel();
            const ExprId next = s.Step(e, static_cast<uint8_t>(view[i]));
            if (next == kNoMatch) break;
            e = next;
          }
          return std::make_pair(e, i);
        });
      }, "e"_a, "text"_a, "The state after the longest prefix of text that is not dead, and that prefix's length.")
      .def("live_bytes", [](ExprSet& s, ExprId e) {
        return Locked(s, {e}, [&] {
          s.SealFor(e);
          return ToBytes(s.LiveBytes(e));
        });
      }, "e"_a)
      .def("live_classes", [](ExprSet& s, ExprId e) {
        return Locked(s, {e}, [&] {
          s.SealFor(e);
          std::vector<nb::bytes> classes;
          for (const std::string& bytes : s.LiveClasses(e)) classes.push_back(ToBytes(bytes));
          return classes;
        });
      }, "e"_a, "The bytes that may come next, in classes of bytes with equal futures but for the keys that they spell.")
      .def("is_empty", [](ExprSet& s, ExprId e) { return Locked(s, {e}, [&] { s.SealFor(e); return !s.IsAlive(e); }); }, "e"_a)
      .def("has_distinct", [](ExprSet& s, ExprId e, uint32_t count) {
        return Locked(s, {e}, [&] { s.SealFor(e); return s.HasDistinct(e, count); });
      }, "e"_a, "count"_a, "Has a keyed entry so many different texts?")
      .def("min_length", [](ExprSet& s, ExprId e) {
        return Locked(s, {e}, [&] { const uint32_t n = s.MinLength(e); return n == kInfinite ? int64_t{-1} : int64_t{n}; });
      }, "e"_a)
      .def("shortest_way", [](ExprSet& s, ExprId e, size_t max_length) -> nb::object {
        std::string text;
        if (!Locked(s, {e}, [&] { return s.ShortestWay(e, max_length, &text); })) return nb::none();
        return ToBytes(text);
      }, "e"_a, "max_length"_a = 1 << 20, nb::sig("def shortest_way(self, e: int, max_length: int = 1048576) -> bytes | None"),
         "Bytes that lead to an end, as few as is known; None where they are more than max_length.")
      .def("matches", [](ExprSet& s, ExprId e, const nb::bytes& text) {
        return Locked(s, {e}, [&] {
          s.SealFor(e);
          const std::string_view view = View(text);
          for (size_t i = 0; i < view.size(); ++i) {
            if ((i & 1023) == 0) s.Refuel();
            e = s.Step(e, static_cast<uint8_t>(view[i]));
            if (e == kNoMatch) return false;
          }
          return s.IsNullable(e);
        });
      }, "e"_a, "text"_a)
      .def("to_string", [](ExprSet& s, ExprId e, size_t max_length) {
        return Locked(s, {e}, [&] { return s.ToString(e, max_length); });
      }, "e"_a, "max_length"_a = 200)
      .def("labels", [](ExprSet& s, ExprId e) { return Locked(s, {e}, [&] { return s.Labels(e); }); }, "e"_a)
      .def("size", [](ExprSet& s) { return s.num_nodes(); })
      .def("memory_bytes", [](ExprSet& s) { return s.MemoryBytes(); })
      .def("num_unproven", [](ExprSet& s) { return s.num_unproven(); })
      .def("num_loose_lengths", [](ExprSet& s) { return s.num_loose_lengths(); }, "How many lengths found so far are bounds; 0: all are exact.")
      .def("set_limits", [](ExprSet& s, uint64_t max_memory_bytes, uint64_t max_steps, uint32_t max_search_states) {
        Lock lock(s.mutex());
        s.SetLimits(max_memory_bytes, max_steps, max_search_states);
      }, "max_memory_bytes"_a, "max_steps"_a, "max_search_states"_a)
      .def("require", [](ExprSet& s, const std::string& token) { Lock lock(s.mutex()); s.Require(token); }, "token"_a,
           "Notes a token that expressions of this set speak of; a copy into another set notes it there.")
      .def("required", [](ExprSet& s) { Lock lock(s.mutex()); return std::vector<std::string>(s.required().begin(), s.required().end()); },
           "The tokens that were noted, in order.")
      .def("cancel", [](ExprSet& s, bool on) { s.Cancel(on); }, "on"_a = true);
}

void BindTokenTrie(nb::module_& m) {
  nb::class_<TokenTrie>(m, "TokenTrie", "The prefix tree of a vocabulary's token bytes.")
      .def("__init__", [](TokenTrie* t, const nb::list& tokens, std::vector<uint32_t> end_ids, uint32_t size, const std::vector<uint32_t>& excluded,
                         const std::vector<std::pair<uint32_t, nb::bytes>>& aliases) {
        std::vector<std::optional<std::string>> list;
        list.reserve(tokens.size());
        for (nb::handle token : tokens) {
          if (token.is_none()) {
            list.emplace_back();
            continue;
          }
          char* data;
          Py_ssize_t length;
          if (PyBytes_AsStringAndSize(token.ptr(), &data, &length)) throw nb::python_error();
          list.emplace_back(std::string(data, static_cast<size_t>(length)));
        }
        std::vector<std::pair<uint32_t, std::string>> spellings;
        for (const auto& [token, spelling] : aliases) spellings.emplace_back(token, View(spelling));
        new (t) TokenTrie(list, std::move(end_ids), size, excluded, spellings);
      }, "tokens"_a, "end_ids"_a, "size"_a, "excluded"_a = std::vector<uint32_t>(), "aliases"_a = std::vector<std::pair<uint32_t, nb::bytes>>())
      .def_prop_ro("size", &TokenTrie::size)
      .def_prop_ro("num_nodes", [](const TokenTrie& t) { return t.nodes().size(); })
      .def_prop_ro("spells_every_byte", &TokenTrie::spells_every_byte);
}

void BindConstraint(nb::module_& m) {
  nb::class_<Constraint>(m, "Constraint", "An expression over a vocabulary, with the masks found so far.")
      .def(nb::init<std::shared_ptr<ExprSet>, ExprId, std::shared_ptr<TokenTrie>, size_t>(), "set"_a, "root"_a, "trie"_a, "max_mask_bytes"_a)
      .def("memory_bytes", [](Constraint& c) { Lock lock(c.set().mutex()); return c.MemoryBytes() + c.set().MemoryBytes(); });

  nb::class_<BoundMatcher>(m, "Matcher", "The cursor of one request through a constraint.")
      .def(nb::init<std::shared_ptr<Constraint>, bool, const nb::bytes&>(), "constraint"_a, "is_turn"_a, "prefix"_a = nb::bytes("", 0))
      .def(nb::init<const BoundMatcher&>(), "other"_a)
      .def("fill_next_token_bitmask", [](BoundMatcher& t, nb::object bitmask, int64_t index) {
        t.FillMask(t.Row(bitmask, index));
      }, "bitmask"_a.none(), "index"_a = 0)
      .def("is_token_allowed", &Matcher::IsTokenAllowed, "token_id"_a)
      .def("accept_token", &Matcher::AcceptToken, "token_id"_a)
      .def("accept_tokens", [](BoundMatcher& t, const std::vector<int64_t>& ids) {
        size_t n = 0;
        while (n < ids.size() && t.AcceptToken(ids[n])) ++n;
        return n;
      }, "token_ids"_a)
      .def("accept_bytes", [](BoundMatcher& t, const nb::bytes& text) { return t.AcceptBytes(View(text)); }, "text"_a)
      .def("rollback", [](BoundMatcher& t, int64_t n) {
        if (n < 0) throw ExpressionError("rollback by a negative count");
        t.Rollback(static_cast<size_t>(n));
      }, "n"_a)
      .def("reset", &Matcher::Reset)
      .def("is_accepting", &Matcher::IsAccepting)
      .def("is_terminated", &Matcher::IsTerminated)
      .def_prop_ro("num_accepted", &Matcher::num_accepted)
      .def("forced_bytes", [](const BoundMatcher& t, size_t max_length) { return ToBytes(t.ForcedBytes(max_length)); }, "max_length"_a = 4096)
      .def("min_length", [](const BoundMatcher& t) {
        const uint32_t n = t.MinLength();
        return n == kInfinite ? int64_t{-1} : int64_t{n};
      }, "Bytes to the nearest end of the text; -1 where that is not known.")
      .def("fewest_tokens", [](const BoundMatcher& t) {
        bool is_exact;
        const uint32_t n = t.FewestTokens(&is_exact);
        return std::make_pair(n == kInfinite ? int64_t{-1} : int64_t{n}, is_exact);
      }, "The fewest tokens known to end the text (-1: none), and whether it is known that no fewer will do.")
      .def("can_end_within", [](const BoundMatcher& t, int64_t num_tokens) { return t.CanEndWithin(ToMin(num_tokens)); }, "num_tokens"_a)
      .def("is_token_allowed_within", [](const BoundMatcher& t, int64_t token, int64_t num_tokens) {
        return t.IsTokenAllowedWithin(token, ToMin(num_tokens));
      }, "token_id"_a, "num_tokens"_a)
      .def("fill_next_token_bitmask_within", [](BoundMatcher& t, nb::object bitmask, int64_t num_tokens, int64_t index) {
        t.FillMaskWithin(t.Row(bitmask, index), ToMin(num_tokens));
      }, "bitmask"_a.none(), "num_tokens"_a, "index"_a = 0)
      .def("allowed_tokens", &Matcher::AllowedTokens)
      .def("allowed_bytes", [](const BoundMatcher& t) { return ToBytes(t.AllowedBytes()); })
      .def("describe", &Matcher::Describe, "max_length"_a = 200)
      .def("labels", &Matcher::Labels);

  m.def("fill_next_token_bitmasks", [](const std::vector<BoundMatcher*>& matchers, nb::handle bitmask) {
    BitmaskArray array = ToArray(bitmask);
    std::vector<uint32_t*> rows;
    for (size_t i = 0; i < matchers.size(); ++i)
      rows.push_back(matchers[i] ? RowOf(array, static_cast<int64_t>(i), matchers[i]->constraint()->trie()) : nullptr);
    nb::gil_scoped_release release;
    for (size_t i = 0; i < matchers.size(); ++i)
      if (matchers[i]) matchers[i]->FillMask(rows[i]);
  }, "matchers"_a, "bitmask"_a);
  m.def("accept_tokens", [](const std::vector<BoundMatcher*>& matchers, const std::vector<int64_t>& ids) {
    if (matchers.size() != ids.size()) throw ExpressionError("accept_tokens: as many token ids as matchers are needed");
    std::vector<bool> accepted(ids.size(), true);
    nb::gil_scoped_release release;
    for (size_t i = 0; i < ids.size(); ++i)
      if (matchers[i]) accepted[i] = matchers[i]->AcceptToken(ids[i]);
    return accepted;
  }, "matchers"_a, "token_ids"_a);
  m.def("apply_token_bitmask", &ApplyBitmask, "logits"_a.noconvert(), "bitmask"_a.noconvert());
}

void MapErrors() {
  nb::register_exception_translator([](const std::exception_ptr& p, void*) {
    try {
      std::rethrow_exception(p);
    } catch (const LimitError& e) {
      nb::object type = nb::module_::import_("constrain.errors").attr("LimitExceeded");
      nb::object given = e.given ? nb::cast(e.given) : nb::none();
      PyErr_SetObject(type.ptr(), type(e.limit, given, e.allowed).ptr());
    } catch (const EmptyError& e) {
      PyErr_SetString(nb::module_::import_("constrain.errors").attr("UnsatisfiableError").ptr(), e.what());
    } catch (const ExpressionError& e) {
      PyErr_SetString(nb::module_::import_("constrain.errors").attr("ConstrainError").ptr(), e.what());
    }
  });
}

}  // namespace
}  // namespace constrain

NB_MODULE(_native, m) {
  nb::set_leak_warnings(false);  // caches of the process keep expressions until it ends
  m.doc() = "The core: expressions, derivatives, tries, masks, matchers.";
  constrain::MapErrors();
  constrain::BindExprSet(m);
  constrain::BindTokenTrie(m);
  constrain::BindConstraint(m);
}
