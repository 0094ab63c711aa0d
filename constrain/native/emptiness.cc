// Liveness: can an expression still reach the end?
//
// Without And and Not the smart constructors and the rules' fixpoint answer at once. With them the derivatives are
// searched breadth-first, with a bound; every state on a way to the end, or all of an exhausted search, is remembered.
// Where the bound is met the answer is an honest "alive", counted in num_unproven. Held by tests/test_algebra.py,
// whose oracle is its own.
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
  if (n.may_block) return nodes_[e].alive = SearchAlive(e) ? kAlive : kDead;
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
    case Kind::kNot: alive = SearchAlive(e) ? kAlive : kDead; break;
    default: break;  // rules: productivity has settled it
  }
  if (alive != kAliveUnknown) nodes_[e].alive = alive;
  return alive;
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
      if (parent.try_emplace(t, s).second) queue.emplace(n.may_block ? MinLength(t) : 0, t);
    }
  }
  for (const auto& [x, from] : parent) nodes_[x].alive = kDead;
  return false;
}

}  // namespace constrain
