// The prefix tree of a vocabulary's token bytes, flat and in depth-first order.
//
// Node i's subtree is [i, next). Specials, gaps and padding ids are not in the tree: text can never spell them.
// Where a constraint speaks of tokens themselves (specials.py), a tree of its own has further spellings of tokens, by
// which no text goes: `aliases`, numbered behind the tokens, each a token of the tree like any other (constraint.cc joins
// them). Tokens that hold bytes which begin such spellings are left out there.
// Tokens with equal bytes share a node (`token`, then `same_as`). The tree owns the store of shared mask parts,
// because these depend on a lexeme and on the vocabulary alone (mask.h). Held by tests/test_masks.py.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "byteset.h"

namespace constrain {

class SharedMaskStore;

struct TrieNode {
  uint32_t next;    // index behind this subtree
  int32_t token;    // -1: no token ends here
  uint16_t depth;   // the root has 0
  uint8_t byte;
};

class TokenTrie {
 public:
  // `tokens[i]` is token i's bytes, nothing for a special or a gap. `excluded` ids are known, but in no mask.
  TokenTrie(const std::vector<std::optional<std::string>>& tokens, std::vector<uint32_t> end_ids, uint32_t size,
            const std::vector<uint32_t>& excluded, const std::vector<std::pair<uint32_t, std::string>>& aliases = {});
  ~TokenTrie();

  const std::vector<TrieNode>& nodes() const { return nodes_; }
  uint32_t size() const { return size_; }  // width of the logits
  uint32_t num_words() const { return (size_ + 31) / 32; }
  uint32_t mask_words() const { return (num_tokens() + 31) / 32; }  // with the aliases
  uint32_t num_tokens() const { return static_cast<uint32_t>(is_text_.size()); }  // with the aliases
  uint32_t first_alias() const { return first_alias_; }
  uint32_t TargetOf(uint32_t token) const { return token < first_alias_ ? token : targets_[token - first_alias_]; }
  std::vector<uint32_t> SpellingsOf(uint32_t token) const;  // itself and its aliases, as far as they are in the tree
  uint32_t max_depth() const { return max_depth_; }
  const std::vector<uint32_t>& end_ids() const { return end_ids_; }
  bool IsEnd(uint32_t token) const { return is_end_[token]; }
  bool IsText(uint32_t token) const { return is_text_[token]; }  // in the tree
  std::string_view bytes(uint32_t token) const {
    return std::string_view(pool_).substr(offsets_[token], offsets_[token + 1] - offsets_[token]);
  }
  // The child of a node by its byte, and the node with this path below the root; 0 where no token has it.
  uint32_t Child(uint32_t node, uint8_t byte) const;
  uint32_t Find(std::string_view path) const;
  // The bytes from the root to a node: a token below it has them.
  std::string_view path(uint32_t node) const {
    const uint16_t depth = nodes_[node].depth;
    while (nodes_[node].token < 0) ++node;
    return bytes(static_cast<uint32_t>(nodes_[node].token)).substr(0, depth);
  }
  int32_t same_as(uint32_t token) const { return same_as_[token]; }  // the next token with equal bytes, or -1
  bool spells_every_byte() const { return spells_every_byte_; }
  SharedMaskStore& shared_masks() const { return *shared_masks_; }

 private:
  std::vector<TrieNode> nodes_;
  std::vector<uint32_t> end_ids_, offsets_, targets_;
  std::vector<std::pair<uint32_t, uint32_t>> aliases_of_;  // token, alias: in order
  std::vector<bool> is_end_, is_text_;
  std::vector<int32_t> same_as_;
  std::string pool_;
  uint32_t size_, first_alias_ = 0, max_depth_ = 0;
  std::array<uint32_t, 256> first_{};  // the root's child by its byte; 0: none
  bool spells_every_byte_ = false;
  std::unique_ptr<SharedMaskStore> shared_masks_;
};

}  // namespace constrain
