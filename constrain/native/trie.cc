#include "trie.h"

#include <algorithm>

#include "error.h"
#include "mask.h"

namespace constrain {

TokenTrie::TokenTrie(const std::vector<std::optional<std::string>>& tokens, std::vector<uint32_t> end_ids, uint32_t size,
                     const std::vector<uint32_t>& excluded, const std::vector<std::pair<uint32_t, std::string>>& aliases)
    : end_ids_(std::move(end_ids)), size_(size), shared_masks_(std::make_unique<SharedMaskStore>()) {
  if (tokens.size() > size) throw ExpressionError("vocabulary: more tokens than its size");
  first_alias_ = num_words() * 32;
  const uint32_t total = aliases.empty() ? size : first_alias_ + static_cast<uint32_t>(aliases.size());
  is_end_.resize(total);
  is_text_.resize(total);
  same_as_.assign(total, -1);
  std::vector<bool> is_excluded(size);
  for (uint32_t id : excluded)
    if (id < size) is_excluded[id] = true;
  for (uint32_t id : end_ids_) {
    if (id >= size) throw ExpressionError("vocabulary: end token id " + std::to_string(id) + " is outside its size");
    is_end_[id] = true;
  }
  std::vector<uint32_t> order;
  for (uint32_t id = 0; id < size; ++id) {
    offsets_.push_back(static_cast<uint32_t>(pool_.size()));
    if (id >= tokens.size() || !tokens[id]) continue;
    pool_ += *tokens[id];
    if (tokens[id]->empty() || tokens[id]->size() > 65000 || is_end_[id] || is_excluded[id]) continue;
    if (!aliases.empty() && tokens[id]->find_first_of("\xFE\xFF") != std::string::npos) continue;
    is_text_[id] = true;
    order.push_back(id);
  }
  for (uint32_t id = size; id < total; ++id) {
    offsets_.push_back(static_cast<uint32_t>(pool_.size()));
    if (id < first_alias_) continue;
    const auto& [target, spelling] = aliases[id - first_alias_];
    if (target >= size) throw ExpressionError("vocabulary: token id " + std::to_string(target) + " is outside its size");
    pool_ += spelling;
    targets_.push_back(target);
    aliases_of_.emplace_back(target, id);
    is_text_[id] = true;
    order.push_back(id);
  }
  std::sort(aliases_of_.begin(), aliases_of_.end());
  offsets_.push_back(static_cast<uint32_t>(pool_.size()));
  std::stable_sort(order.begin(), order.end(), [this](uint32_t a, uint32_t b) { return bytes(a) < bytes(b); });

  nodes_.push_back({0, -1, 0, 0});
  std::vector<uint32_t> path{0};  // the node at each depth of the last token
  std::string_view last;
  uint32_t last_id = 0;
  int num_single_bytes = 0;
  for (uint32_t id : order) {
    const std::string_view text = bytes(id);
    if (text == last) {
      same_as_[last_id] = static_cast<int32_t>(id);
      last_id = id;
      continue;
    }
    size_t shared = 0;
    while (shared < last.size() && last[shared] == text[shared]) ++shared;
    for (; path.size() > shared + 1; path.pop_back()) nodes_[path.back()].next = static_cast<uint32_t>(nodes_.size());
    for (size_t i = shared; i < text.size(); ++i) {
      path.push_back(static_cast<uint32_t>(nodes_.size()));
      nodes_.push_back({0, -1, static_cast<uint16_t>(i + 1), static_cast<uint8_t>(text[i])});
    }
    nodes_.back().token = static_cast<int32_t>(id);
    num_single_bytes += text.size() == 1;
    max_depth_ = std::max(max_depth_, static_cast<uint32_t>(text.size()));
    last = text;
    last_id = id;
  }
  for (uint32_t node : path) nodes_[node].next = static_cast<uint32_t>(nodes_.size());
  for (uint32_t child = 1; child < nodes_.size(); child = nodes_[child].next) first_[nodes_[child].byte] = child;
  spells_every_byte_ = num_single_bytes == (aliases.empty() ? 256 : 254);
}

TokenTrie::~TokenTrie() = default;

uint32_t TokenTrie::Child(uint32_t node, uint8_t byte) const {
  if (node == 0) return first_[byte];
  const uint32_t end = nodes_[node].next;
  uint32_t child = node + 1;
  while (child < end && nodes_[child].byte != byte) child = nodes_[child].next;
  return child < end ? child : 0;
}

std::vector<uint32_t> TokenTrie::SpellingsOf(uint32_t token) const {
  std::vector<uint32_t> found;
  if (is_text_[token]) found.push_back(token);
  auto it = std::lower_bound(aliases_of_.begin(), aliases_of_.end(), std::make_pair(token, 0u));
  for (; it != aliases_of_.end() && it->first == token; ++it) found.push_back(it->second);
  return found;
}

uint32_t TokenTrie::Find(std::string_view path) const {
  uint32_t node = 0;
  for (char byte : path) {
    node = Child(node, static_cast<uint8_t>(byte));
    if (!node) break;
  }
  return node;
}

}  // namespace constrain
