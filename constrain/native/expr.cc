// Interning, copying, sizes.
#include "expr.h"

#include <algorithm>
#include <random>

namespace constrain {

uint64_t Hasher::Seed() {
  static const uint64_t seed = [] {
    std::random_device device;
    return static_cast<uint64_t>(device()) << 32 | device();
  }();
  return seed;
}

ExprSet::ExprSet() {
  buckets_.assign(64, kInfinite);
  texts_.push_back({0, 0, 0, Hasher(103).Finish()});
  for (uint64_t i = 0; i <= kVague; ++i) used_.push_back({0, 0, 0, Hasher(104 + i).Finish()});
  rows_.assign(1, kUnknown);
  Intern(Node{Kind::kNoMatch}, Hasher(100).Finish());
  Intern(Node{Kind::kEmptyString}, Hasher(101).Finish());
  Node anything{Kind::kNot};
  anything.a = kNoMatch;
  Intern(anything, Hasher(102).Finish());
  nodes_[kAnything].needs_search = false;
}

ExprSet::ExprSet(const ExprSet& o)
    : nodes_(o.nodes_), hashes_(o.hashes_), states_(o.states_), buckets_(o.buckets_), children_(o.children_),
      byte_sets_(o.byte_sets_), labels_(o.labels_), required_(o.required_), is_grammar_(o.is_grammar_), label_ids_(o.label_ids_), rules_(o.rules_), lists_(o.lists_),
      member_states_(o.member_states_), texts_(o.texts_), used_(o.used_), text_ids_(o.text_ids_), used_ids_(o.used_ids_),
      spellings_(o.spellings_), tables_(o.tables_), substrings_(o.substrings_),
      table_ids_(o.table_ids_), substring_ids_(o.substring_ids_), list_ids_(o.list_ids_), or_memo_(o.or_memo_),
      partitions_(o.partitions_), rows_(o.rows_), exact_(o.exact_), exact_moves_(o.exact_moves_), min_lengths_(o.min_lengths_),
      rule_min_lengths_(o.rule_min_lengths_), expanded_(o.expanded_), forgotten_(o.forgotten_), sealed_(o.sealed_), fuel_(o.fuel_),
      max_steps_(o.max_steps_), max_memory_(o.max_memory_), num_unproven_(o.num_unproven_),
      max_search_states_(o.max_search_states_) {}

void ExprSet::CheckId(ExprId e) const {
  if (e >= nodes_.size()) throw ExpressionError("expression " + std::to_string(e) + " is not of this set");
}

size_t ExprSet::MemoryBytes() const {
  size_t texts = 0;
  for (const auto& text : substrings_) texts += text->MemoryBytes();
  auto touched = [](const auto& list) { return std::min(list.capacity(), 2 * list.size()) * sizeof(list[0]); };  // reserved pages are no memory yet
  return texts + touched(nodes_) + touched(hashes_) + touched(states_) + touched(buckets_) + touched(children_) + touched(rows_) +
         byte_sets_.capacity() * sizeof(ByteSet) + (or_memo_.size() + expanded_.size() + forgotten_.size()) * 48 +
         member_states_.capacity() * sizeof(MemberState) + exact_.size() * 40 + exact_moves_.size() * 48 +
         texts_.capacity() * (sizeof(Text) + 40) + used_.capacity() * (sizeof(Used) + 80) + partitions_.MemoryBytes();
}

void ExprSet::SetLimits(uint64_t max_memory_bytes, uint64_t max_steps, uint32_t max_search_states) {
  max_memory_ = max_memory_bytes;
  fuel_ = max_steps_ = max_steps;
  max_search_states_ = max_search_states;
}

void ExprSet::CheckMemory() const {
  const size_t bytes = MemoryBytes();
  if (bytes > max_memory_) throw LimitError("max_memory_bytes", bytes, max_memory_);
}

// The id of `hash` or kInfinite; *bucket is where it stands or would stand.
ExprId ExprSet::Find(const Hash128& hash, size_t* bucket) const {
  const size_t mask = buckets_.size() - 1;
  for (size_t i = hash.lo & mask;; i = (i + 1) & mask) {
    const ExprId e = buckets_[i];
    if (e == kInfinite || hashes_[e] == hash) {
      *bucket = i;
      return e;
    }
  }
}

void ExprSet::Reserve(size_t num_nodes) {
  nodes_.reserve(num_nodes);
  hashes_.reserve(num_nodes);
  states_.reserve(num_nodes);
  children_.reserve(num_nodes);
  rows_.reserve(16 * num_nodes);
  size_t size = buckets_.size();
  while (size < 2 * num_nodes) size *= 2;
  if (size > buckets_.size()) GrowBuckets(size);
}

void ExprSet::GrowBuckets(size_t size) {
  std::vector<ExprId> old(size, kInfinite);
  old.swap(buckets_);
  for (ExprId e : old) {
    size_t bucket;
    if (e != kInfinite) Find(hashes_[e], &bucket), buckets_[bucket] = e;
  }
}

ExprId ExprSet::Intern(Node node, const Hash128& hash) {
  size_t bucket;
  const ExprId known = Find(hash, &bucket);
  if (known != kInfinite) return known;
  const ExprId e = static_cast<ExprId>(nodes_.size());
  if (e >= 0x7FFFFFFF) throw LimitError("max_expressions", e, 0x7FFFFFFF);
  if ((e & 4095) == 4095) CheckMemory();
  SetFlags(&node);
  nodes_.push_back(node);
  hashes_.push_back(hash);
  states_.emplace_back();
  buckets_[bucket] = e;
  if (nodes_.size() * 2 > buckets_.size()) GrowBuckets(buckets_.size() * 2);
  return e;
}

// Is the first byte known, as far as can be seen?
bool ExprSet::BeginsWithOneByte(ExprId e) const {
  while (nodes_[e].kind == Kind::kLexeme || nodes_[e].kind == Kind::kConcat) e = nodes_[e].a;
  return nodes_[e].kind == Kind::kByteSet && byte_set(e).Count() == 1;
}

bool ExprSet::HasSubstring(ExprId e) const {
  auto begins = [this](ExprId x) {
    return nodes_[nodes_[x].kind == Kind::kConcat ? nodes_[x].a : x].kind == Kind::kSubstring;
  };
  return nodes_[e].kind == Kind::kOr ? std::any_of(children(e), children(e) + nodes_[e].b, begins) : begins(e);
}

// Everything that follows from the children's flags.
void ExprSet::SetFlags(Node* n) const {
  const auto& at = nodes_;
  n->alive = 0;
  switch (n->kind) {
    case Kind::kNoMatch: *n = Node{Kind::kNoMatch}; break;
    case Kind::kEmptyString: n->nullable = n->productive = true; break;
    case Kind::kByteSet: n->productive = true; break;
    case Kind::kConcat:
      n->nullable = at[n->a].nullable && at[n->b].nullable;
      n->productive = at[n->a].productive && at[n->b].productive;
      n->needs_search = at[n->a].needs_search || at[n->b].needs_search;
      n->has_rule = at[n->a].has_rule || at[n->b].has_rule;
      n->in_key = at[n->a].in_key || (at[n->a].nullable && at[n->b].in_key);
      n->has_used = at[n->a].has_used || at[n->b].has_used;
      n->is_vague = at[n->a].is_vague || at[n->b].is_vague;
      n->ends_greedy = at[n->a].ends_greedy;
      n->has_greedy = at[n->a].has_greedy || at[n->b].has_greedy;
      n->may_block = at[n->a].may_block || at[n->b].may_block;
      n->blocks_once_begun = at[n->a].blocks_once_begun || at[n->b].blocks_once_begun;
      break;
    case Kind::kOr:
    case Kind::kAnd: {
      const bool is_or = n->kind == Kind::kOr;
      n->nullable = n->productive = !is_or;
      n->needs_search = !is_or;
      for (uint32_t i = 0; i < n->b; ++i) {
        const Node& x = at[children_[n->a + i]];
        n->nullable = is_or ? n->nullable || x.nullable : n->nullable && x.nullable;
        n->productive = is_or ? n->productive || x.productive : n->productive && x.productive;
        n->needs_search |= x.needs_search;
        n->has_rule |= x.has_rule;
        n->in_key |= x.in_key;
        n->has_used |= x.has_used;
        n->is_vague |= x.is_vague;
        n->ends_greedy |= is_or && x.ends_greedy;
        n->has_greedy |= x.has_greedy;
        n->may_block |= x.may_block;
        n->blocks_once_begun |= x.blocks_once_begun;
      }
      break;
    }
    case Kind::kNot:
      n->nullable = !at[n->a].nullable;
      n->productive = n->needs_search = true;
      n->has_rule = at[n->a].has_rule;
      break;
    case Kind::kRepeat:
      n->nullable = n->b == 0 || at[n->a].nullable;
      n->has_greedy = at[n->a].has_greedy;
      n->may_block = at[n->a].may_block;
      n->blocks_once_begun = at[n->a].blocks_once_begun;
      n->productive = n->b == 0 || at[n->a].productive;
      n->needs_search = at[n->a].needs_search;
      n->has_rule = at[n->a].has_rule;
      break;
    case Kind::kRule: {
      const Rule& rule = rules_[n->a];
      n->has_rule = true;
      n->nullable = n->productive = n->needs_search = false;
      if (rule.defined) {
        n->nullable = at[rule.body].nullable;
        n->productive = at[rule.body].productive;
        n->needs_search = at[rule.body].needs_search;
        n->has_greedy = at[rule.body].has_greedy;
        n->may_block = at[rule.body].may_block;
      }
      break;
    }
    case Kind::kGreedy:
      n->nullable = n->ends_greedy = at[n->a].nullable;
      n->has_greedy = true;
      n->productive = at[n->a].productive;
      n->may_block = n->c == kMayBlock;
      n->blocks_once_begun = n->c == kMayBlockOnceBegun;
      n->needs_search = n->may_block || at[n->a].needs_search;
      break;
    case Kind::kLexeme:
    case Kind::kBody:
      n->has_greedy = n->kind == Kind::kBody && at[n->a].has_greedy;
      n->may_block = at[n->a].may_block;
      n->nullable = at[n->a].nullable;
      n->productive = at[n->a].productive;
      n->needs_search = at[n->a].needs_search;
      n->has_rule = at[n->a].has_rule;
      break;
    case Kind::kMembers:
      n->nullable = MembersNullable(*n);
      n->productive = MembersProductive(*n);
      n->needs_search = lists_[n->a].needs_search;
      n->has_rule = lists_[n->a].has_rule;
      n->has_used = member_states_[n->b].used != 0;
      n->is_vague = member_states_[n->b].used == kVague;
      break;
    case Kind::kKey: {
      const ExprId parts[] = {n->a, n->c, n->d == kNoMatch ? kEmptyString : n->d};
      n->nullable = n->productive = true;
      if (n->d != kNoMatch) {
        n->in_key = !BeginsWithOneByte(n->a);
        n->has_used = n->b || at[n->d].has_used;
        n->is_vague = at[n->d].is_vague;
      }
      for (ExprId x : parts) {
        n->nullable = n->nullable && at[x].nullable;
        n->productive = n->productive && at[x].productive;
        n->needs_search |= at[x].needs_search;
        n->has_rule |= at[x].has_rule;
      }
      break;
    }
    case Kind::kTable:
      n->nullable = tables_[n->a]->accepting[n->b];
      n->productive = true;
      break;
    case Kind::kSubstring:
      n->nullable = substrings_[n->d >> 5]->IsEnd({n->a, n->b, n->c, n->d & 31});
      n->productive = true;
      break;
  }
}

namespace {

// Calls f on each child's id by reference, rules' bodies excepted.
template <typename F>
void ForEachChild(Node* n, std::vector<ExprId>* set_children, F f) {
  switch (n->kind) {
    case Kind::kConcat: f(n->a), f(n->b); break;
    case Kind::kOr:
    case Kind::kAnd:
      for (ExprId& x : *set_children) f(x);
      break;
    case Kind::kNot:
    case Kind::kRepeat:
    case Kind::kLexeme:
    case Kind::kBody: f(n->a); break;
    case Kind::kGreedy: f(n->a), f(n->b); break;
    case Kind::kKey:
      f(n->a), f(n->c);
      if (n->d != kNoMatch) f(n->d);
      break;
    default: break;
  }
}

}  // namespace

void ExprSet::AddParts(ExprId e, std::vector<ExprId>* out) const {
  Node n = nodes_[e];
  std::vector<ExprId> set_children;
  if (n.kind == Kind::kOr || n.kind == Kind::kAnd) set_children.assign(children(e), children(e) + n.b);
  ForEachChild(&n, &set_children, [&](ExprId& x) { out->push_back(x); });
  if (n.kind == Kind::kRule && rules_[n.a].defined) out->push_back(rules_[n.a].body);
  if (n.kind != Kind::kMembers) return;
  out->push_back(lists_[n.a].separator);
  for (const Entry& entry : lists_[n.a].entries) {
    out->push_back(entry.item);
    for (ExprId part : Alternatives(entry.item)) {  // looked at one by one where keys must differ
      if (part != entry.item) out->push_back(part);
      if (nodes_[part].kind == Kind::kKey) out->push_back(nodes_[part].c);
    }
  }
}

// Nodes are copied as they are: both sets keep the same normal form and the same content hashes.
ExprId ExprSet::CopyFrom(const ExprSet& o, ExprId root) {
  o.CheckId(root);
  if (&o == this) return root;
  required_.insert(o.required_.begin(), o.required_.end());
  is_grammar_ |= o.is_grammar_;
  std::unordered_map<ExprId, ExprId> copied;
  std::vector<std::pair<uint32_t, ExprId>> bodies;  // rules of this set whose bodies are still to copy
  std::vector<ExprId> todo{root};
  std::vector<ExprId> set_children;
  auto copy_text = [&](uint32_t text) {
    return AddText(0, o.TextOf(text));
  };
  auto copy_used = [&](uint32_t used) {
    std::vector<uint32_t> keys;
    for (; used > kVague; used = o.used_[used].parent) keys.push_back(copy_text(o.used_[used].text));
    uint32_t mine = 0;
    for (size_t i = keys.size(); i-- > 0;) mine = AddUsed(mine, keys[i]);
    return mine;
  };
  auto run = [&] {
    while (!todo.empty()) {
      const ExprId e = todo.back();
      size_t bucket;
      if (copied.count(e)) {
        todo.pop_back();
        continue;
      }
      const ExprId known = Find(o.hashes_[e], &bucket);
      if (known != kInfinite) {
        copied[e] = known;
        todo.pop_back();
        continue;
      }
      Node n = o.nodes_[e];
      const size_t before = todo.size();
      set_children.clear();
      if (n.kind == Kind::kOr || n.kind == Kind::kAnd) set_children.assign(o.children(e), o.children(e) + n.b);
      auto resolve = [&](ExprId& x) {
        auto it = copied.find(x);
        if (it == copied.end()) todo.push_back(x);
        else x = it->second;
      };
      ForEachChild(&n, &set_children, resolve);
      MemberList list;
      if (n.kind == Kind::kMembers) {
        list = o.lists_[n.a];
        resolve(list.separator);
        for (Entry& entry : list.entries) resolve(entry.item);
      }
      if (todo.size() != before) continue;
      switch (n.kind) {
        case Kind::kByteSet:
          byte_sets_.push_back(o.byte_set(e));
          n.a = static_cast<uint32_t>(byte_sets_.size() - 1);
          break;
        case Kind::kOr:
        case Kind::kAnd:
          n.a = static_cast<uint32_t>(children_.size());
          children_.insert(children_.end(), set_children.begin(), set_children.end());
          break;
        case Kind::kBody: {
          auto [it, fresh] = label_ids_.try_emplace(o.label(e), static_cast<uint32_t>(labels_.size()));
          if (fresh) labels_.push_back(o.label(e));
          n.b = it->second;
          break;
        }
        case Kind::kTable: {
          auto [it, fresh] = table_ids_.try_emplace(o.tables_[n.a]->hash, static_cast<uint32_t>(tables_.size()));
          if (fresh) tables_.push_back(o.tables_[n.a]);
          n.a = it->second;
          break;
        }
        case Kind::kSubstring: n.d = AddSubstring(o.substrings_[n.d >> 5]) << 5 | (n.d & 31); break;
        case Kind::kMembers: {
          auto [it, fresh] = list_ids_.try_emplace(list.hash, static_cast<uint32_t>(lists_.size()));
          if (fresh) SealMemberList(&list), lists_.push_back(list);
          n.a = it->second;
          MemberState state = o.member_states_[n.b];
          state.used = copy_used(state.used);
          n.b = static_cast<uint32_t>(member_states_.size());
          member_states_.push_back(std::move(state));
          break;
        }
        case Kind::kKey: n.b = n.d == kNoMatch ? n.b : copy_text(n.b); break;
        case Kind::kRule:
          bodies.emplace_back(static_cast<uint32_t>(rules_.size()), o.rules_[n.a].defined ? o.rules_[n.a].body : kInfinite);
          rules_.push_back({o.rules_[n.a].name});
          n.a = static_cast<uint32_t>(rules_.size() - 1);
          sealed_ = false;
          break;
        default: break;
      }
      const ExprId mine = Intern(n, o.hashes_[e]);
      if (n.kind == Kind::kRule) rules_[n.a].node = mine;
      copied[e] = mine;
      todo.pop_back();
    }
  };
  run();
  for (size_t i = 0; i < bodies.size(); ++i) {
    const auto [rule, body] = bodies[i];
    if (body == kInfinite) continue;
    todo.push_back(body);
    run();
    rules_[rule].body = copied[body];
    rules_[rule].defined = true;
  }
  return copied[root];
}

}  // namespace constrain
