// A constraint: an expression, the vocabulary, and the masks found so far. A matcher: the cursor of one request.
//
// A Constraint is immutable to its users and may serve many threads: what it learns lazily is guarded by its
// expression set's mutex. A Matcher belongs to one request. Laws (tests/test_matcher.py): a token is accepted exactly
// where the mask has its bit; rollback undoes exactly; a fork is independent.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "completion.h"
#include "mask.h"

namespace constrain {

class Constraint {
 public:
  // Throws EmptyError where no text satisfies the expression in this vocabulary.
  Constraint(std::shared_ptr<ExprSet> set, ExprId root, std::shared_ptr<TokenTrie> trie, size_t max_mask_bytes);

  ExprSet& set() const { return *set_; }
  const TokenTrie& trie() const { return *trie_; }
  ExprId root() const { return root_; }
  ExprId TurnRoot();  // the root where a dummy prefix space may come first
  ExprId Start(bool is_turn, std::string_view prefix);
  bool IsTokenAllowed(ExprId state, uint32_t token, ExprId* after);  // in any of its spellings
  bool IsTokenAllowedWithin(ExprId state, uint32_t token, uint32_t num_tokens);
  void FillMask(ExprId state, uint32_t* row);
  Completions& completions();  // budgets; throws where the vocabulary has no token for some byte
  void FillMaskWithin(ExprId state, uint32_t num_tokens, uint32_t* row);  // LimitError where the text cannot be ended
  size_t MemoryBytes() const {
    return mask_of_.capacity() * 4 + pool_.capacity() * 4 + refs_.capacity() * sizeof(Ref) + completions_.MemoryBytes();
  }

 private:
  struct Ref {  // a mask in the pool: `count` ids, or words where count is kDense
    uint32_t offset, count;
  };
  static constexpr uint32_t kDense = 0xFFFFFFFF;
  uint32_t MaskOf(ExprId state) {
    const uint32_t known = state < mask_of_.size() ? mask_of_[state] : 0;
    return known ? known : ComputeMask(state);
  }
  uint32_t ComputeMask(ExprId state);
  uint32_t StoreMask();
  bool Spells(ExprId state, uint32_t token, ExprId* after);
  void JoinSpellings();
  void JoinBits(std::vector<uint32_t>* words) const;
  bool AllAllowed(ExprId state, const std::vector<uint32_t>& tokens);
  void RemoveDead(ExprId state, const std::vector<uint32_t>& doubts);
  [[noreturn]] void ThrowUnspellable();

  std::shared_ptr<ExprSet> set_;
  std::shared_ptr<TokenTrie> trie_;
  ExprId root_, turn_root_ = kNoMatch, closure_ = kAnything;
  MaskBuilder builder_;
  Completions completions_;
  MaskParts parts_;
  std::vector<uint32_t> mask_of_;  // state -> index in refs_; 0: not computed
  std::vector<Ref> refs_{{0, 0}};
  std::vector<uint32_t> pool_;
  std::unordered_map<Hash128, uint32_t, Hash128Hasher> dense_ids_;
  std::unordered_map<ExprId, std::vector<uint32_t>> doubts_;  // tokens to be stepped, of states with forgotten keys
  size_t max_mask_words_;
};

class Matcher {
 public:
  Matcher(std::shared_ptr<Constraint> constraint, bool is_turn, std::string_view prefix);  // the prefix comes before the text

  const std::shared_ptr<Constraint>& constraint() const { return constraint_; }
  void FillMask(uint32_t* row) const;
  bool IsTokenAllowed(int64_t token) const;
  bool AcceptToken(int64_t token);
  bool AcceptBytes(std::string_view text);
  void Rollback(size_t n);
  void Reset();
  bool IsAccepting() const;
  bool IsTerminated() const { return state_ == kTerminated; }
  size_t num_accepted() const { return history_.size(); }
  std::string ForcedBytes(size_t max_length) const;
  uint32_t MinLength() const;  // bytes to the nearest end; kInfinite where that is not known
  // With budgets: `num_tokens` are all that may still come, end tokens excepted.
  bool CanEndWithin(uint32_t num_tokens) const;
  uint32_t FewestTokens(bool* is_exact) const;  // that end the text; kInfinite where that is not known
  bool IsTokenAllowedWithin(int64_t token, uint32_t num_tokens) const;
  void FillMaskWithin(uint32_t* row, uint32_t num_tokens) const;
  std::vector<uint32_t> AllowedTokens() const;
  ExprId state() const { return state_; }
  std::string Describe(size_t max_length) const;
  std::vector<std::string> Labels() const;
  std::string AllowedBytes() const;

 private:
  static constexpr ExprId kTerminated = 0x7FFFFFFF;  // behind an end token
  void CheckToken(int64_t token) const;
  bool After(int64_t token, ExprId* after) const;
  void FillEnds(uint32_t* row) const;
  ExprSet& set() const { return constraint_->set(); }

  std::shared_ptr<Constraint> constraint_;
  ExprId start_, state_;
  std::vector<ExprId> history_;
};

}  // namespace constrain
