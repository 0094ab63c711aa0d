// The smart constructors: the only way to make a node, and the laws that they apply.
//
// Each law is an equation of languages; tests/test_algebra.py lists them in two columns and checks both sides against
// explicit sets of strings. Or and And hold their children sorted by content hash, so that equal sets are equal nodes
// in every ExprSet.
#include <algorithm>
#include <atomic>
#include <tuple>
#include <utility>

#include "expr.h"

namespace constrain {

namespace {

enum Tag : uint64_t { kTagByteSet = 1, kTagConcat, kTagOr, kTagAnd, kTagNot, kTagRepeat, kTagRule, kTagLexeme, kTagBody, kTagTable = 12, kTagSubstring = 14, kTagGreedy = 16 };

Node MakeNode(Kind kind, uint32_t a, uint32_t b = 0, uint32_t c = 0, uint32_t d = 0) {
  Node n{kind};
  n.a = a, n.b = b, n.c = c, n.d = d;
  return n;
}

}  // namespace

ExprId ExprSet::MakeByteSet(const ByteSet& set) {
  if (set.IsEmpty()) return kNoMatch;
  Hasher h(kTagByteSet);
  for (uint64_t w : set.words) h.Add(w);
  const Hash128 hash = h.Finish();
  size_t bucket;
  const ExprId known = Find(hash, &bucket);
  if (known != kInfinite) return known;
  byte_sets_.push_back(set);
  return Intern(MakeNode(Kind::kByteSet, static_cast<uint32_t>(byte_sets_.size() - 1)), hash);
}

ExprId ExprSet::MakeLiteral(std::string_view text) {
  ExprId e = kEmptyString;
  for (size_t i = text.size(); i-- > 0;) {
    ByteSet one;
    one.Add(static_cast<uint8_t>(text[i]));
    e = MakeConcat(MakeByteSet(one), e);
  }
  return e;
}

void ExprSet::SplitHead(ExprId e, ExprId* head, ExprId* tail) const {
  const bool is_concat = nodes_[e].kind == Kind::kConcat;
  *head = is_concat ? nodes_[e].a : e;
  *tail = is_concat ? nodes_[e].b : kEmptyString;
}

ExprId ExprSet::PrependAll(const std::vector<ExprId>& prefix, ExprId tail) {
  for (size_t i = prefix.size(); i-- > 0;) tail = MakeConcat(prefix[i], tail);
  return tail;
}

ExprId ExprSet::MakeConcat(ExprId x, ExprId y) {
  if (x == kNoMatch || y == kNoMatch) return kNoMatch;
  if (x == kEmptyString) return y;
  if (y == kEmptyString) return x;
  if (y == kAnything && nodes_[x].nullable) return y;
  if (nodes_[x].kind == Kind::kConcat) {  // right-associated
    std::vector<ExprId> spine;
    for (; nodes_[x].kind == Kind::kConcat; x = nodes_[x].b) spine.push_back(nodes_[x].a);
    spine.push_back(x);
    return PrependAll(spine, y);
  }
  if (nodes_[x].ends_greedy && nodes_[x].kind == Kind::kOr) {  // what follows a greedy lexeme stands beside it
    std::vector<ExprId> parts(children(x), children(x) + nodes_[x].b);
    for (ExprId& part : parts) part = MakeConcat(part, y);
    return MakeOr(std::move(parts));
  }
  ExprId head, tail;
  SplitHead(y, &head, &tail);
  if (x == kAnything && head == kAnything) return y;
  if (nodes_[x].kind == Kind::kRepeat && nodes_[head].kind == Kind::kRepeat && nodes_[x].a == nodes_[head].a) {
    const Node p = nodes_[x], q = nodes_[head];
    const uint64_t min = static_cast<uint64_t>(p.b) + q.b, max = static_cast<uint64_t>(p.c) + q.c;
    const bool unbounded = p.c == kInfinite || q.c == kInfinite;
    if (min < kMaxCount && (unbounded || max < kMaxCount))
      return MakeConcat(MakeRepeat(p.a, static_cast<uint32_t>(min), unbounded ? kInfinite : static_cast<uint32_t>(max)), tail);
  }
  return Intern(MakeNode(Kind::kConcat, x, y), Hasher(kTagConcat).Add(hashes_[x]).Add(hashes_[y]).Finish());
}

ExprId ExprSet::MakeConcat(const std::vector<ExprId>& parts) { return PrependAll(parts, kEmptyString); }

void ExprSet::SortUnique(std::vector<ExprId>* ids) const {
  std::sort(ids->begin(), ids->end(), [this](ExprId x, ExprId y) { return hashes_[x] < hashes_[y]; });
  ids->erase(std::unique(ids->begin(), ids->end()), ids->end());
}

ExprId ExprSet::InternSet(Kind kind, const std::vector<ExprId>& parts) {
  Hasher h(kind == Kind::kOr ? kTagOr : kTagAnd);
  for (ExprId x : parts) h.Add(hashes_[x]);
  const Hash128 hash = h.Finish();
  size_t bucket;
  const ExprId known = Find(hash, &bucket);
  if (known != kInfinite) return known;
  const uint32_t first = static_cast<uint32_t>(children_.size());
  children_.insert(children_.end(), parts.begin(), parts.end());
  return Intern(MakeNode(kind, first, static_cast<uint32_t>(parts.size())), hash);
}

// Opens nested Ors, drops the empty language, unites the byte sets, sorts. True: the union is everything.
bool ExprSet::FlattenOr(std::vector<ExprId>* parts) {
  std::vector<ExprId> flat;
  ByteSet bytes;
  bool has_bytes = false;
  auto add = [&](ExprId x) {
    if (nodes_[x].kind == Kind::kByteSet) bytes = bytes | byte_set(x), has_bytes = true;
    else if (x != kNoMatch) flat.push_back(x);
  };
  for (ExprId x : *parts) {
    if (x == kAnything) return true;
    if (nodes_[x].kind != Kind::kOr) add(x);
    else for (uint32_t i = 0; i < nodes_[x].b; ++i) add(children(x)[i]);
  }
  if (has_bytes) flat.push_back(MakeByteSet(bytes));
  SortUnique(&flat);
  parts->swap(flat);
  return false;
}

// S·t ∪ R·t = (S ∪ R)·t for byte sets S, R.
void ExprSet::MergeByteHeads(std::vector<ExprId>* parts) {
  std::vector<std::pair<ExprId, size_t>> by_tail;  // tail, index
  for (size_t i = 0; i < parts->size(); ++i) {
    const Node& n = nodes_[(*parts)[i]];
    if (n.kind == Kind::kConcat && nodes_[n.a].kind == Kind::kByteSet) by_tail.emplace_back(n.b, i);
  }
  if (by_tail.size() < 2) return;
  std::sort(by_tail.begin(), by_tail.end());
  bool changed = false;
  for (size_t i = 0; i < by_tail.size();) {
    size_t j = i + 1;
    ByteSet set = byte_set(nodes_[(*parts)[by_tail[i].second]].a);
    for (; j < by_tail.size() && by_tail[j].first == by_tail[i].first; ++j) {
      set = set | byte_set(nodes_[(*parts)[by_tail[j].second]].a);
      (*parts)[by_tail[j].second] = kNoMatch;
    }
    if (j > i + 1) (*parts)[by_tail[i].second] = MakeConcat(MakeByteSet(set), by_tail[i].first), changed = true;
    i = j;
  }
  if (changed) FlattenOr(parts);
}

// x{m,n}·t ∪ x{k,l}·t = x{min(m,k),max(n,l)}·t where the ranges overlap or touch; ε counts as x{0,0} where t = ε.
void ExprSet::MergeRepeats(std::vector<ExprId>* parts) {
  struct Item {
    ExprId x, tail;
    uint32_t min, max;
    size_t index;
  };
  std::vector<Item> items;
  size_t empty_at = parts->size();
  for (size_t i = 0; i < parts->size(); ++i) {
    ExprId head, tail;
    SplitHead((*parts)[i], &head, &tail);
    const Node& n = nodes_[head];
    if (head == kEmptyString) empty_at = i;
    if (n.kind == Kind::kRepeat) items.push_back({n.a, tail, n.b, n.c, i});
  }
  bool changed = false;
  for (Item& item : items)
    if (empty_at < parts->size() && item.tail == kEmptyString && item.min == 1) {
      (*parts)[item.index] = MakeRepeat(item.x, 0, item.max);
      item.min = 0;
      changed = true;
    }
  if (items.size() > 1) {
    std::sort(items.begin(), items.end(), [](const Item& p, const Item& q) {
      return std::tie(p.x, p.tail, p.min, p.max) < std::tie(q.x, q.tail, q.min, q.max);
    });
    for (size_t i = 0; i < items.size();) {
      Item merged = items[i];
      size_t j = i + 1;
      for (; j < items.size() && items[j].x == merged.x && items[j].tail == merged.tail; ++j) {
        if (merged.max != kInfinite && items[j].min > merged.max + 1) break;
        merged.max = std::max(merged.max, items[j].max);
        (*parts)[items[j].index] = kNoMatch;
      }
      if (j > i + 1) (*parts)[items[i].index] = MakeConcat(MakeRepeat(merged.x, merged.min, merged.max), merged.tail), changed = true;
      i = j;
    }
  }
  if (changed) FlattenOr(parts);
}

// h·s ∪ h·t = h·(s ∪ t).
void ExprSet::FactorHeads(std::vector<ExprId>* parts) {
  std::vector<std::pair<ExprId, ExprId>> split;  // head, whole
  for (ExprId x : *parts) {
    ExprId head, tail;
    SplitHead(x, &head, &tail);
    split.emplace_back(head, x);
  }
  std::stable_sort(split.begin(), split.end(), [](const auto& p, const auto& q) { return p.first < q.first; });
  std::vector<ExprId> result;
  bool changed = false;
  for (size_t i = 0; i < split.size();) {
    size_t j = i + 1;
    while (j < split.size() && split[j].first == split[i].first) ++j;
    if (j == i + 1) {
      result.push_back(split[i].second);
    } else {
      std::vector<ExprId> tails;
      for (size_t k = i; k < j; ++k) {
        ExprId head, tail;
        SplitHead(split[k].second, &head, &tail);
        tails.push_back(tail);
      }
      result.push_back(MakeConcat(split[i].first, MakeOr(std::move(tails))));
      changed = true;
    }
    i = j;
  }
  if (!changed) return;
  parts->swap(result);
  FlattenOr(parts);
}

ExprId ExprSet::MakeOr(std::vector<ExprId> parts) {
  std::vector<ExprId> prefix;
  Hash128 memo_key{};
  for (bool first = true;; first = false) {
    if (FlattenOr(&parts)) return PrependAll(prefix, kAnything);
    if (parts.empty()) return kNoMatch;
    if (parts.size() == 1) return PrependAll(prefix, parts[0]);
    if (first) {
      Hasher h(kTagOr + 1000);
      for (ExprId x : parts) h.Add(hashes_[x]);
      memo_key = h.Finish();
      if (auto it = or_memo_.find(memo_key); it != or_memo_.end()) return it->second;
    }
    ExprId common, tail;
    SplitHead(parts[0], &common, &tail);
    for (ExprId x : parts) {
      ExprId head;
      SplitHead(x, &head, &tail);
      if (head != common) common = kInfinite;
    }
    if (common == kInfinite) break;
    prefix.push_back(common);
    for (ExprId& x : parts) {
      ExprId head;
      SplitHead(x, &head, &tail);
      x = tail;
    }
  }
  MergeByteHeads(&parts);
  MergeRepeats(&parts);
  FactorHeads(&parts);
  const bool has_other_nullable = std::any_of(parts.begin(), parts.end(), [this](ExprId x) {
    return x != kEmptyString && nodes_[x].nullable && !nodes_[x].has_rule && !nodes_[x].ends_greedy;
  });
  if (has_other_nullable) parts.erase(std::remove(parts.begin(), parts.end(), kEmptyString), parts.end());
  const ExprId result = PrependAll(prefix, parts.size() == 1 ? parts[0] : InternSet(Kind::kOr, parts));
  or_memo_.emplace(memo_key, result);
  return result;
}

ExprId ExprSet::MakeAnd(std::vector<ExprId> parts) {
  std::vector<ExprId> prefix;
  for (;;) {
    std::vector<ExprId> flat;
    ByteSet bytes = ByteSet::All();
    bool has_bytes = false, has_empty = false;
    auto add = [&](ExprId x) {
      while (nodes_[x].kind == Kind::kLexeme) x = nodes_[x].a;  // borders mean nothing inside an intersection
      if (nodes_[x].kind == Kind::kByteSet) bytes = bytes & byte_set(x), has_bytes = true;
      else if (x == kEmptyString) has_empty = true;
      else if (x != kAnything) flat.push_back(x);
    };
    for (ExprId x : parts) {
      if (x == kNoMatch) return kNoMatch;
      while (nodes_[x].kind == Kind::kLexeme) x = nodes_[x].a;
      if (nodes_[x].kind != Kind::kAnd) add(x);
      else for (uint32_t i = 0; i < nodes_[x].b; ++i) add(children(x)[i]);
    }
    if (has_bytes) flat.push_back(MakeByteSet(bytes));
    if (has_bytes && (bytes.IsEmpty() || has_empty)) return kNoMatch;
    SortUnique(&flat);
    if (has_empty) {
      bool all_known = true;
      for (ExprId x : flat) {
        if (!nodes_[x].nullable && !nodes_[x].has_rule) return kNoMatch;
        all_known = all_known && !nodes_[x].has_rule;
      }
      if (all_known) return PrependAll(prefix, kEmptyString);
      flat.push_back(kEmptyString);
      SortUnique(&flat);
    }
    for (ExprId x : flat)  // x & ~x
      if (nodes_[x].kind == Kind::kNot && std::find(flat.begin(), flat.end(), nodes_[x].a) != flat.end()) return kNoMatch;
    if (flat.empty()) return PrependAll(prefix, kAnything);
    if (flat.size() == 1) return PrependAll(prefix, flat[0]);
    // S·x & R·y = (S & R)·(x & y) for byte sets S, R.
    ByteSet common = ByteSet::All();
    bool all_have_byte_heads = true;
    for (ExprId x : flat) {
      ExprId head, tail;
      SplitHead(x, &head, &tail);
      if (nodes_[head].kind != Kind::kByteSet) all_have_byte_heads = false;
      else common = common & byte_set(head);
    }
    if (!all_have_byte_heads) return PrependAll(prefix, InternSet(Kind::kAnd, flat));
    if (common.IsEmpty()) return kNoMatch;
    prefix.push_back(MakeByteSet(common));
    for (ExprId& x : flat) {
      ExprId head, tail;
      SplitHead(x, &head, &tail);
      x = tail;
    }
    parts.swap(flat);
  }
}

ExprId ExprSet::MakeNot(ExprId x) {
  while (nodes_[x].kind == Kind::kLexeme) x = nodes_[x].a;
  if (nodes_[x].kind == Kind::kNot) return nodes_[x].a;
  if (x == kNoMatch) return kAnything;
  return Intern(MakeNode(Kind::kNot, x), Hasher(kTagNot).Add(hashes_[x]).Finish());
}

ExprId ExprSet::MakeRepeat(ExprId x, uint32_t min, uint32_t max) {
  if (min > max) return kNoMatch;
  if (max != kInfinite && max >= kMaxCount) throw LimitError("max_repeat", max, kMaxCount - 1);
  if (min >= kMaxCount) throw LimitError("max_repeat", min, kMaxCount - 1);
  if (max == 0 || x == kEmptyString) return kEmptyString;
  if (x == kNoMatch) return min == 0 ? kEmptyString : kNoMatch;
  if (min == 1 && max == 1) return x;
  if (x == kAnything) return kAnything;
  const Node n = nodes_[x];
  if (n.nullable && !n.has_rule) min = 0;
  if (n.kind == Kind::kByteSet && min == 0 && max == kInfinite && byte_set(x) == ByteSet::All()) return kAnything;
  if (n.kind == Kind::kRepeat) {  // (y{a,b}){m,n} = y{a·m, b·n} where the ranges of all counts touch
    const uint64_t a = n.b, b = n.c, m = min;
    const bool touch = min == max || (b == kInfinite ? m >= 1 || a <= 1 : (m + 1) * a <= m * b + 1);
    const uint64_t low = a * m, high = static_cast<uint64_t>(b) * max;
    const bool unbounded = b == kInfinite || max == kInfinite;
    if (touch && low < kMaxCount && (unbounded || high < kMaxCount))
      return MakeRepeat(n.a, static_cast<uint32_t>(low), unbounded ? kInfinite : static_cast<uint32_t>(high));
  }
  return Intern(MakeNode(Kind::kRepeat, x, min, max),
                Hasher(kTagRepeat).Add(hashes_[x]).Add(static_cast<uint64_t>(min) << 32 | max).Finish());
}

ExprId ExprSet::MakeLexeme(ExprId x) {
  const Kind kind = nodes_[x].kind;
  if (x <= kEmptyString || kind == Kind::kByteSet || kind == Kind::kLexeme || kind == Kind::kSubstring) return x;
  return Intern(MakeNode(Kind::kLexeme, x), Hasher(kTagLexeme).Add(hashes_[x]).Finish());
}

ExprId ExprSet::MakeGreedy(ExprId x, ExprId munch, Blocking blocking) {
  if (x == kNoMatch) return kNoMatch;
  if (munch <= kEmptyString && x != kEmptyString) munch = x;
  const bool is_prefix_free = munch == x && (x == kEmptyString || nodes_[x].kind == Kind::kByteSet);
  if (is_prefix_free || munch <= kEmptyString) return x;
  const Hash128 hash = Hasher(kTagGreedy).Add(hashes_[x]).Add(hashes_[munch]).Add(blocking).Finish();
  return Intern(MakeNode(Kind::kGreedy, x, munch, blocking), hash);
}

ExprId ExprSet::MakeBody(ExprId x, std::string_view label) {
  const Kind kind = nodes_[x].kind;
  if (x <= kEmptyString || kind == Kind::kByteSet || (kind == Kind::kLexeme && label.empty())) return x;
  if (kind == Kind::kBody && label.empty()) return x;
  auto [it, fresh] = label_ids_.try_emplace(std::string(label), static_cast<uint32_t>(labels_.size()));
  if (fresh) labels_.emplace_back(label);
  return Intern(MakeNode(Kind::kBody, x, it->second), Hasher(kTagBody).Add(hashes_[x]).Add(label).Finish());
}

ExprId ExprSet::MakeRule(std::string_view name) {
  static std::atomic<uint64_t> counter{0};
  const uint32_t rule = static_cast<uint32_t>(rules_.size());
  rules_.push_back({std::string(name)});
  sealed_ = false;
  rules_[rule].node = Intern(MakeNode(Kind::kRule, rule), Hasher(kTagRule).Add(++counter).Finish());
  return rules_[rule].node;
}

void ExprSet::DefineRule(ExprId e, ExprId body) {
  if (nodes_[e].kind != Kind::kRule) throw ExpressionError("only a rule can be defined");
  Rule& rule = rules_[nodes_[e].a];
  if (rule.defined) throw ExpressionError("rule '" + rule.name + "' is defined twice");
  rule.body = MakeBody(body, rule.name);
  rule.defined = true;
  sealed_ = false;
}

ExprId ExprSet::MakeTable(std::shared_ptr<const Table> table) {
  if (!table) return kNoMatch;
  auto [it, fresh] = table_ids_.try_emplace(table->hash, static_cast<uint32_t>(tables_.size()));
  if (fresh) tables_.push_back(table);
  return MakeTableAt(it->second, table->start);
}

ExprId ExprSet::MakeTableAt(uint32_t table, uint32_t state) {
  const Table& t = *tables_[table];
  if (state == Table::kDead) return kNoMatch;
  if (t.accepting[state] && t.first_edge[state] == t.first_edge[state + 1]) return kEmptyString;
  return Intern(MakeNode(Kind::kTable, table, state), Hasher(kTagTable).Add(t.HashAt(state)).Finish());
}

uint32_t ExprSet::AddSubstring(const std::shared_ptr<const Substring>& text) {
  auto [it, fresh] = substring_ids_.try_emplace(text->hash(), static_cast<uint32_t>(substrings_.size()));
  if (fresh) substrings_.push_back(text);
  return it->second;
}

ExprId ExprSet::MakeSubstring(std::shared_ptr<const Substring> text) {
  return text->is_empty() ? kNoMatch : MakeSubstringAt(AddSubstring(text), Cursor());
}

ExprId ExprSet::MakeSubstringAt(uint32_t text, const Cursor& c) {
  const Substring& t = *substrings_[text];
  if (!t.GoesOn(c)) return kEmptyString;
  const uint64_t place = static_cast<uint64_t>(c.node) << 32 | c.depth;
  const Hash128 hash = Hasher(kTagSubstring).Add(t.hash()).Add(place).Add(static_cast<uint64_t>(c.spell) << 5 | c.run).Finish();
  return Intern(MakeNode(Kind::kSubstring, c.node, c.depth, c.spell, text << 5 | c.run), hash);
}

}  // namespace constrain
