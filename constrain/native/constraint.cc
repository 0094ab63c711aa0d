#include "constraint.h"

#include <algorithm>
#include <cstring>

namespace constrain {

using Lock = std::lock_guard<std::recursive_mutex>;

Constraint::Constraint(std::shared_ptr<ExprSet> set, ExprId root, std::shared_ptr<TokenTrie> trie, size_t max_mask_bytes)
    : set_(std::move(set)), trie_(std::move(trie)), root_(root), builder_(set_.get(), trie_.get()), completions_(set_.get(), trie_.get()),
      max_mask_words_(max_mask_bytes / 4) {
  Lock lock(set_->mutex());
  set_->CheckId(root);
  set_->Refuel();
  set_->Seal();
  if (!set_->IsAlive(root)) throw EmptyError("no text satisfies the constraint");
  if (trie_->end_ids().empty()) throw ExpressionError("vocabulary: no end-of-text token, so no text could ever end");
  if (trie_->spells_every_byte()) {
    if (!builder_.Prepare()) return;
    for (ExprId start : {root_, TurnRoot()}) {
      set_->Refuel();
      MaskOf(start);
    }
    return;
  }
  std::vector<std::string_view> tokens;
  for (uint32_t id = 0; id < trie_->num_tokens(); ++id)
    if (trie_->IsText(id)) tokens.push_back(trie_->bytes(id));
  closure_ = set_->MakeRepeat(set_->MakeTable(TableOfLiterals(std::move(tokens))), 0, kInfinite);
  if (!set_->IsAlive(set_->MakeAnd({root, closure_}))) ThrowUnspellable();
}

void Constraint::ThrowUnspellable() {
  // The nearest byte that the constraint needs and no token holds.
  ByteSet spelled;
  for (const TrieNode& n : trie_->nodes())
    if (n.depth) spelled.Add(n.byte);
  std::vector<std::pair<ExprId, std::string>> queue{{root_, ""}};
  std::unordered_set<ExprId> seen{root_};
  for (size_t head = 0; head < queue.size() && head < 10000; ++head) {
    const auto [state, text] = queue[head];
    for (int b = 0; b < 256; ++b) {
      const ExprId next = set_->Step(state, static_cast<uint8_t>(b));
      if (next == kNoMatch) continue;
      if (!spelled.Has(static_cast<uint8_t>(b))) {
        static const char* kHex = "0123456789abcdef";
        throw EmptyError(std::string("vocabulary: no token spells byte 0x") + kHex[b >> 4] + kHex[b & 15] +
                         ", which the constraint needs at byte offset " + std::to_string(text.size()));
      }
      if (seen.insert(next).second) queue.emplace_back(next, text + static_cast<char>(b));
    }
  }
  throw EmptyError("vocabulary: no sequence of tokens spells a text of the constraint");
}

ExprId Constraint::TurnRoot() {
  Lock lock(set_->mutex());
  if (turn_root_ != kNoMatch) return turn_root_;
  ByteSet space;
  space.Add(' ');
  const ExprId prefix = set_->MakeByteSet(space);
  const ExprId no_space = set_->MakeNot(set_->MakeConcat(prefix, kAnything));
  return turn_root_ = set_->MakeOr({set_->MakeConcat(prefix, root_), set_->MakeAnd({root_, no_space})});
}

ExprId Constraint::Start(bool is_turn, std::string_view prefix) {
  Lock lock(set_->mutex());
  const ExprId start = is_turn ? TurnRoot() : root_;
  return prefix.empty() ? start : set_->MakeConcat(set_->MakeLiteral(prefix), start);
}

bool Constraint::IsTokenAllowed(ExprId state, uint32_t token, ExprId* after) {
  if (trie_->num_tokens() == trie_->size()) return trie_->IsText(token) && Spells(state, token, after);
  std::vector<ExprId> found;
  ExprId one;
  for (uint32_t spelling : trie_->SpellingsOf(token))
    if (Spells(state, spelling, &one)) found.push_back(one);
  if (found.empty()) return false;
  *after = found.size() == 1 ? found[0] : set_->MakeOr(found);
  return true;
}

bool Constraint::Spells(ExprId state, uint32_t token, ExprId* after) {
  for (char b : trie_->bytes(token)) {
    state = set_->Step(state, static_cast<uint8_t>(b));
    if (state == kNoMatch) return false;
  }
  *after = state;
  return closure_ == kAnything || set_->IsAlive(set_->MakeAnd({state, closure_}));
}

void Constraint::FillMask(ExprId state, uint32_t* row) {
  const Ref ref = refs_[MaskOf(state)];
  const uint32_t* data = pool_.data() + ref.offset;
  if (ref.count == kDense) {
    std::memcpy(row, data, trie_->num_words() * 4);
  } else {
    std::memset(row, 0, trie_->num_words() * 4);
    for (uint32_t i = 0; i < ref.count; ++i) row[data[i] >> 5] |= 1u << (data[i] & 31);
  }
  if (set_->node(state).nullable)
    for (uint32_t id : trie_->end_ids()) row[id >> 5] |= 1u << (id & 31);
}

Completions& Constraint::completions() {
  if (!trie_->spells_every_byte())
    throw ExpressionError("budgets are kept in vocabularies with a token for every byte, and this one lacks some");
  return completions_;
}

void Constraint::FillMaskWithin(ExprId state, uint32_t num_tokens, uint32_t* row) {
  if (!completions().CanEnd(state, num_tokens)) {
    bool is_exact;
    const uint32_t fewest = completions().FewestTokens(state, &is_exact);
    if (fewest > num_tokens) throw LimitError("max_tokens", fewest == kInfinite ? 0 : fewest, num_tokens);
  }
  FillMask(state, row);
  std::vector<uint32_t> within(trie_->mask_words());
  if (num_tokens) completions_.AddTokens(state, num_tokens, within.data());
  JoinBits(&within);
  for (uint32_t id : trie_->end_ids()) within[id >> 5] |= 1u << (id & 31);
  for (size_t i = 0; i < within.size(); ++i) row[i] &= within[i];
}

bool Constraint::IsTokenAllowedWithin(ExprId state, uint32_t token, uint32_t num_tokens) {
  const std::vector<uint32_t> spellings = trie_->SpellingsOf(token);
  return std::any_of(spellings.begin(), spellings.end(), [&](uint32_t spelling) {
    ExprId after;
    return Spells(state, spelling, &after) && completions().AllowsToken(state, spelling, after, num_tokens);
  });
}

uint32_t Constraint::ComputeMask(ExprId state) {
  set_->Refuel();
  if (pool_.size() > max_mask_words_) {  // the budget: forget all masks, they can be found again
    mask_of_.clear();
    refs_.resize(1);
    pool_.clear();
    dense_ids_.clear();
  }
  // Most masks are the same whatever keys have come: they are found for the state that has forgotten them.
  const ExprId rough = closure_ == kAnything ? set_->ForgetKeys(state) : state;
  uint32_t index = 0;
  if (rough != state && !builder_.KeyMatters(state)) {
    index = MaskOf(rough);
    auto doubts = doubts_.find(rough);
    if (doubts != doubts_.end() && !AllAllowed(state, doubts->second)) index = 0;
  }
  if (!index) {
    builder_.Build(state, closure_, &parts_);
    if (!builder_.doubts().empty()) {
      if (rough == state) doubts_[state] = builder_.doubts();
      else RemoveDead(state, builder_.doubts());
    }
    // Only a state whose liveness was assumed, not proven, can be without a token.
    if (parts_.ids.empty() && !parts_.is_dense && !set_->node(state).nullable)
      throw LimitError("max_search_states", set_->num_unproven(), set_->max_search_states());
    JoinSpellings();
    index = StoreMask();
  }
  if (mask_of_.size() <= state) mask_of_.resize(std::max<size_t>(state + 1, mask_of_.size() * 2), 0);
  return mask_of_[state] = index;
}

bool Constraint::AllAllowed(ExprId state, const std::vector<uint32_t>& tokens) {
  ExprId after;
  return std::all_of(tokens.begin(), tokens.end(), [&](uint32_t t) { return Spells(state, t, &after); });
}

// Takes tokens that lead nowhere out of the mask in parts_.
void Constraint::RemoveDead(ExprId state, const std::vector<uint32_t>& doubts) {
  std::unordered_set<uint32_t> dead;
  ExprId after;
  for (uint32_t token : doubts)
    if (!Spells(state, token, &after)) dead.insert(token);
  auto& ids = parts_.ids;
  ids.erase(std::remove_if(ids.begin(), ids.end(), [&](uint32_t id) { return dead.count(id) != 0; }), ids.end());
  if (parts_.is_dense)
    for (uint32_t id : dead) parts_.words[id >> 5] &= ~(1u << (id & 31));
}

void Constraint::JoinBits(std::vector<uint32_t>* words) const {
  for (uint32_t id = trie_->first_alias(); id < trie_->num_tokens(); ++id)
    if ((*words)[id >> 5] >> (id & 31) & 1) {
      const uint32_t target = trie_->TargetOf(id);
      (*words)[target >> 5] |= 1u << (target & 31);
    }
  words->resize(trie_->num_words());
}

// What was found for the spellings of tokens becomes a mask of tokens.
void Constraint::JoinSpellings() {
  if (trie_->num_tokens() == trie_->size()) return;
  if (parts_.is_dense) return JoinBits(&parts_.words);
  auto& ids = parts_.ids;
  for (uint32_t& id : ids) id = trie_->TargetOf(id);
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
}

// The mask in parts_, as an index of refs_.
uint32_t Constraint::StoreMask() {
  const auto& data = parts_.is_dense ? parts_.words : parts_.ids;
  const uint32_t index = static_cast<uint32_t>(refs_.size());
  if (parts_.is_dense) {
    Hasher h(0xDE45E);
    h.Add(std::string_view(reinterpret_cast<const char*>(data.data()), data.size() * 4));
    auto [it, fresh] = dense_ids_.try_emplace(h.Finish(), index);
    if (!fresh) return it->second;
  }
  refs_.push_back({static_cast<uint32_t>(pool_.size()), parts_.is_dense ? kDense : static_cast<uint32_t>(data.size())});
  pool_.insert(pool_.end(), data.begin(), data.end());
  return index;
}

Matcher::Matcher(std::shared_ptr<Constraint> constraint, bool is_turn, std::string_view prefix)
    : constraint_(std::move(constraint)), start_(constraint_->Start(is_turn, prefix)), state_(start_) {}

void Matcher::CheckToken(int64_t token) const {
  if (token < 0 || token >= constraint_->trie().size())
    throw ExpressionError("token id " + std::to_string(token) + " is outside the vocabulary (0.." +
                          std::to_string(constraint_->trie().size() - 1) + ")");
}

void Matcher::FillEnds(uint32_t* row) const {
  std::memset(row, 0, constraint_->trie().num_words() * 4);
  for (uint32_t id : constraint_->trie().end_ids()) row[id >> 5] |= 1u << (id & 31);
}

void Matcher::FillMask(uint32_t* row) const {
  Lock lock(set().mutex());
  if (state_ == kTerminated) FillEnds(row);
  else constraint_->FillMask(state_, row);
}

void Matcher::FillMaskWithin(uint32_t* row, uint32_t num_tokens) const {
  Lock lock(set().mutex());
  set().Refuel();
  if (state_ == kTerminated) FillEnds(row);
  else constraint_->FillMaskWithin(state_, num_tokens, row);
}

// The state behind an allowed token.
bool Matcher::After(int64_t token, ExprId* after) const {
  CheckToken(token);
  const uint32_t id = static_cast<uint32_t>(token);
  *after = kTerminated;
  if (constraint_->trie().IsEnd(id)) return IsAccepting();
  if (state_ == kTerminated) return false;
  set().Refuel();
  return constraint_->IsTokenAllowed(state_, id, after);
}

bool Matcher::IsTokenAllowed(int64_t token) const {
  Lock lock(set().mutex());
  ExprId after;
  return After(token, &after);
}

bool Matcher::IsTokenAllowedWithin(int64_t token, uint32_t num_tokens) const {
  Lock lock(set().mutex());
  ExprId after;
  if (!After(token, &after)) return false;
  return after == kTerminated || constraint_->IsTokenAllowedWithin(state_, static_cast<uint32_t>(token), num_tokens);
}

bool Matcher::AcceptToken(int64_t token) {
  Lock lock(set().mutex());
  ExprId after;
  if (!After(token, &after)) return false;
  history_.push_back(state_);
  state_ = after;
  return true;
}

bool Matcher::AcceptBytes(std::string_view text) {
  Lock lock(set().mutex());
  if (state_ == kTerminated) return text.empty();
  ExprId state = state_;
  for (size_t i = 0; i < text.size(); ++i) {
    if ((i & 1023) == 0) set().Refuel();
    state = set().Step(state, static_cast<uint8_t>(text[i]));
    if (state == kNoMatch) return false;
  }
  history_.push_back(state_);
  state_ = state;
  return true;
}

void Matcher::Rollback(size_t n) {
  if (n > history_.size())
    throw ExpressionError("rollback by " + std::to_string(n) + ", but only " + std::to_string(history_.size()) + " were accepted");
  if (n == 0) return;
  state_ = history_[history_.size() - n];
  history_.resize(history_.size() - n);
}

void Matcher::Reset() {
  history_.clear();
  state_ = start_;
}

bool Matcher::IsAccepting() const { return state_ == kTerminated || set().node(state_).nullable; }

std::string Matcher::ForcedBytes(size_t max_length) const {
  Lock lock(set().mutex());
  std::string forced;
  if (state_ == kTerminated) return forced;
  ExprSet& s = set();
  s.Refuel();
  for (ExprId state = state_; forced.size() < max_length && !s.node(state).nullable;) {
    const uint32_t p = s.Classes(state);
    ExprId only = kNoMatch;
    uint8_t byte = 0;
    bool is_forced = true;
    for (uint32_t c = 0; is_forced && c < s.partitions().num_classes(p); ++c) {
      const uint8_t representative = s.partitions().representative(p, c);
      const ExprId next = s.Step(state, representative);
      if (next == kNoMatch) continue;
      is_forced = only == kNoMatch && s.partitions().class_size(p, c) == 1;
      only = next;
      byte = representative;
    }
    if (!is_forced || only == kNoMatch) break;
    forced += static_cast<char>(byte);
    state = only;
  }
  return forced;
}

uint32_t Matcher::MinLength() const {
  Lock lock(set().mutex());
  if (state_ == kTerminated) return 0;
  set().Refuel();
  return set().MinLength(state_);
}

bool Matcher::CanEndWithin(uint32_t num_tokens) const {
  Lock lock(set().mutex());
  set().Refuel();
  return state_ == kTerminated || constraint_->completions().CanEnd(state_, num_tokens);
}

uint32_t Matcher::FewestTokens(bool* is_exact) const {
  Lock lock(set().mutex());
  set().Refuel();
  *is_exact = true;
  return state_ == kTerminated ? 0 : constraint_->completions().FewestTokens(state_, is_exact);
}

std::vector<uint32_t> Matcher::AllowedTokens() const {
  std::vector<uint32_t> row(constraint_->trie().num_words()), ids;
  FillMask(row.data());
  for (uint32_t id = 0; id < constraint_->trie().size(); ++id)
    if (row[id >> 5] >> (id & 31) & 1) ids.push_back(id);
  return ids;
}

std::string Matcher::Describe(size_t max_length) const {
  Lock lock(set().mutex());
  return state_ == kTerminated ? "the end" : set().ToString(state_, max_length);
}

std::vector<std::string> Matcher::Labels() const {
  Lock lock(set().mutex());
  return state_ == kTerminated ? std::vector<std::string>{} : set().Labels(state_);
}

std::string Matcher::AllowedBytes() const {
  Lock lock(set().mutex());
  if (state_ == kTerminated) return {};
  set().Refuel();
  return set().LiveBytes(state_);
}

}  // namespace constrain
