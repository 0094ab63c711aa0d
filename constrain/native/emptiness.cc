// Liveness: can an expression still reach the end?
//
// Without And and Not the smart constructors and the rules' fixpoint answer at once. With them the derivatives are
// searched breadth-first, with a bound; every state on a way to the end, or all of an exhausted search, is remembered.
// Where the bound is met the answer is an honest "alive", counted in num_unproven. Held by tests/test_algebra.py,
// whose oracle is its own.
#include <algorithm>
#include <functional>
#include <queue>

#include "expr.h"

namespace constrain {

namespace {
constexpr uint8_t kAliveUnknown = 0, kAlive = 1, kDead = 2;
}  // namespace

bool ExprSet::IsAlive(ExprId e) {
  SealFor(e);
  if (!nodes_[e].productive) return false;
  if (!nodes_[e].needs_search) return true;
  if (nodes_[e].alive) return nodes_[e].alive == kAlive;
  std::vector<ExprId> todo{e};
  while (!todo.empty()) {
    ExprId blocked = kNoMatch;
    const uint8_t alive = AliveAt(todo.back(), 0, &blocked);
    if (alive == kAliveUnknown) todo.push_back(blocked);
    else todo.pop_back();
  }
  return nodes_[e].alive == kAlive;
}

uint8_t ExprSet::AliveAt(ExprId e, int depth, ExprId* blocked) {
  const Node n = nodes_[e];
  if (!n.productive) return kDead;
  if (!n.needs_search || n.nullable) return nodes_[e].alive = kAlive;
  if (n.alive) return n.alive;
  if (depth > kMaxDepth) return *blocked = e, kAliveUnknown;
  uint8_t alive = kAlive;
  auto all_of = [&](ExprId x) {  // false: stop
    if (alive == kAlive) alive = AliveAt(x, depth + 1, blocked);
    return alive == kAlive;
  };
  if (n.may_block) return nodes_[e].alive = AliveBehindGreedy(e);
  switch (n.kind) {
    case Kind::kConcat: all_of(n.a) && all_of(n.b); break;
    case Kind::kOr:
      alive = kDead;
      for (uint32_t i = 0; i < n.b && alive == kDead; ++i) alive = AliveAt(children_[n.a + i], depth + 1, blocked);
      break;
    case Kind::kRepeat:
    case Kind::kLexeme:
    case Kind::kGreedy:
    case Kind::kBody: all_of(n.a); break;
    case Kind::kMembers:
      for (const auto& [entry, count] : MissingEntries(n))
        if (!all_of(lists_[n.a].entries[entry].item)) break;
      break;
    case Kind::kKey: all_of(n.a) && all_of(n.c) && (n.d == kNoMatch || all_of(n.d)); break;
    case Kind::kAnd:
    case Kind::kNot:
      alive = AliveUnderWatch(e);
      if (alive == kAliveUnknown) alive = SearchAlive(e) ? kAlive : kDead;
      break;
    default: break;  // rules: productivity has settled it
  }
  if (alive != kAliveUnknown) nodes_[e].alive = alive;
  return alive;
}

// The rest behind a lexeme while a longer one may still come (AfterGreedy): h·t & ~(m·anything), for each way that the rest has.
// Where m ends inside h it is alive, where h cannot end before m has come it is dead, whatever t: found once for h and m.
uint8_t ExprSet::AliveUnderWatch(ExprId e) {
  const Node n = nodes_[e];
  if (n.kind != Kind::kAnd || n.b != 2) return kAliveUnknown;
  ExprId rest = children(e)[0], watch = children(e)[1];
  if (nodes_[rest].kind == Kind::kNot) std::swap(rest, watch);
  if (nodes_[watch].kind != Kind::kNot) return kAliveUnknown;
  const Node munch = nodes_[nodes_[watch].a];
  if (munch.kind != Kind::kConcat || munch.b != kAnything) return kAliveUnknown;
  const std::vector<ExprId> ways =
      nodes_[rest].kind == Kind::kOr ? std::vector<ExprId>(children(rest), children(rest) + nodes_[rest].b) : std::vector<ExprId>{rest};
  bool all_dead = true;
  for (ExprId way : ways) {
    ExprId head, tail;
    SplitHead(way, &head, &tail);
    const Node h = nodes_[head], t = nodes_[tail];
    const uint8_t alive = h.has_rule || h.needs_search ? kAliveUnknown : Outlives(head, munch.a);
    if (alive == kAlive && !h.may_block && !h.blocks_once_begun && !t.needs_search && t.productive) return kAlive;
    all_dead = all_dead && alive == kDead;
  }
  return all_dead ? kDead : kAliveUnknown;
}

uint8_t ExprSet::Outlives(ExprId head, ExprId munch) {
  constexpr size_t kMostPairs = 200;
  const uint64_t key = static_cast<uint64_t>(head) << 32 | munch;
  if (auto it = outlives_.find(key); it != outlives_.end()) return it->second;
  std::vector<std::pair<ExprId, ExprId>> pairs{{head, munch}};
  bool may_end = nodes_[head].nullable;
  for (size_t i = 0; i < pairs.size() && pairs.size() < kMostPairs; ++i) {
    const auto [h, m] = pairs[i];
    const uint32_t p = partitions_.Refine(Classes(h), Classes(m));
    for (uint32_t c = 0; c < partitions_.num_classes(p); ++c) {
      const uint8_t byte = partitions_.representative(p, c);
      const std::pair<ExprId, ExprId> next{Derivative(h, byte), Derivative(m, byte)};
      if (next.first == kNoMatch || nodes_[next.second].nullable) continue;
      if (next.second == kNoMatch) return outlives_[key] = kAlive;
      may_end = may_end || nodes_[next.first].nullable;
      if (std::find(pairs.begin(), pairs.end(), next) == pairs.end()) pairs.push_back(next);
    }
  }
  return outlives_[key] = may_end || pairs.size() >= kMostPairs ? kAliveUnknown : kDead;
}

// Where what follows always lives, a byte by which it may begin is enough; else, or where it has to be watched, a search.
// What follows may lead back here (ignored text, again and again), so whoever asks behind a byte is answered by searches.
uint8_t ExprSet::AliveBehindGreedy(ExprId e) {
  const Node n = nodes_[e];
  const bool is_known = !is_asking_exits_ && n.kind == Kind::kConcat && nodes_[n.a].kind == Kind::kGreedy && !nodes_[n.b].needs_search;
  if (const Exits* exits = is_known ? ExitsOf(n.a) : nullptr) {
    const Exits found = *exits;
    struct Guard {
      bool* flag;
      ~Guard() { *flag = false; }
    } guard{&is_asking_exits_};
    is_asking_exits_ = true;
    if (HasExit(n.b, found.certain)) return kAlive;
    if (!HasExit(n.b, found.watched)) return kDead;
    is_asking_exits_ = false;
  }
  return SearchAlive(e) ? kAlive : kDead;
}

bool ExprSet::HasExit(ExprId tail, const ByteSet& bytes) {
  bool found = nodes_[tail].nullable;
  for (int b = 0; b < 256 && !found; ++b)
    found = bytes.Has(static_cast<uint8_t>(b)) && Step(tail, static_cast<uint8_t>(b)) != kNoMatch;
  return found;
}

const ExprSet::Exits* ExprSet::ExitsOf(ExprId greedy) {
  constexpr size_t kMostStates = 1000;
  if (auto it = exits_.find(greedy); it != exits_.end()) return it->second.get();
  std::vector<ExprId> states{greedy};
  std::vector<std::vector<uint32_t>> from{{}};
  std::vector<Exits> exits;
  std::unordered_map<ExprId, uint32_t> numbers{{greedy, 0}};
  for (uint32_t i = 0; i < states.size() && states.size() <= kMostStates; ++i) {
    const ExprId s = states[i];
    const bool is_greedy = nodes_[s].kind == Kind::kGreedy, may_end = nodes_[s].nullable;
    Exits mine;
    const uint32_t p = Classes(s);
    for (int b = 0; b < 256; ++b) {
      const uint8_t byte = static_cast<uint8_t>(b);
      const ExprId munch = is_greedy ? Step(nodes_[s].b, byte) : kNoMatch;
      if (may_end && munch == kNoMatch) mine.certain.Add(byte);
      else if (may_end && !nodes_[munch].nullable) mine.watched.Add(byte);
      if (partitions_.representative(p, partitions_.map(p)[byte]) != byte) continue;
      const ExprId next = Derivative(s, byte);
      if (!nodes_[next].productive) continue;
      auto [it, fresh] = numbers.try_emplace(next, static_cast<uint32_t>(states.size()));
      if (fresh) states.push_back(next), from.emplace_back();
      from[it->second].push_back(i);
    }
    exits.push_back(mine);
  }
  bool is_uniform = states.size() <= kMostStates;
  std::vector<uint32_t> todo(exits.size());  // exits go backwards until nothing changes
  for (uint32_t i = 0; i < todo.size(); ++i) todo[i] = i;
  while (is_uniform && !todo.empty()) {
    const Exits mine = exits[todo.back()];
    const std::vector<uint32_t>& before = from[todo.back()];
    todo.pop_back();
    for (uint32_t k : before) {
      const Exits both{exits[k].certain | mine.certain, exits[k].watched | mine.watched};
      if (!(both == exits[k])) exits[k] = both, todo.push_back(k);
    }
  }
  for (const Exits& mine : exits) is_uniform = is_uniform && mine == exits[0];
  return (exits_[greedy] = is_uniform ? std::make_unique<const Exits>(exits[0]) : nullptr).get();
}

// About how many bytes a text has at least, by what is to be seen at once: no search, no rules.
uint32_t ExprSet::RoughLength(ExprId e, int depth) const {
  uint32_t sum = 0;
  for (; depth > 0 && nodes_[e].kind == Kind::kConcat; --depth, e = nodes_[e].b) sum += RoughLength(nodes_[e].a, depth / 2);
  const Node& n = nodes_[e];
  if (depth <= 0 || n.nullable) return sum;
  switch (n.kind) {
    case Kind::kByteSet: return sum + 1;
    case Kind::kTable: return sum + tables_[n.a]->shortest[n.b];
    case Kind::kLexeme:
    case Kind::kBody:
    case Kind::kGreedy: return sum + RoughLength(n.a, depth - 1);
    case Kind::kRepeat: return sum + std::min(n.b, 1000u) * RoughLength(n.a, depth - 1);
    case Kind::kKey: return sum + RoughLength(n.a, depth / 2) + RoughLength(n.c, depth / 2) + (n.d == kNoMatch ? 0 : RoughLength(n.d, depth / 2));
    case Kind::kOr:
    case Kind::kAnd: {
      uint32_t least = kInfinite, most = 0;
      for (uint32_t i = 0; i < n.b; ++i) {
        const uint32_t length = RoughLength(children_[n.a + i], depth / 2);
        least = std::min(least, length), most = std::max(most, length);
      }
      return sum + (n.kind == Kind::kOr ? least : most);
    }
    default: return sum;
  }
}

// Nearest to the end first, so that what is alive shows it soon.
bool ExprSet::SearchAlive(ExprId start) {
  using Place = std::pair<uint32_t, ExprId>;
  std::priority_queue<Place, std::vector<Place>, std::greater<Place>> queue;
  std::unordered_map<ExprId, ExprId> parent{{start, start}};
  for (queue.emplace(0, start); !queue.empty();) {
    const ExprId s = queue.top().second;
    queue.pop();
    if (parent.size() > max_search_states_) {
      ++num_unproven_;
      nodes_[start].alive = kAlive;
      return true;
    }
    const uint32_t p = Classes(s);
    for (uint32_t c = 0; c < partitions_.num_classes(p); ++c) {
      const ExprId t = Derivative(s, partitions_.representative(p, c));
      const Node& n = nodes_[t];
      if (!n.productive || n.alive == kDead) continue;
      if (n.nullable || !n.needs_search || n.alive == kAlive) {
        for (ExprId x = s;; x = parent[x]) {
          nodes_[x].alive = kAlive;
          if (x == start) return true;
        }
      }
      if (parent.try_emplace(t, s).second) queue.emplace(n.may_block ? RoughLength(t, 64) : 0, t);
    }
  }
  for (const auto& [x, from] : parent) nodes_[x].alive = kDead;
  return false;
}

}  // namespace constrain
