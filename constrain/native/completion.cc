#include "completion.h"

#include <algorithm>

namespace constrain {

Completions::Known& Completions::At(ExprId state) {
  if (known_.size() <= state) known_.resize(std::max<size_t>(state + 1, known_.size() * 2));
  return known_[state];
}

// Visits each token that is alive: visit(trie node, state behind it, or one that is as good). Returns the number of nodes met.
template <typename F>
size_t Completions::ForEachToken(ExprId state, F visit) {
  const std::vector<TrieNode>& nodes = trie_->nodes();
  stack_.resize(trie_->max_depth() + 1);
  stack_[0] = state;
  size_t num_nodes = 0;
  for (uint32_t i = 1; i < nodes.size(); ++num_nodes) {
    const TrieNode& n = nodes[i];
    ExprId s = set_->Step(stack_[n.depth - 1], n.byte);
    if (set_->node(s).in_key) s = Simplified(s);
    if (s != kNoMatch && n.token >= 0) visit(n, s);
    stack_[n.depth] = s;
    i = s == kNoMatch ? n.next : i + 1;
  }
  return num_nodes;
}

// One byte along the shortest end.
bool Completions::Advance(ExprId* state, std::string* text) {
  if (At(*state).next == kNoMatch) {
    uint8_t byte = 0;
    const ExprId next = set_->NearestStep(*state, &byte);
    At(*state).next = next;
    At(*state).byte = byte;
  }
  const Known& known = At(*state);
  *text += static_cast<char>(known.byte);
  *state = known.next;
  return *state != kNoMatch;
}

// Where lengths are bounds the nearest step may lead astray: a way to the end is searched, and kept byte by byte.
bool Completions::FindWay(ExprId state) {
  std::string text;
  if (!set_->ShortestWay(state, kMostBytes, &text)) return false;
  for (char c : text) {
    if (At(state).cost != kInfinite) break;
    const ExprId next = set_->Step(state, static_cast<uint8_t>(c));
    At(state).next = next;
    At(state).byte = static_cast<uint8_t>(c);
    state = next;
  }
  return true;
}

// The states and bytes of the shortest end, up to where the cost is known; false where that is further than `most` bytes.
bool Completions::Follow(ExprId state, size_t most, std::vector<ExprId>* way, std::string* text) {
  way->assign(1, state);
  text->clear();
  for (; !set_->node(state).nullable && At(state).cost == kInfinite; way->push_back(state))
    if (text->size() == most || !Advance(&state, text)) return false;
  return true;
}

// Follows the shortest end to where its cost is known, and cuts what lies before into the fewest tokens.
uint32_t Completions::Cost(ExprId state) {
  std::vector<ExprId> way;
  std::string text;
  auto cost = [this](ExprId e) { return set_->node(e).nullable ? 0 : At(e).cost; };
  const bool is_loose = set_->num_loose_lengths() != 0;
  if (!Follow(state, is_loose ? std::min<size_t>(kMostBytes, set_->MinLength(state)) : kMostBytes, &way, &text))
    if (!is_loose || !FindWay(state) || !Follow(state, kMostBytes, &way, &text)) return kInfinite;
  const size_t num_new = way.size() - 1;
  for (ExprId e = way.back(); cost(e) && text.size() < num_new + trie_->max_depth() && Advance(&e, &text);) way.push_back(e);
  for (size_t i = num_new; i-- > 0;) {
    uint32_t fewest = kInfinite;
    for (uint32_t node = 0, j = static_cast<uint32_t>(i); j + 1 < way.size();) {
      node = trie_->Child(node, static_cast<uint8_t>(text[j++]));
      if (!node) break;
      if (trie_->nodes()[node].token >= 0 && cost(way[j]) != kInfinite) fewest = std::min(fewest, cost(way[j]) + 1);
    }
    At(way[i]).cost = fewest;
  }
  return cost(state);
}

// The shortest end behind the key has no key that begins as the open one does, so it is the same for all.
ExprId Completions::Simplified(ExprId state) {
  if (!set_->node(state).in_key) return state;
  const ExprId simple = set_->ForgetOpenKey(state, [this](const std::string& key, ExprId behind) {
    auto it = ends_.find(behind);
    if (it == ends_.end()) {
      std::string text;
      if (Cost(behind) == kInfinite) return false;
      for (ExprId e = behind; !set_->node(e).nullable;)
        if (!Advance(&e, &text)) return false;
      it = ends_.emplace(behind, std::move(text)).first;
    }
    return it->second.find(key) == std::string::npos;
  });
  num_simplified_ += simple != state;
  return simple;
}

bool Completions::FitsCost(ExprId state, uint32_t num_tokens) {
  state = Simplified(state);
  if (set_->node(state).nullable || At(state).cost <= num_tokens) return true;
  const uint32_t length = set_->MinLength(state);
  if (length == kInfinite) return false;
  if (length <= num_tokens && !set_->num_loose_lengths()) return true;
  if (length > static_cast<uint64_t>(num_tokens) * trie_->max_depth()) return false;
  return Cost(state) <= num_tokens;
}

// The tokens of the shortest end.
std::vector<int32_t> Completions::TokensToEnd(ExprId state) {
  std::vector<int32_t> tokens;
  auto cost = [this](ExprId e) { return set_->node(e).nullable ? 0 : At(e).cost; };
  while (cost(state)) {
    const uint32_t wanted = cost(state) - 1;
    std::string text;
    int32_t token = -1;
    for (uint32_t node = 0; token < 0 && Advance(&state, &text);) {
      node = trie_->Child(node, static_cast<uint8_t>(text.back()));
      if (!node) return {};
      if (cost(state) == wanted) token = trie_->nodes()[node].token;
    }
    if (token < 0) return {};
    tokens.push_back(token);
  }
  return tokens;
}

bool Completions::CanEnd(ExprId state, uint32_t num_tokens) {
  if (set_->node(state).nullable || At(state).found <= num_tokens) return true;
  if (!FitsCost(state, num_tokens)) return false;
  if (!set_->num_loose_lengths()) return true;
  for (ExprId e : {Simplified(state), state})  // a bound may be wrong: the tokens are tried
    if (const uint32_t cost = Cost(e); cost <= num_tokens && Remember(state, TokensToEnd(e), cost)) return true;
  return false;
}

bool Completions::AllowsToken(ExprId state, uint32_t token, ExprId after, uint32_t num_tokens) {
  if (num_tokens == 0) return false;
  if (At(state).found <= num_tokens && At(state).token == static_cast<int32_t>(token)) return true;
  if (set_->num_loose_lengths()) return CanEnd(after, num_tokens - 1);
  ExprId e = Simplified(state);
  for (char byte : trie_->bytes(token)) {
    e = set_->Step(e, static_cast<uint8_t>(byte));
    if (set_->node(e).in_key) e = Simplified(e);
  }
  return FitsCost(e, num_tokens - 1);
}

// No fewer tokens than these end the text.
uint32_t Completions::LeastTokens(ExprId state) {
  const uint32_t length = set_->MinLength(state);
  return length == 0 || length == kInfinite ? length : (length - 1) / trie_->max_depth() + 1;
}

// A*: states in the order of the tokens to them and the fewest that may be left. True where it came to its end, so that
// no fewer tokens will do than are known then.
bool Completions::Search(ExprId state) {
  const ExprId start = Simplified(state);
  std::unordered_map<ExprId, Place> places{{start, {0, start, -1}}};
  std::vector<std::vector<std::pair<ExprId, uint32_t>>> open;  // by the tokens in all: states, and the tokens to them
  auto push = [&](ExprId e, uint32_t num_tokens, uint32_t in_all) {
    if (open.size() <= in_all) open.resize(in_all + 1);
    open[in_all].emplace_back(e, num_tokens);
  };
  uint32_t best = std::min(Cost(start), At(state).found);
  if (best == kInfinite) return false;
  auto keep = [&](ExprId e, uint32_t left) {  // a way that is better than any before
    std::vector<int32_t> tokens;
    best = places.at(e).num_tokens + left;
    for (; e != start; e = places.at(e).from) tokens.push_back(places.at(e).token);
    std::reverse(tokens.begin(), tokens.end());
    Remember(state, tokens, best);
  };
  push(start, 0, LeastTokens(start));
  const uint64_t before = num_simplified_ - (start != state);
  const size_t most_states = set_->num_nodes() + kMostStates;
  size_t num_nodes = 0;
  for (uint32_t in_all = 0; in_all < open.size() && in_all < best;) {
    if (open[in_all].empty()) {
      ++in_all;
      continue;
    }
    const auto [e, num_tokens] = open[in_all].back();
    open[in_all].pop_back();
    if (places.at(e).num_tokens < num_tokens) continue;
    if (num_nodes > kMostNodes || set_->num_nodes() > most_states) return false;
    if (const uint32_t cost = Cost(e); cost != kInfinite && num_tokens + cost < best) keep(e, cost);
    ExprId last = kNoMatch;
    num_nodes += ForEachToken(e, [&, from = e, next = num_tokens + 1](const TrieNode& n, ExprId to) {
      if (to == last) return;
      last = to;
      const auto it = places.find(to);
      if (it != places.end() && it->second.num_tokens <= next) return;
      const uint32_t least = LeastTokens(to);
      if (least == kInfinite || next + least >= best) return;
      places[to] = {next, from, n.token};
      if (least == 0) keep(to, 0);
      else push(to, next, std::max(next + least, in_all));
    });
  }
  return num_simplified_ == before;  // else ends that need a key twice were among those searched
}

// Notes what is enough for the states that the tokens lead through, if they do, keys and all.
bool Completions::Remember(ExprId start, const std::vector<int32_t>& tokens, uint32_t num_tokens) {
  std::vector<ExprId> states{start};
  for (int32_t token : tokens) {
    ExprId e = states.back();
    for (char byte : trie_->bytes(static_cast<uint32_t>(token)))
      if (e != kNoMatch) e = set_->Step(e, static_cast<uint8_t>(byte));
    states.push_back(e);
  }
  const uint32_t left = num_tokens - static_cast<uint32_t>(tokens.size());
  if (states.back() == kNoMatch || (left ? Cost(Simplified(states.back())) > left : !set_->node(states.back()).nullable)) return false;
  for (size_t i = 0; i < states.size(); ++i) {
    Known& known = At(states[i]);
    if (num_tokens - i >= known.found) continue;
    known.found = num_tokens - static_cast<uint32_t>(i);
    known.token = i < tokens.size() ? tokens[i] : -1;
  }
  return true;
}

uint32_t Completions::FewestTokens(ExprId state, bool* is_exact) {
  *is_exact = true;
  if (set_->node(state).nullable) return 0;
  auto [it, fresh] = searched_.try_emplace(state, false);
  if (fresh) {
    try {
      it->second = Search(state) && !set_->num_loose_lengths();
    } catch (const LimitError&) {  // what was found until then holds
    }
  }
  *is_exact = it->second;
  return std::min(At(state).found, Cost(Simplified(state)));
}

void Completions::AddTokens(ExprId state, uint32_t num_tokens, uint32_t* row) {
  std::unordered_map<ExprId, bool> verdicts;
  ExprId last = kNoMatch;
  bool fits = false;
  const Known known = At(state);
  if (known.found <= num_tokens && known.token >= 0) row[known.token >> 5] |= 1u << (known.token & 31);
  ForEachToken(Simplified(state), [&](const TrieNode& n, ExprId after) {
    if (after != last) {
      const auto [it, fresh] = verdicts.try_emplace(last = after);
      if (fresh) it->second = FitsCost(after, num_tokens - 1);
      fits = it->second;
    }
    for (int32_t id = n.token; fits && id >= 0; id = trie_->same_as(static_cast<uint32_t>(id))) row[id >> 5] |= 1u << (id & 31);
  });
}

}  // namespace constrain
