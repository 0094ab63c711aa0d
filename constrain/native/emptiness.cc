// Liveness: can an expression still reach the end? And how short is its shortest text?
//
// Without And and Not the smart constructors and the rules' fixpoint answer at once. With them the derivatives are
// searched breadth-first, with a bound; every state on a way to the end, or all of an exhausted search, is remembered.
// Where the bound is met the answer is an honest "alive", counted in num_unproven. Held by tests/test_algebra.py,
// whose oracle is its own.
#include <algorithm>
#include <functional>
#include <queue>
#include <tuple>
#include <unordered_set>

#include "expr.h"

namespace constrain {

namespace {
constexpr uint8_t kAliveUnknown = 0, kAlive = 1, kDead = 2;
constexpr uint32_t kBlockedLength = 0xFFFFFFFE;
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
    case Kind::kNot: alive = SearchAlive(e) ? kAlive : kDead; break;
    default: break;  // rules: productivity has settled it
  }
  if (alive != kAliveUnknown) nodes_[e].alive = alive;
  return alive;
}

// Where what follows always lives, a byte by which it may begin is enough; else, or where it has to be watched, a search.
uint8_t ExprSet::AliveBehindGreedy(ExprId e) {
  const Node n = nodes_[e];
  const bool is_known = n.kind == Kind::kConcat && nodes_[n.a].kind == Kind::kGreedy && !nodes_[n.b].needs_search;
  if (const Exits* exits = is_known ? ExitsOf(n.a) : nullptr) {
    const Exits found = *exits;
    if (HasExit(n.b, found.certain)) return kAlive;
    if (!HasExit(n.b, found.watched)) return kDead;
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

// Shortest texts. Rules by rounds of Bellman and Ford; intersections and complements by search.
uint32_t ExprSet::MinLength(ExprId e) {
  SealFor(e);
  if (nodes_[e].has_rule && rule_min_lengths_.size() != rules_.size()) SettleMinLengths();
  std::vector<ExprId> todo{e};
  uint32_t length = 0;
  while (!todo.empty()) {
    ExprId blocked = kNoMatch;
    length = MinLengthAt(todo.back(), 0, &blocked);
    if (length == kBlockedLength) todo.push_back(blocked);
    else todo.pop_back();
  }
  return length;
}

// Best first, by the length so far and the least that must follow (A*): where lengths are exact this goes straight to the
// end, where they are but lower bounds it looks around. False where the way is longer than `max_length`, or not found.
bool ExprSet::ShortestWay(ExprId e, size_t max_length, std::string* text) {
  struct Place {
    ExprId state;
    uint32_t from, length, next_class;
    uint64_t least;  // in all
    uint8_t byte;
  };
  constexpr size_t kMaxPlaces = 1 << 22;
  std::vector<Place> places{{e, 0, 0, 0, MinLength(e), 0}};
  using Key = std::tuple<uint64_t, uint32_t, uint32_t>;  // least length, then the deepest, then the first found
  std::priority_queue<Key, std::vector<Key>, std::greater<Key>> queue;
  std::unordered_set<ExprId> seen{e};
  auto push = [&](uint32_t i) { queue.emplace(places[i].least, ~places[i].length, i); };
  text->clear();
  for (push(0); !queue.empty() && places.size() < kMaxPlaces;) {
    const uint32_t i = std::get<2>(queue.top());
    queue.pop();
    const Place place = places[i];
    if (nodes_[place.state].nullable) {
      for (uint32_t k = i; k; k = places[k].from) *text += static_cast<char>(places[k].byte);
      std::reverse(text->begin(), text->end());
      return true;
    }
    const uint32_t p = Classes(place.state);
    for (uint32_t c = place.next_class; c < partitions_.num_classes(p); ++c) {
      const uint8_t byte = partitions_.representative(p, c);
      const ExprId next = Step(place.state, byte);
      if (next == kNoMatch || !seen.insert(next).second) continue;
      const uint64_t least = static_cast<uint64_t>(place.length) + 1 + MinLength(next);
      if (least > max_length) continue;
      places.push_back({next, i, place.length + 1, 0, least, byte});
      push(static_cast<uint32_t>(places.size() - 1));
      if (least > place.least) continue;
      places[i].next_class = c + 1;  // straight on; the other classes only if this leads nowhere
      push(i);
      break;
    }
  }
  return false;
}

void ExprSet::SettleMinLengths() {
  rule_min_lengths_.assign(rules_.size(), kInfinite);
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t i = 0; i < rules_.size(); ++i) {
      for (auto it = min_lengths_.begin(); it != min_lengths_.end();)
        it = nodes_[it->first].has_rule ? min_lengths_.erase(it) : std::next(it);
      const uint32_t length = MinLength(rules_[i].body);
      if (length < rule_min_lengths_[i]) rule_min_lengths_[i] = length, changed = true;
    }
  }
  for (auto it = min_lengths_.begin(); it != min_lengths_.end();)
    it = nodes_[it->first].has_rule ? min_lengths_.erase(it) : std::next(it);
}

uint32_t ExprSet::MinLengthAt(ExprId e, int depth, ExprId* blocked) {
  const Node n = nodes_[e];
  if (!n.productive) return kInfinite;
  if (n.nullable) return 0;
  if (n.kind == Kind::kByteSet) return 1;
  if (n.kind == Kind::kTable) return tables_[n.a]->shortest[n.b];
  if (n.kind == Kind::kRule) return rule_min_lengths_[n.a];
  if (auto it = min_lengths_.find(e); it != min_lengths_.end()) return it->second;
  if (depth > kMaxDepth) return *blocked = e, kBlockedLength;
  const uint32_t length = ComputeMinLength(n, depth + 1, blocked);
  if (length != kBlockedLength) min_lengths_[e] = length;
  return length;
}

namespace {

uint32_t add(uint64_t x, uint64_t y) {
  return x >= kBlockedLength || y >= kBlockedLength ? kInfinite : static_cast<uint32_t>(std::min<uint64_t>(x + y, kBlockedLength - 1));
}

uint32_t times(uint64_t x, uint64_t k) {
  return x >= kBlockedLength ? (k ? kInfinite : 0) : static_cast<uint32_t>(std::min<uint64_t>(x * k, kBlockedLength - 1));
}

}  // namespace

// A shortest text of a regular expression; false where the search met its bound, or there is none.
bool ExprSet::ShortestText(ExprId e, std::string* text) {
  struct Visit {
    ExprId state;
    size_t from;
    uint8_t byte;
  };
  std::vector<Visit> queue{{e, 0, 0}};
  std::unordered_map<ExprId, bool> seen{{e, true}};
  for (size_t head = 0; head < queue.size() && queue.size() <= max_search_states_; ++head) {
    if (nodes_[queue[head].state].nullable) {
      text->clear();
      for (size_t i = head; i; i = queue[i].from) *text += static_cast<char>(queue[i].byte);
      std::reverse(text->begin(), text->end());
      return true;
    }
    const uint32_t p = Classes(queue[head].state);
    for (uint32_t c = 0; c < partitions_.num_classes(p); ++c) {
      const uint8_t byte = partitions_.representative(p, c);
      const ExprId t = Step(queue[head].state, byte);
      if (t != kNoMatch && seen.try_emplace(t, true).second) queue.push_back({t, head, byte});
    }
  }
  return false;
}

// The length of `count` entries together: where these are keyed the shortest keys that differ from each other and from
// the used ones, each in turn.
uint32_t ExprSet::DistinctMinLength(ExprId item, uint32_t used, uint32_t count, int depth, ExprId* blocked) {
  constexpr uint32_t kMostInTurn = 8;  // beyond, a lower bound
  const std::vector<ExprId> parts = Alternatives(item);
  uint32_t sum = 0, shortest = 0;
  if (used <= kVague) used = 0;
  for (uint32_t i = 0; i < count; ++i) {
    if (i == kMostInTurn) return add(sum, times(shortest, count - i));
    std::string key;
    shortest = kInfinite;
    for (ExprId part : parts) {
      const Node p = nodes_[part];
      const bool is_keyed = p.kind == Kind::kKey && p.d == kNoMatch && (used || count > 1);
      uint32_t length = MinLengthAt(is_keyed ? p.c : part, depth, blocked);
      if (length == kBlockedLength) return length;
      std::string text;
      if (is_keyed) length = ShortestText(ExcludeUsed(p.a, used), &text) ? add(length, text.size()) : kInfinite;
      if (length < shortest) shortest = length, key.swap(text);
    }
    sum = add(sum, shortest);
    if (key.empty()) return add(sum, times(shortest, count - i - 1));  // nothing to tell apart
    used = AddUsed(used, AddText(0, key));
  }
  return sum;
}

bool ExprSet::HasDistinct(ExprId item, uint32_t count) {
  const std::vector<ExprId> parts = Alternatives(item);
  for (uint32_t used = 0, i = 0; i < count; ++i) {
    std::string key;
    bool found = false;
    for (size_t k = 0; k < parts.size() && !found; ++k) found = ShortestText(ExcludeUsed(nodes_[parts[k]].a, used), &key);
    if (!found) return false;
    used = AddUsed(used, AddText(0, key));
  }
  return true;
}

// The separator and the entries that must still come, and of the others the shortest ones that fill up to `low`.
uint32_t ExprSet::MembersMinLength(const Node& n, int depth, ExprId* blocked) {
  const MemberList list = lists_[n.a];
  const MemberState state = member_states_[n.b];
  const uint32_t separator = MinLengthAt(list.separator, depth, blocked);
  if (separator == kBlockedLength) return separator;
  uint32_t sum = 0;
  uint64_t num_items = 0;
  std::vector<uint32_t> left(list.entries.size());  // how often each entry may still come
  for (uint32_t j = state.position; j < list.entries.size(); ++j) {
    left[j] = list.entries[j].max == kInfinite ? kInfinite : list.entries[j].max - Taken(list, state, j);
  }
  for (const auto& [entry, count] : MissingEntries(n)) {
    const uint32_t x = DistinctMinLength(list.entries[entry].item, state.used, count, depth, blocked);
    if (x == kBlockedLength) return x;
    sum = add(sum, x);
    num_items += count;
    if (left[entry] != kInfinite) left[entry] -= count;
  }
  if (state.total + num_items < list.low) {
    std::vector<std::tuple<uint32_t, uint32_t, uint32_t>> others;  // length, how often, entry
    for (uint32_t j = state.position; j < list.entries.size(); ++j) {
      const uint32_t x = left[j] ? MinLengthAt(list.entries[j].item, depth, blocked) : kInfinite;
      if (x == kBlockedLength) return x;
      if (x < kBlockedLength) others.emplace_back(x, left[j], j);
    }
    std::sort(others.begin(), others.end());
    for (const auto& [length, count, entry] : others) {
      const uint64_t wanted = list.low - std::min<uint64_t>(list.low, state.total + num_items);
      const uint32_t some = static_cast<uint32_t>(std::min<uint64_t>(count, wanted));
      const uint32_t x = DistinctMinLength(list.entries[entry].item, state.used, some, depth, blocked);
      if (x == kBlockedLength) return x;
      sum = add(sum, x);
      num_items += some;
    }
    if (state.total + num_items < list.low) return kInfinite;
  }
  if (num_items == 0) return sum;
  return add(sum, times(separator, state.started ? num_items : num_items - 1));
}

uint32_t ExprSet::ComputeMinLength(const Node& n, int depth, ExprId* blocked) {
  switch (n.kind) {
    case Kind::kConcat: {
      const uint32_t x = MinLengthAt(n.a, depth, blocked);
      if (x == kBlockedLength) return x;
      const uint32_t y = MinLengthAt(n.b, depth, blocked);
      return y == kBlockedLength ? y : add(x, y);
    }
    case Kind::kOr: {
      uint32_t least = kInfinite;
      for (uint32_t i = 0; i < n.b; ++i) {
        const uint32_t x = MinLengthAt(children_[n.a + i], depth, blocked);
        if (x == kBlockedLength) return x;
        least = std::min(least, x);
      }
      return least;
    }
    case Kind::kRepeat: {
      const uint32_t x = MinLengthAt(n.a, depth, blocked);
      return x == kBlockedLength ? x : times(x, n.b);
    }
    case Kind::kLexeme:
    case Kind::kGreedy:
    case Kind::kBody: return MinLengthAt(n.a, depth, blocked);
    case Kind::kSubstring: return substrings_[n.d >> 5]->MinLength({n.a, n.b, n.c, n.d & 31});
    case Kind::kMembers: return MembersMinLength(n, depth, blocked);
    case Kind::kKey: {
      std::string rest;
      if (n.d != kNoMatch && ShortestText(ExcludeRests(n), &rest)) {
        const ExprId behind = FinishKey(AddText(n.b, rest), n.c, n.d);
        const uint32_t x = behind == kNoMatch ? kInfinite : MinLengthAt(behind, depth, blocked);
        if (x != kInfinite) return x == kBlockedLength ? x : add(x, rest.size());
      }
      uint32_t sum = 0;  // no other key was found: a lower bound
      for (ExprId part : {n.a, n.c, n.d == kNoMatch ? kEmptyString : n.d}) {
        const uint32_t x = MinLengthAt(part, depth, blocked);
        if (x == kBlockedLength) return x;
        sum = add(sum, x);
      }
      return sum;
    }
    case Kind::kAnd:
      if (n.has_rule) {  // a lower bound: the longest of what must hold at once
        uint32_t most = 0;
        for (uint32_t i = 0; i < n.b; ++i) {
          const ExprId x = children_[n.a + i];
          const uint32_t length = nodes_[x].kind == Kind::kNot ? 1 : MinLengthAt(x, depth, blocked);
          if (length == kBlockedLength) return length;
          most = std::max(most, length);
        }
        return most;
      }
      [[fallthrough]];
    case Kind::kNot: {
      const ExprId e = n.kind == Kind::kNot ? MakeNot(n.a) : InternSet(Kind::kAnd, {children_.begin() + n.a, children_.begin() + n.a + n.b});
      return SearchMinLength(e);
    }
    default: return kInfinite;
  }
}

uint32_t ExprSet::SearchMinLength(ExprId start) {
  std::vector<ExprId> level{start}, next;
  std::unordered_map<ExprId, bool> seen{{start, true}};
  for (uint32_t length = 1; !level.empty(); ++length) {
    next.clear();
    for (ExprId s : level) {
      const uint32_t p = Classes(s);
      for (uint32_t c = 0; c < partitions_.num_classes(p); ++c) {
        const ExprId t = Step(s, partitions_.representative(p, c));
        if (t == kNoMatch) continue;
        if (nodes_[t].nullable) return length;
        if (seen.try_emplace(t, true).second) next.push_back(t);
      }
    }
    if (seen.size() > max_search_states_) return length + 1;  // a lower bound: enough to prefer shorter ways
    level.swap(next);
  }
  return kInfinite;
}

}  // namespace constrain
