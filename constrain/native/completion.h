// Budgets: can a text still be ended with so many tokens, and by which of them does it go on?
//
// Each byte is a token, so where a state's shortest end has no more bytes than there are tokens nothing else needs to be
// known. Elsewhere the end that is shortest in bytes (of several the first by its bytes) is cut into as few tokens as it
// can be: the state's cost. A search for the fewest tokens of all ends may find less; then it is remembered for the states
// that it leads through.
// Invariants: the state behind the first token of a cost's text costs one less, and the like holds for what was found by
// search, so the mask of what can be ended with n tokens is never empty and whoever keeps to these masks ends in time. An
// open key's text is forgotten where that changes no shortest end, so that one state serves all of them.
// Held by tests/test_completion.py.
#pragma once

#include <unordered_map>
#include <vector>

#include "expr.h"
#include "trie.h"

namespace constrain {

class Completions {
 public:
  Completions(ExprSet* set, const TokenTrie* trie) : set_(set), trie_(trie) {}

  // Are `num_tokens` enough to end the text?
  bool CanEnd(ExprId state, uint32_t num_tokens);
  // Can the text be ended with `num_tokens`, the first of which is an allowed one that leads to `after`?
  bool AllowsToken(ExprId state, uint32_t token, ExprId after, uint32_t num_tokens);
  // Sets the bits of the tokens that AllowsToken takes, and perhaps of some that no mask has. Where lengths are bounds and
  // not exact (ExprSet::num_loose_lengths) some may turn out not to be allowed.
  void AddTokens(ExprId state, uint32_t num_tokens, uint32_t* row);
  // The fewest tokens that end the text; kInfinite where none are known. `is_exact`: no fewer will do.
  uint32_t FewestTokens(ExprId state, bool* is_exact);
  size_t MemoryBytes() const { return known_.capacity() * sizeof(Known) + searched_.size() * 32 + ends_.size() * 128; }

 private:
  struct Known {
    uint32_t cost = kInfinite, found = kInfinite;  // tokens: of the shortest end, by search
    int32_t token = -1;                            // the first of those found
    ExprId next = kNoMatch;                        // one byte along the shortest end
    uint8_t byte = 0;
  };
  struct Place {  // met in a search: by how many tokens, the last of which came from where
    uint32_t num_tokens;
    ExprId from;
    int32_t token;
  };
  // Bytes of an end; what a search may cost: nodes of the tree walked, and new expressions.
  static constexpr size_t kMostBytes = 1 << 16, kMostNodes = 2'000'000, kMostStates = 50'000;

  Known& At(ExprId state);
  bool Advance(ExprId* state, std::string* text);
  bool FindWay(ExprId state);
  bool Follow(ExprId state, size_t most, std::vector<ExprId>* way, std::string* text);
  ExprId Simplified(ExprId state);
  uint32_t Cost(ExprId state);
  bool FitsCost(ExprId state, uint32_t num_tokens);
  uint32_t LeastTokens(ExprId state);
  bool Search(ExprId state);
  std::vector<int32_t> TokensToEnd(ExprId state);
  bool Remember(ExprId start, const std::vector<int32_t>& tokens, uint32_t num_tokens);
  template <typename F>
  size_t ForEachToken(ExprId state, F visit);

  ExprSet* set_;
  const TokenTrie* trie_;
  std::vector<Known> known_;                   // by state
  std::unordered_map<ExprId, bool> searched_;  // is what was found exact?
  std::unordered_map<ExprId, std::string> ends_;  // the shortest, of what follows open keys
  std::vector<ExprId> stack_;
  uint64_t num_simplified_ = 0;
};

}  // namespace constrain
