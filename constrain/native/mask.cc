#include "mask.h"

#include <algorithm>
#include <chrono>
#include <type_traits>

namespace constrain {

std::shared_ptr<const SharedMask> SharedMaskStore::Get(const Hash128& key) {
  std::lock_guard<std::mutex> lock(mutex_);
  auto it = items_.find(key);
  if (it == items_.end()) return nullptr;
  recent_.splice(recent_.begin(), recent_, it->second);
  return it->second->second;
}

void SharedMaskStore::Put(const Hash128& key, std::shared_ptr<const SharedMask> mask) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (items_.count(key)) return;
  bytes_ += mask->MemoryBytes();
  recent_.emplace_front(key, std::move(mask));
  items_[key] = recent_.begin();
  while (bytes_ > kMaxBytes && recent_.size() > 1) {
    bytes_ -= recent_.back().second->MemoryBytes();
    items_.erase(recent_.back().first);
    recent_.pop_back();
  }
}

MaskBuilder::MaskBuilder(ExprSet* set, const TokenTrie* trie)
    : set_(set), trie_(trie), stack_(trie->max_depth() + 1), base_stack_(trie->max_depth() + 1), cursors_(trie->max_depth() + 1) {}

void MaskBuilder::Build(ExprId state, ExprId closure, MaskParts* out) {
  found_.clear();
  parts_.clear();
  todo_.clear();
  doubts_.clear();
  doubt_end_ = 0;
  if (closure != kAnything) {
    WalkSpelled(state, closure);
  } else if (set_->node(state).in_key || set_->HasSubstring(state) || set_->node(state).has_greedy || !WalkWithin(0, state, kPlainNodes)) {
    visited_.clear();
    todo_.emplace_back(state, 0);
    while (!todo_.empty()) {
      const auto [e, root] = todo_.back();
      todo_.pop_back();
      if (visited_.insert(static_cast<uint64_t>(root) << 32 | e).second && set_->IsAlive(e)) Add(e, root);
    }
  }
  out->is_dense = !parts_.empty() || found_.size() > kMaxSparse;
  out->words.clear();
  out->ids.clear();
  if (!out->is_dense) {
    out->ids = found_;
    return;
  }
  if (parts_.empty()) out->words.assign(trie_->mask_words(), 0);
  else out->words = parts_[0]->words;
  for (size_t i = 1; i < parts_.size(); ++i)
    for (size_t w = 0; w < out->words.size(); ++w) out->words[w] |= parts_[i]->words[w];
  for (uint32_t id : found_) out->words[id >> 5] |= 1u << (id & 31);
}

// Visits each trie node below `root` that is alive when `state` stands at the root, depth first: visit(index, node,
// state), which may say that the subtree is done (true). False where more than `max_nodes` were met.
template <typename F>
bool MaskBuilder::WalkLive(uint32_t root, ExprId state, size_t max_nodes, F visit) {
  const TrieNode* nodes = trie_->nodes().data();
  stack_[nodes[root].depth] = state;
  if (root) return WalkNodes(root + 1, nodes[root].next, &max_nodes, visit);
  // The trie begins with all bytes, most of which few states go on by.
  const uint32_t p = set_->Classes(state);
  std::array<ExprId, 256> after;
  for (uint32_t c = 0; c < set_->partitions().num_classes(p); ++c) after[c] = set_->Step(state, set_->partitions().representative(p, c));
  for (uint32_t b = 0; b < 256; ++b)
    if (const uint32_t child = trie_->Child(0, static_cast<uint8_t>(b)); child && after[set_->partitions().map(p)[b]] != kNoMatch)
      if (!WalkNodes(child, nodes[child].next, &max_nodes, visit)) return false;
  return true;
}

// The same for the trie nodes from `first` to before `end`. The one hot loop.
template <typename F>
bool MaskBuilder::WalkNodes(uint32_t first, uint32_t end, size_t* max_nodes, F& visit) {
  const TrieNode* nodes = trie_->nodes().data();
  for (uint32_t i = first; i < end;) {
    if ((*max_nodes)-- == 0) return false;
    const TrieNode& n = nodes[i];
    const ExprId s = set_->Step(stack_[n.depth - 1], n.byte);
    if (s == kNoMatch) {
      i = n.next;
      continue;
    }
    stack_[n.depth] = s;
    if constexpr (std::is_same_v<decltype(visit(i, n, s)), bool>) {
      i = visit(i, n, s) ? n.next : i + 1;
    } else {
      visit(i, n, s);
      ++i;
    }
  }
  return true;
}

// A token whose way leads through a vague state is in doubt; so is everything below such a node.
void MaskBuilder::Visit(uint32_t index, const TrieNode& n, ExprId state) {
  if (index >= doubt_end_ && set_->node(state).is_vague) doubt_end_ = n.next;
  AddToken(n.token);
  if (index < doubt_end_) AddDoubt(n.token);
}

void MaskBuilder::AddDoubt(int32_t token) {
  for (; token >= 0; token = trie_->same_as(static_cast<uint32_t>(token))) doubts_.push_back(static_cast<uint32_t>(token));
}

// Adds the tokens below `root`; only where keys were forgotten may one of them be in doubt.
bool MaskBuilder::Walk(uint32_t root, ExprId state, size_t max_nodes) {
  if (set_->node(state).has_used || doubt_end_ > root)
    return WalkLive(root, state, max_nodes, [this](uint32_t i, const TrieNode& n, ExprId s) { Visit(i, n, s); });
  if (!set_->has_substrings())
    return WalkLive(root, state, max_nodes, [this](uint32_t, const TrieNode& n, ExprId) { AddToken(n.token); });
  return WalkLive(root, state, max_nodes, [this](uint32_t i, const TrieNode& n, ExprId s) {  // a Substring goes on by itself
    AddToken(n.token);
    const bool is_part = n.next > i + 1 && set_->node(s).kind != Kind::kOr && set_->HasSubstring(s);
    if (is_part) WalkPart(i, s);
    return is_part;
  });
}

// The plain walk; false (and nothing found) where it met more than `max_nodes`.
bool MaskBuilder::WalkWithin(uint32_t root, ExprId state, size_t max_nodes) {
  const size_t before = found_.size(), doubts_before = doubts_.size();
  doubt_end_ = 0;
  const bool done = Walk(root, state, max_nodes);
  if (!done) found_.resize(before), doubts_.resize(doubts_before);
  return done;
}

// A node where the state is `state`, and its subtree.
void MaskBuilder::WalkFrom(uint32_t node, ExprId state, bool in_doubt) {
  doubt_end_ = in_doubt ? trie_->nodes()[node].next : 0;
  Visit(node, trie_->nodes()[node], state);
  if (trie_->nodes()[node].next > node + 1) Walk(node, state, kNoBound);
}

// For vocabularies that lack bytes: a token is allowed only where tokens can spell a rest.
void MaskBuilder::WalkSpelled(ExprId state, ExprId closure) {
  WalkLive(0, state, kNoBound, [&](uint32_t, const TrieNode& n, ExprId s) {
    if (n.token >= 0 && set_->IsAlive(set_->MakeAnd({s, closure}))) AddToken(n.token);
  });
}

// One alternative of a state that stands at `root`: walked plainly, opened, or composed.
void MaskBuilder::Add(ExprId e, uint32_t root) {
  const Node& n = set_->node(e);
  const ExprId head = n.kind == Kind::kConcat ? n.a : e;
  const ExprId tail = n.kind == Kind::kConcat ? n.b : kEmptyString;
  const Node h = set_->node(head);
  if (h.kind == Kind::kOr) {
    for (uint32_t i = 0; i < h.b; ++i) {
      const ExprId part = set_->children(head)[i];
      todo_.emplace_back(set_->MakeConcat(part, tail), root);
    }
    return;
  }
  if (h.kind == Kind::kBody || h.kind == Kind::kRule || h.kind == Kind::kMembers || (h.kind == Kind::kRepeat && (h.has_rule || h.has_greedy))) {
    todo_.emplace_back(set_->Unfold(head, tail), root);
    return;
  }
  if (h.kind == Kind::kLexeme && h.has_rule && tail == kEmptyString) return static_cast<void>(todo_.emplace_back(h.a, root));
  if (h.kind == Kind::kKey || h.kind == Kind::kSubstring) {
    if (root) return static_cast<void>(WalkWithin(root, e, kNoBound));
    return h.kind == Kind::kKey ? AddKey(h, tail) : AddSubstring(e, head, tail);
  }
  const bool is_regular = !h.has_rule && ((!h.may_block && !h.blocks_once_begun) || StaysAlive(head, tail));
  const bool has_exits = tail != kEmptyString;
  auto shared = is_regular ? Shared(head, /*only_known=*/true, has_exits, root) : nullptr;
  if (!shared) {
    if (WalkWithin(root, e, root && is_regular ? kPlainNodesBelow : kPlainNodes)) return;
    if (!is_regular) return AddChildren(e, root);
    shared = Shared(head, /*only_known=*/false, has_exits, root);
  }
  Compose(head, tail, *shared, root);
  parts_.push_back(std::move(shared));
}

// Is a way behind the lexeme certain from all its states, so that what survives inside it survives here?
bool MaskBuilder::StaysAlive(ExprId greedy, ExprId tail) {
  const ExprSet::Exits* exits = set_->node(tail).needs_search ? nullptr : set_->ExitsOf(greedy);
  return exits && set_->HasExit(tail, ByteSet(exits->certain));
}

// What no step should have to wait for, as far as the limits of one step allow.
void MaskBuilder::PrepareGrammar() {
  constexpr size_t kMostLexemes = 64, kMostRules = 1000, kMostNew = 1 << 16;
  set_->Reserve(set_->num_nodes() + std::min(15 * set_->num_nodes(), kMostNew));
  constexpr auto kMostTime = std::chrono::milliseconds(100);
  const auto start = std::chrono::steady_clock::now();
  std::unordered_set<ExprId> seen;
  size_t num_lexemes = 0, num_rules = 0;
  set_->Refuel();
  try {
    for (ExprId e = 0, end = static_cast<ExprId>(set_->num_nodes()); e < end && std::chrono::steady_clock::now() - start < kMostTime; ++e) {
      const Node n = set_->node(e);
      const bool is_lexeme = n.kind == Kind::kGreedy || (n.kind == Kind::kLexeme && !n.has_rule && !n.needs_search);
      if (is_lexeme && num_lexemes < kMostLexemes && seen.insert(e).second) PrepareLexeme(e, &seen), ++num_lexemes;
      if (n.kind == Kind::kRule && num_rules++ < kMostRules) NumBytes(e);  // its moves, whatever follows
    }
  } catch (const LimitError&) {
  }
}

// Inside a name, a comment, a string: the states of a lexeme that stay what they are by many bytes take a walk of the whole
// trie, once in a process, and so does what begins by many bytes, with a blank before it or without.
void MaskBuilder::PrepareLexeme(ExprId lexeme, std::unordered_set<ExprId>* seen) {
  constexpr size_t kMostStates = 64;
  if (NumBytes(lexeme) >= kManyBytes)
    for (uint32_t node : {0u, trie_->Child(0, ' ')}) PrepareBelow(node, lexeme);
  std::vector<ExprId> states{lexeme};
  for (size_t i = 0; i < states.size() && states.size() < kMostStates; ++i) {
    const ExprId s = states[i];
    if (NumBytes(s, s) >= kManyBytes) Shared(s, /*only_known=*/false);
    for (const std::string& bytes : set_->LiveClasses(s))
      if (const ExprId next = set_->Step(s, static_cast<uint8_t>(bytes[0])); seen->insert(next).second) states.push_back(next);
  }
}

// The number of bytes by which a state goes on, or goes on to `target`.
uint32_t MaskBuilder::NumBytes(ExprId state, ExprId target) {
  uint32_t count = 0;
  for (const std::string& bytes : set_->LiveClasses(state))
    if (target == kNoMatch || set_->Step(state, static_cast<uint8_t>(bytes[0])) == target) count += static_cast<uint32_t>(bytes.size());
  return count;
}

void MaskBuilder::PrepareBelow(uint32_t node, ExprId lexeme) {
  const auto& nodes = trie_->nodes();
  for (uint32_t child = node + 1; child < nodes[node].next; child = nodes[child].next) {
    const ExprId state = set_->Step(lexeme, nodes[child].byte);
    if (state != kNoMatch && nodes[child].next - child > kComposedNodes && NumBytes(state) >= kManyBytes) Shared(state, /*only_known=*/false, /*has_exits=*/true, child);
  }
}

bool MaskBuilder::Prepare() {
  if (set_->is_grammar()) PrepareGrammar();
  if (!set_->has_substrings()) return false;
  std::vector<std::pair<uint32_t, ExprId>> heap;  // the widest first
  std::unordered_set<ExprId> seen;
  auto add = [&](ExprId e) {
    if (set_->node(e).kind != Kind::kSubstring || !seen.insert(e).second) return;
    const uint32_t width = set_->substring(e).Width(set_->cursor(e));
    if (width < kWide) return;
    heap.emplace_back(width, e);
    std::push_heap(heap.begin(), heap.end());
  };
  for (ExprId e = 0, end = static_cast<ExprId>(set_->num_nodes()); e < end; ++e)
    if (set_->node(e).kind == Kind::kSubstring && set_->cursor(e).depth == 0) add(e);
  const bool is_wide = !heap.empty();
  for (size_t found = 0; !heap.empty() && found < kMaxPrepared && seen.size() < 100 * kMaxPrepared;) {
    std::pop_heap(heap.begin(), heap.end());
    const ExprId e = heap.back().second;
    heap.pop_back();
    set_->Refuel();
    if (set_->cursor(e).spell == 0) Shared(e, /*only_known=*/false), ++found;  // inside a character little may follow
    for (const std::string& bytes : set_->LiveClasses(e)) add(set_->Step(e, static_cast<uint8_t>(bytes[0])));
  }
  return is_wide;
}

// visit(index, node, cursor) for each trie node that is alive below `root`, where `head` stands.
template <typename F>
void MaskBuilder::WalkSubstring(uint32_t root, ExprId head, F visit) {
  const Substring& text = set_->substring(head);
  const TrieNode* nodes = trie_->nodes().data();
  cursors_[nodes[root].depth] = set_->cursor(head);
  for (uint32_t i = root + 1, end = nodes[root].next; i < end;) {
    const TrieNode& n = nodes[i];
    if (!text.Move(cursors_[n.depth - 1], n.byte, &cursors_[n.depth])) {
      i = n.next;
      continue;
    }
    visit(i, n, cursors_[n.depth]);
    ++i;
  }
}

// Adds the tokens below `root`, where e, a Substring and perhaps more, stands. What follows a part of the text begins
// where one may end; at the root itself this is left to the caller.
void MaskBuilder::WalkPart(uint32_t root, ExprId e) {
  const bool is_concat = set_->node(e).kind == Kind::kConcat;
  const ExprId head = is_concat ? set_->node(e).a : e, tail = is_concat ? set_->node(e).b : kEmptyString;
  const Substring& text = set_->substring(head);
  const TrieNode* nodes = trie_->nodes().data();
  std::vector<uint32_t> exits;
  if (root && tail != kEmptyString && set_->node(head).nullable) exits.push_back(root);
  WalkSubstring(root, head, [&](uint32_t i, const TrieNode& n, const Cursor& c) {
    AddToken(n.token);
    if (tail != kEmptyString && n.next > i + 1 && text.IsEnd(c)) exits.push_back(i);
  });
  if (exits.empty()) return;
  std::array<ExprId, 256> after;
  for (uint32_t b = 0; b < 256; ++b) after[b] = set_->Step(tail, static_cast<uint8_t>(b));
  for (uint32_t exit : exits)
    for (uint32_t child = exit + 1; child < nodes[exit].next; child = nodes[child].next)
      if (after[nodes[child].byte] != kNoMatch) WalkFrom(child, after[nodes[child].byte]);
}

// Few texts begin alike, so only the masks of what occurs very often were found ahead (Prepare).
void MaskBuilder::AddSubstring(ExprId e, ExprId head, ExprId tail) {
  const bool is_wide = set_->substring(head).Width(set_->cursor(head)) >= kWide;
  if (auto shared = is_wide ? Shared(head, /*only_known=*/true) : nullptr) {
    Compose(head, tail, *shared, 0);
    parts_.push_back(std::move(shared));
    return;
  }
  WalkPart(0, e);
  if (tail != kEmptyString && set_->node(head).nullable) todo_.emplace_back(tail, 0);
}

void MaskBuilder::Compose(ExprId head, ExprId tail, const SharedMask& shared, uint32_t root) {
  if (tail == kEmptyString) return;
  set_->FillRow(tail);
  for (size_t i = 0; i < shared.edge_bytes.size(); ++i) {
    const ExprId t = set_->Step(tail, shared.edge_bytes[i]);
    if (t == kNoMatch) continue;
    for (uint32_t k = shared.edge_first[i]; k < shared.edge_first[i + 1]; ++k) AddBelow(shared.edge_nodes[k], t);
  }
  for (uint32_t node : shared.watched_nodes) WalkWatched(node, head, tail, root);
  if (set_->node(head).nullable && set_->node(head).kind != Kind::kGreedy) todo_.emplace_back(tail, root);
}

// The token of a node where a state stands, and those below it.
void MaskBuilder::AddBelow(uint32_t node, ExprId state) {
  const TrieNode& n = trie_->nodes()[node];
  if (n.next - node <= kComposedNodes || set_->node(state).has_used || set_->node(state).in_key || set_->HasSubstring(state))
    return WalkFrom(node, state);
  AddToken(n.token);
  todo_.emplace_back(state, node);
}

// For a state that is no lexeme with something behind it: byte by byte, after which it may be.
void MaskBuilder::AddChildren(ExprId e, uint32_t root) {
  const auto& nodes = trie_->nodes();
  for (uint32_t child = root + 1; child < nodes[root].next; child = nodes[child].next)
    if (const ExprId state = set_->Step(e, nodes[child].byte); state != kNoMatch) AddBelow(child, state);
}

// A node whose byte begins the tail while a longer lexeme than the one that ended before it may still come.
void MaskBuilder::WalkWatched(uint32_t node, ExprId greedy, ExprId tail, uint32_t root) {
  const uint8_t byte = trie_->nodes()[node].byte;
  const ExprId rest = set_->Step(tail, byte);
  if (rest == kNoMatch) return;
  const std::string_view path = trie_->path(node).substr(trie_->nodes()[root].depth);
  for (size_t i = 0; i + 1 < path.size(); ++i) greedy = set_->Step(greedy, static_cast<uint8_t>(path[i]));
  const ExprId state = set_->AfterGreedy(set_->Step(set_->node(greedy).b, byte), rest);
  if (state != kNoMatch && set_->IsAlive(state)) WalkFrom(node, state);
}

bool MaskBuilder::KeyMatters(ExprId e) {
  const Node n = set_->node(e);
  if (!n.in_key) return false;
  if (n.kind == Kind::kConcat) return KeyMatters(n.a) || (set_->node(n.a).nullable && KeyMatters(n.b));
  if (n.kind == Kind::kKey) return !DeadNodes(n).empty();
  if (n.kind != Kind::kOr) return true;
  for (uint32_t i = 0; i < n.b; ++i)
    if (KeyMatters(set_->children(e)[i])) return true;
  return false;
}

// The trie nodes at which a key would be one that has come before. For each key that has come somewhere it is found
// once from which of its prefixes a token can end it: hardly ever from any.
std::vector<uint32_t> MaskBuilder::DeadNodes(const Node& key) {
  for (uint32_t used = set_->UsedBehind(key); set_->IsList(used) && listed_.insert(used).second; used = set_->parent_used(used)) {
    const uint32_t whole = set_->last_used(used);
    if (!known_keys_.insert(whole).second) continue;
    const std::string text = set_->TextOf(whole);
    uint32_t prefix = whole;
    for (size_t length = text.size(); length-- > 0;) {
      prefix = set_->parent_text(prefix);
      if (const uint32_t node = trie_->Find(std::string_view(text).substr(length))) enders_[prefix].emplace_back(whole, node);
    }
  }
  std::vector<uint32_t> dead;
  auto it = enders_.find(key.b);
  if (it == enders_.end()) return dead;
  for (const auto& [whole, node] : it->second) {
    if (!set_->HasCome(key, whole)) continue;
    ExprId rest = key.a;  // only where the key can but end there: scarce keys know by themselves
    for (char b : trie_->path(node)) rest = set_->Step(rest, static_cast<uint8_t>(b));
    if (rest == kEmptyString) dead.push_back(node);
  }
  return dead;
}

// What survives inside the key is shared like any lexeme's, but for tokens that would make it one that has come before.
// What follows depends on how the key ended only where a token reaches the end of the next one: those stay in doubt.
void MaskBuilder::AddKey(const Node& key, ExprId tail) {
  auto shared = Shared(key.a, /*only_known=*/false);
  const std::vector<uint32_t> dead = DeadNodes(key);
  if (!dead.empty()) {
    auto copy = std::make_shared<SharedMask>(*shared);
    for (uint32_t node : dead)
      for (uint32_t i = node; i < trie_->nodes()[node].next; ++i) SetBits(&copy->words, trie_->nodes()[i].token, false);
    shared = std::move(copy);
  }
  parts_.push_back(shared);
  const ExprId behind = set_->MakeConcat(key.c, set_->MakeConcat(set_->ForgetMembers(key.d), tail));
  auto is_dead = [&](uint32_t node) {
    return std::any_of(dead.begin(), dead.end(), [&](uint32_t d) { return d <= node && node < trie_->nodes()[d].next; });
  };
  // A token may be a whole key, which one that was forgotten may have been.
  const uint32_t used = set_->UsedBehind(key);
  const bool in_doubt = !key.in_key && used && !set_->IsList(used);
  for (uint32_t exit : shared->exits)
    if (in_doubt) AddDoubt(trie_->nodes()[exit].token);
  for (size_t i = 0; i < shared->edge_bytes.size(); ++i) {
    const ExprId t = set_->Step(behind, shared->edge_bytes[i]);
    if (t == kNoMatch) continue;
    for (uint32_t k = shared->edge_first[i]; k < shared->edge_first[i + 1]; ++k)
      if (!is_dead(shared->edge_nodes[k])) WalkFrom(shared->edge_nodes[k], t, in_doubt);
  }
  if (set_->node(key.a).nullable) todo_.emplace_back(set_->MakeConcat(set_->FinishKey(key.b, key.c, key.d), tail), 0);
}

std::shared_ptr<const SharedMask> MaskBuilder::Shared(ExprId head, bool only_known, bool has_exits, uint32_t root) {
  auto& known = has_exits ? shared_of_ : last_of_;
  const uint64_t place = static_cast<uint64_t>(root) << 32 | head;
  if (auto it = known.find(place); it != known.end()) return it->second;
  const ExprId state = TruncateCounts(head);
  Hash128 key = set_->hash(state);
  if (!has_exits) key = Hasher(kWithoutExits).Add(key).Finish();
  if (root) key = Hasher(kBelowNode).Add(key).Add(root).Finish();
  auto shared = trie_->shared_masks().Get(key);
  if (!shared) {
    if (only_known) return nullptr;
    shared = ComputeShared(state, has_exits, root);
    trie_->shared_masks().Put(key, shared);
  }
  if (known.size() > 4096) known.clear();
  known[place] = shared;
  return shared;
}

// A count far above the longest token changes neither what survives nor where h may end. Not inside And and Not, where
// a count may decide whether anything is left at all.
ExprId MaskBuilder::TruncateCounts(ExprId head) {
  const Node n = set_->node(head);
  if (n.needs_search || n.has_rule) return head;
  const uint32_t longest = trie_->max_depth() + 1;
  if (n.kind == Kind::kLexeme) return set_->MakeLexeme(TruncateCounts(n.a));
  if (n.kind == Kind::kRepeat) {
    const bool cut_max = n.c != kInfinite && n.c > longest;
    if (n.b <= longest && !cut_max) return head;
    return set_->MakeRepeat(n.a, std::min(n.b, longest), cut_max ? kInfinite : n.c);
  }
  if (n.kind == Kind::kConcat) {
    std::vector<ExprId> parts;
    bool changed = false;
    ExprId e = head;
    for (size_t i = 0; i < longest; ++i) {
      const Node c = set_->node(e);
      const ExprId x = c.kind == Kind::kConcat ? c.a : e;
      parts.push_back(set_->node(x).kind == Kind::kRepeat ? TruncateCounts(x) : x);
      changed |= parts.back() != x;
      e = c.kind == Kind::kConcat ? c.b : kEmptyString;
      if (e == kEmptyString) break;
    }
    if (!changed) return head;
    parts.push_back(e);
    return set_->MakeConcat(parts);
  }
  return head;
}

// The live successor by most bytes, where it is a state that stays what it is; else kNoMatch.
ExprId MaskBuilder::DifferenceBase(ExprId head) {
  const uint32_t p = set_->Classes(head);
  ExprId best = kNoMatch;
  uint32_t best_size = 0;
  uint8_t best_byte = 0;
  for (uint32_t c = 0; c < set_->partitions().num_classes(p); ++c) {
    const uint8_t byte = set_->partitions().representative(p, c);
    const uint32_t size = set_->partitions().class_size(p, c);
    if (size <= best_size) continue;
    const ExprId s = set_->Step(head, byte);
    if (s != kNoMatch) best = s, best_size = size, best_byte = byte;
  }
  return best > kEmptyString && best != head && set_->Step(best, best_byte) == best ? best : kNoMatch;
}

std::shared_ptr<const SharedMask> MaskBuilder::ComputeShared(ExprId head, bool has_exits, uint32_t root) {
  auto out = std::make_shared<SharedMask>();
  const ExprId base = set_->node(head).kind == Kind::kSubstring ? kNoMatch : DifferenceBase(head);
  auto base_mask = base == kNoMatch ? nullptr : Shared(base, /*only_known=*/false, has_exits, root);
  has_exits_ = has_exits;
  if (base_mask) WalkDifference(head, base, *base_mask, root, out.get());
  else WalkShared(head, root, out.get());
  GroupEdges(out.get());
  return out;
}

void MaskBuilder::SetBits(std::vector<uint32_t>* words, int32_t token, bool on) const {
  for (; token >= 0; token = trie_->same_as(static_cast<uint32_t>(token))) {
    const uint32_t bit = 1u << (token & 31);
    if (on) (*words)[token >> 5] |= bit;
    else (*words)[token >> 5] &= ~bit;
  }
}

void MaskBuilder::WalkShared(ExprId head, uint32_t root, SharedMask* out) {
  out->words.assign(trie_->mask_words(), 0);
  if (set_->node(head).kind == Kind::kSubstring) {
    const Substring& text = set_->substring(head);
    return WalkSubstring(0, head, [&](uint32_t i, const TrieNode& n, const Cursor& c) {
      SetBits(&out->words, n.token, true);
      if (text.IsEnd(c)) AddExit(i, kEmptyString, out);
    });
  }
  if (has_exits_ && set_->node(head).kind == Kind::kGreedy && set_->node(head).nullable) AddEdges(root, head, out);
  WalkLive(root, head, kNoBound, [&](uint32_t i, const TrieNode& n, ExprId s) {
    SetBits(&out->words, n.token, true);
    if (set_->node(s).nullable) AddExit(i, s, out);
  });
}

void MaskBuilder::AddExit(uint32_t node, ExprId state, SharedMask* out) {
  if (!has_exits_) return;
  out->exits.push_back(node);
  AddEdges(node, state, out);
}

// What the tail may begin with at a node where the head may end, standing in `state`.
void MaskBuilder::AddEdges(uint32_t exit, ExprId state, SharedMask* out) {
  const auto& nodes = trie_->nodes();
  const Node n = set_->node(state);
  for (uint32_t child = exit + 1; child < nodes[exit].next; child = nodes[child].next) {
    const ExprId munch = n.kind == Kind::kGreedy ? set_->Step(n.b, nodes[child].byte) : kNoMatch;
    if (munch == kNoMatch) out->edge_nodes.push_back(child);
    else if (!set_->node(munch).nullable) out->watched_nodes.push_back(child);
  }
}

void MaskBuilder::WalkDifference(ExprId head, ExprId base_state, const SharedMask& base, uint32_t root, SharedMask* out) {
  out->words = base.words;
  const TrieNode* nodes = trie_->nodes().data();
  const uint32_t end = nodes[root].next;
  std::vector<uint32_t> changed;  // nodes where only one of the two may end; ascending
  std::vector<bool> is_other(has_exits_ ? end : 0);  // children of nodes where the two are not in one state
  auto replace_edges = [&](uint32_t i, ExprId s) {
    if (!has_exits_) return;
    for (uint32_t child = i + 1; child < nodes[i].next; child = nodes[child].next) is_other[child] = true;
    if (set_->node(s).nullable) AddEdges(i, s, out);
  };
  if (set_->node(head).kind == Kind::kGreedy) replace_edges(root, head);
  stack_[nodes[root].depth] = head;
  base_stack_[nodes[root].depth] = base_state;
  for (uint32_t i = root + 1; i < end;) {
    const TrieNode& n = nodes[i];
    const ExprId s = set_->Step(stack_[n.depth - 1], n.byte), b = set_->Step(base_stack_[n.depth - 1], n.byte);
    if (s == b) {
      i = n.next;
      continue;
    }
    stack_[n.depth] = s;
    base_stack_[n.depth] = b;
    SetBits(&out->words, n.token, s != kNoMatch);
    if (set_->node(s).nullable != set_->node(b).nullable) changed.push_back(i);
    replace_edges(i, s);
    ++i;
  }
  if (!has_exits_) return;
  std::set_symmetric_difference(base.exits.begin(), base.exits.end(), changed.begin(), changed.end(),
                                std::back_inserter(out->exits));
  auto add_same = [&](const std::vector<uint32_t>& from, std::vector<uint32_t>* to) {
    std::copy_if(from.begin(), from.end(), std::back_inserter(*to), [&](uint32_t child) { return !is_other[child]; });
  };
  add_same(base.edge_nodes, &out->edge_nodes);
  add_same(base.watched_nodes, &out->watched_nodes);
}

void MaskBuilder::GroupEdges(SharedMask* out) const {
  const auto& nodes = trie_->nodes();
  std::array<uint32_t, 257> first{};
  for (uint32_t child : out->edge_nodes) ++first[nodes[child].byte + 1];
  for (int b = 0; b < 256; ++b) {
    if (first[b + 1]) out->edge_bytes.push_back(static_cast<uint8_t>(b)), out->edge_first.push_back(first[b]);
    first[b + 1] += first[b];
  }
  out->edge_first.push_back(first[256]);
  std::vector<uint32_t> grouped(first[256]);
  for (uint32_t child : out->edge_nodes) grouped[first[nodes[child].byte]++] = child;
  out->edge_nodes.swap(grouped);
}

}  // namespace constrain
