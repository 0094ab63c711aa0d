// How many bytes has the shortest text of an expression, and by which byte does it go on?
//
// Rules by Knuth's generalisation of Dijkstra's algorithm (1977): lengths are settled in ascending order, each from parts
// that are settled. Intersections and complements by search, breadth first. Entries whose keys must differ cost what the
// shortest different keys cost, one after the other; the texts of a key are found shortest first, by the lengths of what
// is left of it, and remembered. A length is exact, or else a bound that is counted in num_loose_lengths: where a search
// met its limit, and where keys of one entry may be wanted by another. Held by tests/test_algebra.py.
#include <algorithm>
#include <functional>
#include <queue>
#include <tuple>
#include <unordered_set>

#include "expr.h"

namespace constrain {

namespace {

constexpr uint32_t kBlockedLength = 0xFFFFFFFE;
constexpr size_t kMostNested = 30;       // searches inside searches
constexpr uint32_t kMostKeys = 4096;  // told apart; beyond, each is taken to be as long as the last

uint32_t add(uint64_t x, uint64_t y) {
  return x >= kBlockedLength || y >= kBlockedLength ? kInfinite : static_cast<uint32_t>(std::min<uint64_t>(x + y, kBlockedLength - 1));
}

uint32_t times(uint64_t x, uint64_t k) {
  return x >= kBlockedLength ? (k ? kInfinite : 0) : static_cast<uint32_t>(std::min<uint64_t>(x * k, kBlockedLength - 1));
}

}  // namespace

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

ExprId ExprSet::NearestStep(ExprId e, uint8_t* byte) {
  const uint32_t left = MinLength(e), p = Classes(e);
  ExprId best = kNoMatch;
  uint32_t best_length = kInfinite;
  for (uint32_t c = 0; c < partitions_.num_classes(p) && best_length + 1 != left; ++c) {
    const ExprId next = Step(e, partitions_.representative(p, c));
    const uint32_t length = next == kNoMatch ? kInfinite : MinLength(next);
    if (length < best_length) best = next, best_length = length, *byte = partitions_.representative(p, c);
  }
  return best;
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

// The lengths of all rules. Meanwhile what is not settled counts as infinite.
void ExprSet::SettleMinLengths() try {
  rule_min_lengths_.assign(rules_.size(), kInfinite);
  std::vector<ExprId> whole, parts;
  std::vector<bool> is_met(nodes_.size());
  auto meet = [&](ExprId e) {
    if (nodes_[e].has_rule && !is_met[e]) is_met[e] = true, whole.push_back(e);
  };
  for (const Rule& rule : rules_) meet(rule.node);
  for (size_t i = 0; i < whole.size(); ++i) {
    min_lengths_[whole[i]] = kInfinite;
    parts.clear();
    AddParts(whole[i], &parts);
    for (ExprId part : parts) meet(part);
    for (ExprId part : parts)
      if (!nodes_[part].has_rule) MinLength(part);
  }
  const Users users = UsersOf(whole);
  std::vector<bool> is_settled(is_met.size()), is_due(is_met.size());
  using Item = std::pair<uint32_t, ExprId>;
  std::priority_queue<Item, std::vector<Item>, std::greater<Item>> heap;
  std::vector<ExprId> due = whole;  // to be looked at before anything longer is settled
  for (ExprId e : due) is_due[e] = true;
  for (uint32_t length = 0; !heap.empty() || !due.empty();) {
    if (!due.empty() && (heap.empty() || heap.top().first > length)) {
      for (ExprId e : due) {
        is_due[e] = false;
        const Node n = nodes_[e];
        ExprId blocked = kNoMatch;
        const uint32_t x = is_settled[e] || !n.productive ? kInfinite : n.nullable ? 0 : ComputeMinLength(n, 1, &blocked);
        if (x < kBlockedLength) heap.emplace(x, e);
      }
      due.clear();
      continue;
    }
    const ExprId e = heap.top().second;
    length = heap.top().first;
    heap.pop();
    if (is_settled[e]) continue;
    is_settled[e] = true;
    min_lengths_[e] = length;
    if (nodes_[e].kind == Kind::kRule) rule_min_lengths_[nodes_[e].a] = length;
    for (uint32_t i = users.first[e]; i < users.first[e + 1]; ++i) {
      const ExprId user = users.list[i];
      const Kind kind = nodes_[user].kind;
      if (is_settled[user] || kind == Kind::kNot) continue;
      if (kind == Kind::kOr || kind == Kind::kRule) heap.emplace(length, user);
      else if (!is_due[user]) is_due[user] = true, due.push_back(user);
    }
  }
} catch (...) {  // out of fuel
  rule_min_lengths_.clear();
  min_lengths_.clear();
  throw;
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

// The text number `index` of a regular expression in the order of their lengths; false where there is none, or where
// the search met its bound.
bool ExprSet::ShortText(ExprId e, size_t index, uint32_t* text) try {
  auto [it, fresh] = short_texts_.try_emplace(e);
  ShortTexts& texts = it->second;
  using Open = ShortTexts::Open;
  auto is_later = [this](const Open& x, const Open& y) {  // of equal ones the one that is nearly done comes first
    return x.length != y.length ? x.length > y.length : texts_[x.text].length < texts_[y.text].length;
  };
  if (fresh && MinLength(e) != kInfinite) texts.heap.push_back({MinLength(e), 0, e});
  const size_t most = 8 * static_cast<size_t>(max_search_states_);
  while (texts.found.size() <= index && !texts.heap.empty() && !(texts.is_cut = texts.heap.size() > most)) {
    std::pop_heap(texts.heap.begin(), texts.heap.end(), is_later);
    const Open top = texts.heap.back();
    texts.heap.pop_back();
    if (nodes_[top.state].nullable) texts.found.push_back(top.text);
    for (const std::string& bytes : LiveClasses(top.state)) {
      const ExprId next = Step(top.state, static_cast<uint8_t>(bytes[0]));
      const uint32_t length = add(texts_[top.text].length + 1, MinLength(next));
      if (length == kInfinite) continue;
      for (char b : bytes) {
        texts.heap.push_back({length, AddByte(top.text, static_cast<uint8_t>(b)), next});
        std::push_heap(texts.heap.begin(), texts.heap.end(), is_later);
      }
    }
  }
  if (texts.found.size() <= index) return false;
  *text = texts.found[index];
  return true;
} catch (...) {  // out of fuel, and in the middle of it
  short_texts_.erase(e);
  throw;
}

bool ExprSet::OpenEntry(ExprId item, int depth, ExprId* blocked, EntrySource* out) {
  for (ExprId part : Alternatives(item)) {
    const Node p = nodes_[part];
    const bool is_keyed = p.kind == Kind::kKey && p.d == kNoMatch && !nodes_[p.a].has_rule;
    if (p.kind == Kind::kKey && !is_keyed) ++num_loose_lengths_;
    const uint32_t length = MinLengthAt(is_keyed ? p.c : part, depth, blocked);
    if (length == kBlockedLength) return false;
    if (length == kInfinite) continue;
    if (!is_keyed) {
      out->plain = std::min(out->plain, length);
      continue;
    }
    // Where tails differ an open key may be worth more to a later one.
    if (!out->keyed.empty() && out->keyed[0].tail != length) ++num_loose_lengths_;
    out->keyed.push_back({p.a, length, p.b != 0});
  }
  return true;
}

// The bytes of one more of an entry, whose key differs from those taken; kInfinite where there is none.
uint32_t ExprSet::TakeEntry(EntrySource* entry, TakenKeys* taken, bool only_look) {
  uint32_t best = entry->plain, text = 0, key = 0;
  KeySource* from = nullptr;
  for (KeySource& k : entry->keyed) {
    bool found;
    while ((found = ShortText(k.key, k.next, &text))) {
      const auto& those = k.is_scarce ? taken->values : taken->texts;
      const auto it = those.find(k.is_scarce ? ValueOf(text) : text);
      if (it == those.end()) break;
      if (it->second != kNoMatch && it->second != k.key) ++num_loose_lengths_;  // another entry might do without it
      ++k.next;
    }
    if (!found && short_texts_[k.key].is_cut) {  // as long as the last one, at least
      const uint32_t last = k.next && ShortText(k.key, k.next - 1, &text) ? texts_[text].length : MinLength(k.key);
      entry->plain = std::min(entry->plain, add(k.tail, last));
      ++num_loose_lengths_;
    }
    const uint32_t length = found ? add(k.tail, texts_[text].length) : kInfinite;
    if (length < best) best = length, key = text, from = &k;
  }
  if (entry->plain < best) best = entry->plain, from = nullptr;
  if (only_look || !from) return best;
  taken->texts[key] = from->key;
  taken->values[ValueOf(key)] = from->key;
  if (++taken->num_taken > kMostKeys) entry->plain = best, entry->keyed.clear(), ++num_loose_lengths_;
  return best;
}

// Those found are taken out of the language, so that a value with many spellings is met but once.
bool ExprSet::HasDistinct(ExprId item, uint32_t count) {
  const std::vector<ExprId> parts = Alternatives(item);
  for (uint32_t used = 0, i = 0; i < count; ++i) {
    uint32_t text = 0;
    const bool found = std::any_of(parts.begin(), parts.end(), [&](ExprId part) {
      return ShortText(ExcludeUsed(nodes_[part].a, used), 0, &text);
    });
    if (!found) return false;
    used = AddUsed(used, text);
  }
  return true;
}

// The separator and the entries that must still come, and of the others the shortest ones that fill up to `low`.
uint32_t ExprSet::MembersMinLength(const Node& n, int depth, ExprId* blocked) {
  const uint32_t separator = MinLengthAt(lists_[n.a].separator, depth, blocked);
  if (separator == kBlockedLength) return separator;
  const size_t num_entries = lists_[n.a].entries.size();
  const MemberState state = member_states_[n.b];
  std::vector<uint32_t> missing(num_entries), more(num_entries);
  uint64_t num_items = 0;
  for (const auto& [entry, count] : MissingEntries(n)) missing[entry] = count, num_items += count;
  const uint32_t low = lists_[n.a].low;
  uint32_t wanted = state.total + num_items < low ? static_cast<uint32_t>(low - state.total - num_items) : 0;
  num_items += wanted;
  std::vector<std::pair<uint32_t, EntrySource>> sources;
  for (uint32_t j = state.position; j < num_entries; ++j) {
    const Entry& entry = lists_[n.a].entries[j];
    more[j] = entry.max == kInfinite ? wanted : std::min(wanted, entry.max - Taken(lists_[n.a], state, j) - missing[j]);
    if (missing[j] + more[j] == 0) continue;
    sources.emplace_back(j, EntrySource());
    if (!OpenEntry(lists_[n.a].entries[j].item, depth, blocked, &sources.back().second)) return kBlockedLength;
  }
  if (state.used && !IsList(state.used)) ++num_loose_lengths_;
  TakenKeys taken;
  const bool has_keys = std::any_of(sources.begin(), sources.end(), [](const auto& s) { return !s.second.keyed.empty(); });
  for (uint32_t u = state.used; has_keys && IsList(u); u = used_[u].parent)
    taken.texts[used_[u].text] = taken.values[ValueOf(used_[u].text)] = kNoMatch;
  uint32_t sum = 0;
  auto take = [&](EntrySource* source, uint32_t count) {  // how many were taken
    if (source->keyed.empty()) return sum = add(sum, times(source->plain, count)), count;
    sum = add(sum, TakeEntry(source, &taken, /*only_look=*/false));
    return 1u;
  };
  for (auto& [j, source] : sources)
    for (uint32_t left = missing[j]; left && sum != kInfinite;) left -= take(&source, left);
  while (wanted && sum != kInfinite) {
    uint32_t least = kInfinite;
    size_t best = sources.size();
    for (size_t i = 0; i < sources.size(); ++i) {
      const uint32_t length = more[sources[i].first] ? TakeEntry(&sources[i].second, &taken, /*only_look=*/true) : kInfinite;
      if (length < least) least = length, best = i;
    }
    if (best == sources.size()) return kInfinite;
    uint32_t& left = more[sources[best].first];
    const uint32_t some = take(&sources[best].second, std::min(wanted, left));
    wanted -= some, left -= some;
  }
  if (sum == kInfinite || num_items == 0) return sum;
  return add(sum, times(separator, state.started ? num_items : num_items - 1));
}

// The shortest rest by which the key has not come before, and what follows it.
uint32_t ExprSet::KeyMinLength(const Node& n, int depth, ExprId* blocked) {
  uint32_t rest = 0;
  for (size_t i = 0; n.d != kNoMatch && !nodes_[n.a].has_rule && ShortText(n.a, i, &rest); ++i) {
    const uint32_t key = AddText(n.b, TextOf(rest));
    if (HasCome(n, key)) continue;
    const ExprId behind = FinishKey(key, n.c, n.d);
    const uint32_t x = behind == kNoMatch ? kInfinite : MinLengthAt(behind, depth, blocked);
    return x == kBlockedLength ? x : add(x, texts_[rest].length);
  }
  uint32_t sum = 0;
  for (ExprId part : {n.a, n.c, n.d == kNoMatch ? kEmptyString : n.d}) {
    const uint32_t x = MinLengthAt(part, depth, blocked);
    if (x == kBlockedLength) return x;
    sum = add(sum, x);
  }
  if (n.d != kNoMatch && sum != kInfinite) ++num_loose_lengths_;  // no other key was found
  return sum;
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
    case Kind::kRule: return MinLengthAt(rules_[n.a].body, depth, blocked);
    case Kind::kGreedy:
      ++num_loose_lengths_;  // perhaps not with what follows
      [[fallthrough]];
    case Kind::kLexeme:
    case Kind::kBody: return MinLengthAt(n.a, depth, blocked);
    case Kind::kSubstring: return substrings_[n.d >> 5]->MinLength({n.a, n.b, n.c, n.d & 31});
    case Kind::kMembers: return MembersMinLength(n, depth, blocked);
    case Kind::kKey: return KeyMinLength(n, depth, blocked);
    case Kind::kAnd:
      if (n.has_rule) {  // a lower bound: the longest of what must hold at once
        uint32_t most = 0;
        for (uint32_t i = 0; i < n.b; ++i) {
          const ExprId x = children_[n.a + i];
          const uint32_t length = nodes_[x].kind == Kind::kNot ? 1 : MinLengthAt(x, depth, blocked);
          if (length == kBlockedLength) return length;
          most = std::max(most, length);
        }
        ++num_loose_lengths_;
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

// Breadth first, as far as intersections and complements go; the lengths of other states are found without a search. The
// states of the way that is found are known from then on.
uint32_t ExprSet::SearchMinLength(ExprId start) {
  if (std::find(searching_.begin(), searching_.end(), start) != searching_.end()) return ++num_loose_lengths_, 1;  // part of itself
  struct Visit {
    ExprId state;
    uint32_t from, depth;
  };
  struct Guard {
    std::vector<ExprId>* list;
    ~Guard() { list->pop_back(); }
  } guard{&searching_};
  searching_.push_back(start);
  std::vector<Visit> queue{{start, 0, 0}};
  std::unordered_set<ExprId> seen{start};
  uint32_t best = kInfinite, best_from = 0;
  for (uint32_t head = 0; head < queue.size() && queue[head].depth + 1 < best; ++head) {
    const bool is_spent = queue.size() > max_search_states_ || fuel_ < max_steps_ / 2;  // the rest of the steps are for others
    if (is_spent) return ++num_loose_lengths_, queue[head].depth + 1;
    const Visit v = queue[head];
    const uint32_t p = Classes(v.state);
    for (uint32_t c = 0; c < partitions_.num_classes(p); ++c) {
      const ExprId t = Step(v.state, partitions_.representative(p, c));
      if (t == kNoMatch || !seen.insert(t).second) continue;
      const Kind kind = nodes_[t].kind;
      const bool is_open = (kind == Kind::kAnd || kind == Kind::kNot) && !nodes_[t].nullable && !min_lengths_.count(t);
      if (is_open || searching_.size() > kMostNested) {
        queue.push_back({t, head, v.depth + 1});
        if (nodes_[t].nullable && v.depth + 1 < best) best = v.depth + 1, best_from = head;
      } else if (const uint32_t length = add(v.depth + 1, MinLength(t)); length < best) {
        best = length, best_from = head;
      }
    }
  }
  for (uint32_t i = best_from; best != kInfinite && i; i = queue[i].from) min_lengths_[queue[i].state] = best - queue[i].depth;
  return best;
}

}  // namespace constrain
