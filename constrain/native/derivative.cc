// Byte classes and derivatives, memoised in rows; the transitions that matchers take.
//
// The derivative of Concat(x, y) keeps y as it is, so a state's right spine is a parser's stack. Bodies, rules and
// member lists are opened one layer at a time, on entry only (`Unfold`).
//
// Greedy(x, m)·y is the texts w·r with w in x and r in y where no w·r' with a nonempty beginning r' of r is in m. So it is
// no property of w alone: the derivative of y is cut or watched by the derivative of m (`AfterGreedy`), and Or opens over
// what follows (simplify.cc), so that y is always all that follows.
#include <algorithm>

#include "expr.h"

namespace constrain {

uint32_t ExprSet::KnownClasses(ExprId e) const {
  if (states_[e].partition || exact_.empty()) return states_[e].partition;
  auto it = exact_.find(e);
  return it == exact_.end() ? 0 : it->second;
}

uint32_t ExprSet::Classes(ExprId e) {
  if (const uint32_t known = KnownClasses(e)) return known;
  std::vector<ExprId> todo{e};
  while (!todo.empty()) {
    ExprId blocked = kNoMatch;
    if (ClassesAt(todo.back(), 0, &blocked)) todo.pop_back();
    else todo.push_back(blocked);
  }
  return KnownClasses(e);
}

uint32_t ExprSet::ClassesAt(ExprId e, int depth, ExprId* blocked) {
  if (const uint32_t known = KnownClasses(e)) return known;
  if (depth > kMaxDepth) return *blocked = e, 0;
  uint32_t p = partitions_.Trivial();
  bool is_exact = false;
  auto refine = [&](ExprId x) {
    const uint32_t q = ClassesAt(x, depth + 1, blocked);
    if (q) p = partitions_.Refine(p, q), is_exact |= states_[x].row == 0;
    return q != 0;
  };
  const Node n = nodes_[e];
  switch (n.kind) {
    case Kind::kNoMatch:
    case Kind::kEmptyString: break;
    case Kind::kByteSet: p = partitions_.OfByteSet(byte_set(e)); break;
    case Kind::kConcat:
      if (!refine(n.a) || (nodes_[n.a].nullable && !refine(n.b))) return 0;
      break;
    case Kind::kOr:
    case Kind::kAnd:
      for (uint32_t i = 0; i < n.b; ++i)
        if (!refine(children_[n.a + i])) return 0;
      break;
    case Kind::kNot:
    case Kind::kRepeat:
    case Kind::kLexeme:
    case Kind::kBody:
      if (!refine(n.a)) return 0;
      break;
    case Kind::kGreedy:
      if (!refine(n.a) || (n.b != n.a && !refine(n.b))) return 0;
      break;
    case Kind::kRule:
      if (!refine(rules_[n.a].body)) return 0;
      break;
    case Kind::kMembers:
      if (!refine(ExpandMembers(e))) return 0;
      break;
    case Kind::kKey:
      if (!refine(n.a) || (nodes_[n.a].nullable && !refine(FinishKey(n.b, n.c, n.d)))) return 0;
      is_exact |= n.in_key;
      if (n.d != kNoMatch) p = partitions_.Refine(p, partitions_.OfMap(NextBytesOfUsed(n)));
      break;
    case Kind::kTable: {
      const Table& t = *tables_[n.a];
      std::array<uint8_t, 256> map{};
      std::unordered_map<uint32_t, uint8_t> numbers;
      for (uint32_t i = t.first_edge[n.b]; i < t.first_edge[n.b + 1]; ++i) {
        // At most 255 numbers besides 0: with 256 edges the last may share its number only with the absent "dead".
        auto [it, fresh] = numbers.try_emplace(t.edges[i].target, static_cast<uint8_t>(numbers.size() + 1));
        map[t.edges[i].byte] = it->second;
      }
      p = partitions_.OfMap(map);
      break;
    }
    case Kind::kSubstring: {
      std::array<uint8_t, 256> map{};
      std::unordered_map<ExprId, uint8_t> numbers;
      const Substring& text = substring(e);
      Cursor to;
      for (uint32_t b = 0; b < 256; ++b)
        if (text.Move(cursor(e), static_cast<uint8_t>(b), &to)) {  // numbered as a table's moves are
          auto [it, fresh] = numbers.try_emplace(MakeSubstringAt(n.d >> 5, to), static_cast<uint8_t>(numbers.size() + 1));
          map[b] = it->second;
        }
      p = partitions_.OfMap(map);
      break;
    }
  }
  if (is_exact) return exact_[e] = p;
  states_[e].partition = p;
  states_[e].row = static_cast<uint32_t>(rows_.size());
  rows_.resize(rows_.size() + partitions_.num_classes(p), kUnknown);
  return p;
}

void ExprSet::Burn() {
  if (fuel_ == 0) throw LimitError("max_steps", 0, max_steps_);
  --fuel_;
  if (cancelled_.load(std::memory_order_relaxed)) throw LimitError("cancelled", 0, 0);
}

ExprId ExprSet::Unfold(ExprId head, ExprId tail) {
  const Node n = nodes_[head];
  switch (n.kind) {
    case Kind::kBody: {
      const Node x = nodes_[n.a];
      if (x.kind == Kind::kConcat)
        return MakeConcat(x.a, MakeConcat(MakeBody(x.b, std::string(labels_[n.b])), tail));
      return MakeConcat(n.a, tail);
    }
    case Kind::kRule: return MakeConcat(rules_[n.a].body, tail);
    case Kind::kMembers: return MakeConcat(ExpandMembers(head), tail);
    case Kind::kLexeme: return MakeConcat(n.a, tail);
    case Kind::kOr: {
      std::vector<ExprId> parts;
      for (uint32_t i = 0; i < n.b; ++i) parts.push_back(MakeConcat(children_[n.a + i], tail));
      return MakeOr(std::move(parts));
    }
    case Kind::kRepeat: {
      const ExprId rest = MakeRepeat(n.a, n.b ? n.b - 1 : 0, n.c == kInfinite ? kInfinite : n.c - 1);
      const ExprId more = MakeConcat(n.a, MakeConcat(rest, tail));
      return n.b == 0 ? MakeOr({more, tail}) : more;
    }
    default: return MakeConcat(head, tail);
  }
}

ExprId ExprSet::Derivative(ExprId e, uint8_t byte) {
  SealFor(e);
  std::vector<uint64_t> todo{static_cast<uint64_t>(e) << 8 | byte};
  ExprId d = kNoMatch;
  while (!todo.empty()) {
    uint64_t blocked = 0;
    d = DeriveAt(static_cast<ExprId>(todo.back() >> 8), static_cast<uint8_t>(todo.back()), 0, &blocked);
    if (d == kPending) todo.push_back(blocked);
    else todo.pop_back();
  }
  return d;
}

ExprId ExprSet::DeriveAt(ExprId e, uint8_t byte, int depth, uint64_t* blocked) {
  if (!states_[e].row && !nodes_[e].in_key) Classes(e);
  const uint32_t known = Slot(e, byte);
  if (known != kUnknown) return known & ~kUnchecked;
  if (depth > kMaxDepth) return *blocked = static_cast<uint64_t>(e) << 8 | byte, kPending;
  Burn();
  const ExprId d = ComputeDerivative(e, byte, depth + 1, blocked);
  if (d == kPending) return d;
  const Node& n = nodes_[d];
  Slot(e, byte) = !n.productive ? kNoMatch : n.needs_search ? d | kUnchecked : d;
  return n.productive ? d : kNoMatch;
}

ExprId ExprSet::ComputeDerivative(ExprId e, uint8_t byte, int depth, uint64_t* blocked) {
  const Node n = nodes_[e];
  switch (n.kind) {
    case Kind::kNoMatch:
    case Kind::kEmptyString: return kNoMatch;
    case Kind::kByteSet: return byte_set(e).Has(byte) ? kEmptyString : kNoMatch;
    case Kind::kConcat: {
      const Kind head = nodes_[n.a].kind;
      if (head == Kind::kMembers) return DeriveAt(Unfold(n.a, n.b), byte, depth, blocked);
      const ExprId x = DeriveAt(n.a, byte, depth, blocked);
      if (x == kPending) return x;
      const ExprId first = MakeConcat(x, n.b);
      if (!nodes_[n.a].nullable) return first;
      ExprId munch = kNoMatch;
      if (head == Kind::kGreedy) {
        munch = DeriveAt(nodes_[n.a].b, byte, depth, blocked);
        if (munch == kPending) return munch;
        if (nodes_[munch].nullable) return first;  // a longer lexeme: what follows need not be looked at
      }
      ExprId y = DeriveAt(n.b, byte, depth, blocked);
      if (y == kPending) return y;
      y = AfterGreedy(munch, y);
      return first == kNoMatch ? y : MakeOr({first, y});
    }
    case Kind::kOr:
    case Kind::kAnd: {
      fuel_ -= std::min<uint64_t>(fuel_, n.b / 4);  // many parts are as much work as many steps
      std::vector<ExprId> parts(n.b);
      for (uint32_t i = 0; i < n.b; ++i) {
        parts[i] = DeriveAt(children_[n.a + i], byte, depth, blocked);
        if (parts[i] == kPending) return kPending;
        if (parts[i] == kNoMatch && n.kind == Kind::kAnd) return kNoMatch;
      }
      return n.kind == Kind::kOr ? MakeOr(std::move(parts)) : MakeAnd(std::move(parts));
    }
    case Kind::kNot: {
      const ExprId x = DeriveAt(n.a, byte, depth, blocked);
      return x == kPending ? x : MakeNot(x);
    }
    case Kind::kRepeat: {
      const ExprId x = DeriveAt(n.a, byte, depth, blocked);
      if (x == kPending || x == kNoMatch) return x;
      return MakeConcat(x, MakeRepeat(n.a, n.b ? n.b - 1 : 0, n.c == kInfinite ? kInfinite : n.c - 1));
    }
    case Kind::kRule: return DeriveAt(rules_[n.a].body, byte, depth, blocked);
    case Kind::kLexeme: {
      const ExprId x = DeriveAt(n.a, byte, depth, blocked);
      return x == kPending ? x : MakeLexeme(x);
    }
    case Kind::kGreedy: {
      const ExprId x = DeriveAt(n.a, byte, depth, blocked);
      if (x == kPending || x == kNoMatch) return x;
      const ExprId munch = n.b == n.a ? x : DeriveAt(n.b, byte, depth, blocked);
      return munch == kPending ? munch : MakeGreedy(x, munch, n.c ? kMayBlock : kNeverBlocks);
    }
    case Kind::kBody:
    case Kind::kMembers: return DeriveAt(Unfold(e, kEmptyString), byte, depth, blocked);
    case Kind::kKey: {
      if (n.d == kNoMatch) return DeriveAt(MakeConcat(n.a, n.c), byte, depth, blocked);
      const ExprId x = DeriveAt(n.a, byte, depth, blocked);
      if (x == kPending) return x;
      const ExprId first = x == kNoMatch ? x : MakeKey(x, AddByte(n.b, byte), n.c, n.d);
      if (!nodes_[n.a].nullable) return first;
      const ExprId y = DeriveAt(FinishKey(n.b, n.c, n.d), byte, depth, blocked);
      return y == kPending || first == kNoMatch ? y : MakeOr({first, y});
    }
    case Kind::kTable: return MakeTableAt(n.a, tables_[n.a]->Move(n.b, byte));
    case Kind::kSubstring: {
      Cursor to;
      return substring(e).Move(cursor(e), byte, &to) ? MakeSubstringAt(n.d >> 5, to) : kNoMatch;
    }
  }
  return kNoMatch;
}

// The rest is cut where a longer lexeme has come, and watched where one may still come: mostly neither.
ExprId ExprSet::AfterGreedy(ExprId munch, ExprId rest) {
  if (rest == kNoMatch || munch == kNoMatch || !IsAlive(munch)) return rest;
  if (nodes_[munch].nullable) return kNoMatch;
  return MakeAnd({rest, MakeNot(MakeConcat(munch, kAnything))});
}

// In a grammar of many levels a state is mostly parts that may be empty, one behind the other. Where the first of them has
// no way on by a byte, the state's move is that of the rest: taken over row by row, from the back.
void ExprSet::FillRow(ExprId e) {
  std::vector<ExprId> spine;
  for (; nodes_[e].kind == Kind::kConcat && !states_[e].row; e = nodes_[e].b) {
    const Node& head = nodes_[nodes_[e].a];
    const bool is_plain = head.kind == Kind::kRepeat || head.kind == Kind::kOr || head.kind == Kind::kLexeme || head.kind == Kind::kBody || head.kind == Kind::kRule;
    if (!head.nullable || !is_plain || nodes_[e].in_key) break;
    spine.push_back(e);
  }
  for (size_t i = spine.size(); i-- > 0;) {
    const uint32_t p = Classes(spine[i]);
    const ExprId head = nodes_[spine[i]].a, rest = nodes_[spine[i]].b;
    Classes(rest);
    if (!states_[spine[i]].row || !states_[rest].row) continue;
    for (uint32_t c = 0; c < partitions_.num_classes(p); ++c) {
      const uint8_t byte = partitions_.representative(p, c);
      if (Derivative(head, byte) == kNoMatch) Slot(spine[i], byte) = Slot(rest, byte);
    }
  }
}

ExprId ExprSet::StepSlow(ExprId state, uint8_t byte) {
  if (!states_[state].row && !nodes_[state].in_key) Classes(state);
  if (Slot(state, byte) == kUnknown) Derivative(state, byte);
  const uint32_t entry = Slot(state, byte);
  if (entry < kUnchecked) return entry;
  const ExprId target = entry & ~kUnchecked;
  const ExprId live = IsAlive(target) ? target : kNoMatch;
  Slot(state, byte) = live;
  return live;
}

ExprId ExprSet::Tabulated(ExprId e, uint32_t max_states) {
  SealFor(e);
  if (!IsAlive(e)) return kNoMatch;
  std::vector<ExprId> states{e};
  std::unordered_map<ExprId, uint32_t> numbers{{e, 0}};
  std::vector<uint32_t> accepting;
  std::vector<Move> moves;
  for (uint32_t i = 0; i < states.size(); ++i) {
    if (nodes_[states[i]].nullable) accepting.push_back(i);
    for (const std::string& bytes : LiveClasses(states[i])) {
      const ExprId next = Step(states[i], static_cast<uint8_t>(bytes[0]));
      auto [it, fresh] = numbers.try_emplace(next, static_cast<uint32_t>(states.size()));
      if (fresh) states.push_back(next);
      if (states.size() > max_states) throw LimitError("max_states", states.size(), max_states);
      for (char b : bytes) moves.push_back({i, static_cast<uint8_t>(b), it->second});
    }
  }
  return MakeTable(TableOfMoves(static_cast<uint32_t>(states.size()), 0, accepting, std::move(moves)));
}

std::vector<std::string> ExprSet::LiveClasses(ExprId e) {
  const uint32_t p = Classes(e);
  std::vector<std::string> classes(partitions_.num_classes(p));
  for (int b = 0; b < 256; ++b) classes[partitions_.map(p)[b]] += static_cast<char>(b);
  size_t num_live = 0;
  for (std::string& bytes : classes)
    if (Step(e, static_cast<uint8_t>(bytes[0])) != kNoMatch) classes[num_live++].swap(bytes);
  classes.resize(num_live);
  return classes;
}

std::string ExprSet::LiveBytes(ExprId e) {
  std::string bytes;
  for (const std::string& live : LiveClasses(e)) bytes += live;
  std::sort(bytes.begin(), bytes.end(), [](char x, char y) { return static_cast<uint8_t>(x) < static_cast<uint8_t>(y); });
  return bytes;
}

}  // namespace constrain
