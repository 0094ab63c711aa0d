// Separated entries: the members of an object, the items of an array.
//
// A list has entries that come in their order, then entries in any order among themselves, each between `min` and `max`
// times, and between `low` and `high` members in all. A keyed entry (MakeKeyed) begins with a key that is remembered:
// no two keyed texts of one list are equal. While a key is read its text so far stands in the state (kKey), since what
// may follow depends on it. A key that has come before dies at its last byte, which is soon enough where every prefix has
// infinitely many keys. Where keys are scarce those that have come are taken out of the language of the next one, so it
// dies at the byte where nothing else can come of it. Scarce keys that are decimals are equal by value: 1 and 1.0.
//
// Invariants: a state never stands where the counts cannot be met any more (NextMembers); whoever builds a list gives
// keyed entries more texts than the counts need, for no search counts how many keys are left.
// Held by tests/test_algebra.py (against an oracle of its own) and tests/test_masks.py.
#include <algorithm>

#include "expr.h"

namespace constrain {

namespace {

enum Tag : uint64_t { kTagMembers = 20, kTagList, kTagKey, kTagText, kTagUsed };

uint32_t SaturatingAdd(uint32_t x, uint32_t y) { return x >= kInfinite - y ? kInfinite : x + y; }

}  // namespace

std::vector<ExprId> ExprSet::Alternatives(ExprId e) const {
  if (nodes_[e].kind != Kind::kOr) return {e};
  return {children(e), children(e) + nodes_[e].b};
}

ExprId ExprSet::MakeMembers(ExprId separator, std::vector<Entry> entries, uint32_t num_ordered, uint32_t low, uint32_t high) {
  MemberList list;
  list.separator = separator;
  list.low = low;
  list.high = high;
  list.num_ordered = 0;
  Hasher h(kTagList);
  h.Add(hashes_[separator]).Add(static_cast<uint64_t>(low) << 32 | high);
  for (size_t i = 0; i < entries.size(); ++i) {
    const Entry& entry = entries[i];
    if (entry.min > entry.max) return kNoMatch;
    if (entry.item == kNoMatch && entry.min > 0) return kNoMatch;
    if (entry.item == kNoMatch || entry.max == 0) continue;
    if (nodes_[entry.item].nullable && !nodes_[entry.item].has_rule)
      throw ExpressionError("an entry of members matches the empty string");
    list.entries.push_back(entry);
    list.num_ordered += i < num_ordered;
    h.Add(hashes_[entry.item]).Add(static_cast<uint64_t>(entry.min) << 32 | entry.max);
  }
  list.hash = h.Add(list.num_ordered).Finish();
  auto [it, fresh] = list_ids_.try_emplace(list.hash, static_cast<uint32_t>(lists_.size()));
  if (fresh) SealMemberList(&list), lists_.push_back(std::move(list));
  return MakeMembersAt(it->second, {});
}

ExprId ExprSet::MakeKeyed(ExprId key, ExprId tail, bool is_scarce) {
  if (key == kNoMatch || tail == kNoMatch) return kNoMatch;
  const Hash128 hash = Hasher(kTagKey).Add(hashes_[key]).Add(is_scarce).Add(hashes_[tail]).Finish();
  Node n{Kind::kKey};
  n.a = key, n.b = is_scarce, n.c = tail, n.d = kNoMatch;
  return Intern(n, hash);
}

// Everything that follows from the entries' flags.
void ExprSet::SealMemberList(MemberList* list) const {
  const size_t n = list->entries.size();
  list->missing_from.assign(n + 1, 0);
  list->capacity_from.assign(n + 1, 0);
  list->needs_search = nodes_[list->separator].needs_search;
  list->has_rule = nodes_[list->separator].has_rule;
  for (size_t i = n; i-- > 0;) {
    const Entry& entry = list->entries[i];
    const Node& item = nodes_[entry.item];
    list->missing_from[i] = SaturatingAdd(list->missing_from[i + 1], entry.min);
    list->capacity_from[i] = SaturatingAdd(list->capacity_from[i + 1], item.productive || item.has_rule ? entry.max : 0);
    list->needs_search |= item.needs_search;
    list->has_rule |= item.has_rule;
    list->is_keyed |= item.kind == Kind::kKey || item.kind == Kind::kOr;
  }
}

// How often an entry from the position on has come.
uint32_t ExprSet::Taken(const MemberList& list, const MemberState& s, uint32_t entry) {
  if (entry < list.num_ordered) return entry == s.position ? s.count : 0;
  return s.counts.empty() ? 0 : s.counts[entry - list.num_ordered];
}

// How many members must still come, and how many may.
ExprSet::Tally ExprSet::TallyOf(const MemberList& list, const MemberState& s) const {
  const uint32_t n = static_cast<uint32_t>(list.entries.size());
  const uint32_t behind = s.counts.empty() ? s.position : n;
  Tally t{list.missing_from[behind], list.capacity_from[behind]};
  if (s.counts.empty() && s.position < list.num_ordered) {
    t.missing -= std::min(s.count, list.entries[s.position].min);
    if (t.capacity != kInfinite) t.capacity -= std::min(t.capacity, s.count);
  }
  for (uint32_t j = list.num_ordered; !s.counts.empty() && j < n; ++j) {
    const Entry& entry = list.entries[j];
    const uint32_t taken = s.counts[j - list.num_ordered];
    t.missing += entry.min - std::min(taken, entry.min);
    if (nodes_[entry.item].productive || nodes_[entry.item].has_rule)
      t.capacity = SaturatingAdd(t.capacity, entry.max == kInfinite ? kInfinite : entry.max - taken);
  }
  return t;
}

// `is_last_key`: a key comes before this end, and must still be compared with those that have come.
ExprId ExprSet::MakeMembersAt(uint32_t index, MemberState s, bool is_last_key) {
  const MemberList& list = lists_[index];
  auto& entries = list.entries;
  const uint32_t n = static_cast<uint32_t>(entries.size());
  if (s.position < list.num_ordered && entries[s.position].max == kInfinite) s.count = std::min(s.count, entries[s.position].min);
  while (s.position < list.num_ordered && s.count >= entries[s.position].max) ++s.position, s.count = 0;
  if (std::all_of(s.counts.begin(), s.counts.end(), [](uint32_t count) { return count == 0; })) s.counts.clear();
  if (list.high == kInfinite) s.total = std::min(s.total, list.low);
  const Tally tally = TallyOf(list, s);
  if (s.total + static_cast<uint64_t>(tally.missing) > list.high) return kNoMatch;
  if (s.total + static_cast<uint64_t>(tally.capacity) < list.low) return kNoMatch;
  if (!list.is_keyed) s.used = 0;
  if (s.position == n || s.total == list.high || tally.capacity == 0) {
    if (tally.missing) return kNoMatch;
    if (!s.used || (s.used > kVague && !is_last_key)) return kEmptyString;
  }
  Hasher h(kTagMembers);
  h.Add(list.hash).Add(static_cast<uint64_t>(s.position) << 32 | s.count).Add(static_cast<uint64_t>(s.total) << 1 | s.started);
  h.Add(used_[s.used].hash);
  for (uint32_t count : s.counts) h.Add(count);
  const Hash128 hash = h.Finish();
  size_t bucket;
  const ExprId known = Find(hash, &bucket);
  if (known != kInfinite) return known;
  Node node{Kind::kMembers};
  node.a = index;
  node.b = static_cast<uint32_t>(member_states_.size());
  member_states_.push_back(std::move(s));
  return Intern(node, hash);
}

bool ExprSet::MembersNullable(const Node& n) const {
  const MemberList& list = lists_[n.a];
  const MemberState& s = member_states_[n.b];
  return s.total >= list.low && TallyOf(list, s).missing == 0;
}

bool ExprSet::MembersProductive(const Node& n) const {
  const MemberList& list = lists_[n.a];
  const MemberState& s = member_states_[n.b];
  for (const auto& [entry, count] : MissingEntries(n))
    if (!nodes_[list.entries[entry].item].productive) return false;
  if (s.total >= list.low) return true;
  uint64_t capacity = 0;
  for (uint32_t j = s.position; j < list.entries.size(); ++j)
    if (nodes_[list.entries[j].item].productive) {
      const uint32_t taken = Taken(list, s, j);
      capacity += list.entries[j].max - (list.entries[j].max == kInfinite ? 0 : taken);
    }
  return s.total + capacity >= list.low;
}

std::vector<std::pair<uint32_t, uint32_t>> ExprSet::MissingEntries(const Node& n) const {
  const MemberList& list = lists_[n.a];
  const MemberState& s = member_states_[n.b];
  std::vector<std::pair<uint32_t, uint32_t>> missing;
  for (uint32_t j = s.position; j < list.entries.size(); ++j) {
    const uint32_t min = list.entries[j].min;
    const uint32_t taken = Taken(list, s, j);
    if (taken < min) missing.emplace_back(j, min - taken);
  }
  return missing;
}

// Each entry that may come next, and the state behind it; whether the counts can still be met there MakeMembersAt knows.
std::vector<std::pair<uint32_t, ExprSet::MemberState>> ExprSet::NextMembers(const MemberList& list, const MemberState& s) const {
  std::vector<std::pair<uint32_t, MemberState>> out;
  if (s.total == list.high) return out;
  auto total = [&](MemberState* next) {
    next->started = true;
    next->total = SaturatingAdd(s.total, 1);
    next->used = s.used;
  };
  uint32_t j = s.position;
  for (uint32_t count = s.count; j < list.num_ordered; ++j, count = 0) {
    MemberState next;
    next.position = j, next.count = count + 1;
    total(&next);
    out.emplace_back(j, std::move(next));
    if (count < list.entries[j].min) return out;
  }
  for (; j < list.entries.size(); ++j) {
    const uint32_t i = j - list.num_ordered, taken = Taken(list, s, j);
    if (taken >= list.entries[j].max) continue;
    MemberState next;
    next.position = list.num_ordered;
    next.counts = s.counts;
    next.counts.resize(list.entries.size() - list.num_ordered);
    next.counts[i] = list.entries[j].max == kInfinite ? std::min(taken + 1, list.entries[j].min) : taken + 1;
    total(&next);
    out.emplace_back(j, std::move(next));
  }
  return out;
}

// Members with the first of them opened.
ExprId ExprSet::ExpandMembers(ExprId e) {
  if (auto it = expanded_.find(e); it != expanded_.end()) return it->second;
  const Node n = nodes_[e];
  const bool started = member_states_[n.b].started;
  const uint32_t used = member_states_[n.b].used;
  const ExprId separator = lists_[n.a].separator;
  std::vector<ExprId> choices;
  for (auto& [entry, state] : NextMembers(lists_[n.a], member_states_[n.b])) {
    const ExprId next = MakeMembersAt(n.a, std::move(state), /*is_last_key=*/true);
    if (next != kNoMatch) choices.push_back(BindKeys(lists_[n.a].entries[entry].item, next, used));
  }
  ExprId result = MakeOr(std::move(choices));
  if (started) result = MakeConcat(separator, result);
  if (n.nullable) result = MakeOr({kEmptyString, result});
  expanded_.emplace(e, result);
  return result;
}

// item·next, where the keys of keyed entries are to be remembered and differ from those that have come.
ExprId ExprSet::BindKeys(ExprId item, ExprId next, uint32_t used) {
  const Node n = nodes_[item];
  if (n.kind == Kind::kOr) {
    std::vector<ExprId> parts = Alternatives(item);
    for (ExprId& part : parts) part = BindKeys(part, next, used);
    return MakeOr(std::move(parts));
  }
  if (n.kind != Kind::kKey || n.d != kNoMatch) return MakeConcat(item, next);
  if (n.b && used && used <= kVague) {  // which keys are left is not known here
    MemberState state = member_states_[nodes_[next].b];
    state.used = kVague;
    return MakeKey(n.a, 0, n.c, MakeMembersAt(nodes_[next].a, std::move(state)));
  }
  return MakeKey(n.b ? ExcludeUsed(n.a, used) : n.a, 0, n.c, next);
}

ExprId ExprSet::MakeKey(ExprId rest, uint32_t text, ExprId tail, ExprId next) {
  if (rest == kNoMatch) return kNoMatch;
  if (nodes_[next].kind != Kind::kMembers) return MakeConcat(rest, MakeConcat(tail, next));  // nobody will ask
  if (rest == kEmptyString) return FinishKey(text, tail, next);
  const Hash128 hash = Hasher(kTagKey).Add(hashes_[rest]).Add(texts_[text].hash).Add(hashes_[tail]).Add(hashes_[next]).Finish();
  Node n{Kind::kKey};
  n.a = rest, n.b = text, n.c = tail, n.d = next;
  return Intern(n, hash);
}

// What follows a whole key.
ExprId ExprSet::FinishKey(uint32_t text, ExprId tail, ExprId next) {
  if (next == kNoMatch) return tail;
  const Node n = nodes_[next];
  MemberState state = member_states_[n.b];
  if (IsUsed(state.used, text)) return kNoMatch;
  state.used = AddUsed(state.used, text);
  return MakeConcat(tail, MakeMembersAt(n.a, std::move(state)));
}

// Most masks do not depend on the keys that have come, so states that differ in nothing else share one. From a state
// with forgotten keys the walk is exact until one more key of such a list is whole (is_vague).
ExprId ExprSet::ForgetKeys(ExprId e) {
  if (!nodes_[e].has_used) return e;
  std::vector<ExprId> heads;
  ExprId result = kNoMatch;
  for (;; e = nodes_[e].b) {
    if (auto it = forgotten_.find(e); it != forgotten_.end()) {
      result = it->second;
      break;
    }
    if (!nodes_[e].has_used || nodes_[e].kind != Kind::kConcat) {
      result = ForgetKeysAt(e);
      break;
    }
    heads.push_back(e);
  }
  for (size_t i = heads.size(); i-- > 0;) {
    result = MakeConcat(ForgetKeysAt(nodes_[heads[i]].a), result);
    if (i) forgotten_.emplace(heads[i], result);  // the state itself is asked for once only
  }
  return result;
}

// Members behind a key that goes on or behind keys that came: which ones is not known any more.
ExprId ExprSet::ForgetMembers(ExprId e) {
  const Node n = nodes_[e];
  if (n.kind != Kind::kMembers) return e;
  MemberState state = member_states_[n.b];
  if (state.used != kVague) state.used = kForgotten;
  return MakeMembersAt(n.a, std::move(state));
}

ExprId ExprSet::ForgetOpenKey(ExprId e, const std::function<bool(const std::string&, ExprId)>& may_forget) {
  const Node n = nodes_[e];
  if (!n.in_key) return e;
  if (n.kind == Kind::kKey) {
    if (nodes_[n.d].kind != Kind::kMembers || MayCome(n)) return e;
    const std::string text = TextOf(n.b);
    if (text.empty() || text[0] == '-' || (text[0] >= '0' && text[0] <= '9')) return e;  // a decimal has many spellings
    const ExprId behind = MakeConcat(n.c, n.d);
    return may_forget(text, behind) ? MakeConcat(n.a, behind) : e;
  }
  if (n.kind == Kind::kConcat) return nodes_[n.a].in_key ? MakeConcat(ForgetOpenKey(n.a, may_forget), n.b) : e;
  if (n.kind != Kind::kOr) return e;
  std::vector<ExprId> parts = Alternatives(e);
  for (ExprId& part : parts) part = ForgetOpenKey(part, may_forget);
  return MakeOr(std::move(parts));
}

ExprId ExprSet::ForgetKeysAt(ExprId e) {
  const Node n = nodes_[e];
  if (!n.has_used) return e;
  if (auto it = forgotten_.find(e); it != forgotten_.end()) return it->second;
  if (n.kind == Kind::kKey) return MakeKey(n.a, 0, ForgetKeys(n.c), ForgetMembers(n.d));
  if (n.kind == Kind::kMembers) return ForgetMembers(e);
  if (n.kind != Kind::kOr) return e;
  std::vector<ExprId> parts = Alternatives(e);
  for (ExprId& part : parts) part = ForgetKeys(part);
  return MakeOr(std::move(parts));
}

uint32_t ExprSet::AddByte(uint32_t text, uint8_t byte) {
  auto [it, fresh] = text_ids_.try_emplace(static_cast<uint64_t>(text) << 8 | byte, static_cast<uint32_t>(texts_.size()));
  if (fresh) {
    const Text parent = texts_[text];
    texts_.push_back({text, parent.length + 1, byte, Hasher(kTagText).Add(parent.hash).Add(byte).Finish()});
  }
  return it->second;
}

uint32_t ExprSet::AddText(uint32_t text, std::string_view bytes) {
  for (char b : bytes) text = AddByte(text, static_cast<uint8_t>(b));
  return text;
}

std::string ExprSet::TextOf(uint32_t text) const {
  std::string out(texts_[text].length, '\0');
  for (size_t i = out.size(); i-- > 0; text = texts_[text].parent) out[i] = static_cast<char>(texts_[text].byte);
  return out;
}

uint32_t ExprSet::AddUsed(uint32_t used, uint32_t text) {
  if (used == kForgotten || used == kVague) return kVague;
  auto [it, fresh] = used_ids_.try_emplace(static_cast<uint64_t>(used) << 32 | text, static_cast<uint32_t>(used_.size()));
  if (!fresh) return it->second;
  used_.push_back({used, text, used_[used].size + 1, Hasher(kTagUsed).Add(used_[used].hash).Add(texts_[text].hash).Finish()});
  return it->second;
}

bool ExprSet::IsUsed(uint32_t used, uint32_t text) const {
  while (used > kVague && used_[used].text != text) used = used_[used].parent;
  return used > kVague;
}

uint32_t ExprSet::UsedBehind(const Node& key) const {
  const Node& n = nodes_[key.d];
  return n.kind == Kind::kMembers ? member_states_[n.b].used : 0;
}

// The bytes by which the key may become one that has come before, each a class of its own.
std::array<uint8_t, 256> ExprSet::NextBytesOfUsed(const Node& key) const {
  std::array<uint8_t, 256> map{};
  uint8_t number = 0;
  const uint32_t length = texts_[key.b].length;
  for (uint32_t used = UsedBehind(key); used > kVague; used = used_[used].parent) {
    uint32_t text = used_[used].text, next = text;
    for (; texts_[text].length > length; text = texts_[text].parent) next = text;
    if (text == key.b && next != text && !map[texts_[next].byte] && number < 255) map[texts_[next].byte] = ++number;
  }
  return map;
}

bool ExprSet::MayCome(const Node& key) const {
  for (uint32_t used = UsedBehind(key); used > kVague; used = used_[used].parent) {
    uint32_t text = used_[used].text;
    while (texts_[text].length > texts_[key.b].length) text = texts_[text].parent;
    if (text == key.b) return true;
  }
  return false;
}

bool ExprSet::HasCome(const Node& key, uint32_t text) const { return IsUsed(UsedBehind(key), text); }

// The texts of `key` that are not among the used ones. These stand in groups, the powers of two of their number, so
// that a key more costs few new automata.
ExprId ExprSet::ExcludeUsed(ExprId key, uint32_t used) {
  if (used == 0) return key;
  if (nodes_[key].kind == Kind::kOr) {
    std::vector<ExprId> parts = Alternatives(key);
    for (ExprId& part : parts) part = ExcludeUsed(part, used);
    return MakeOr(std::move(parts));
  }
  std::vector<ExprId> parts{key};
  for (uint32_t left = used_[used].size; left;) {
    const uint32_t group = left & (~left + 1);
    parts.push_back(MakeNot(SpellingsOf(used, group)));
    for (uint32_t i = 0; i < group; ++i) used = used_[used].parent;
    left -= group;
  }
  return MakeLexeme(MakeAnd(std::move(parts)));
}

namespace {

// The digits of a plain decimal without the zeros that change nothing; false for any other text.
bool SplitDecimal(std::string_view text, bool* negative, std::string_view* whole, std::string_view* fraction) {
  *negative = !text.empty() && text[0] == '-';
  text.remove_prefix(*negative);
  const size_t dot = text.find('.');
  *whole = text.substr(0, dot);
  *fraction = dot == std::string_view::npos ? std::string_view() : text.substr(dot + 1);
  auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (whole->empty() || !std::all_of(whole->begin(), whole->end(), is_digit)) return false;
  if (!std::all_of(fraction->begin(), fraction->end(), is_digit)) return false;
  while (!fraction->empty() && fraction->back() == '0') fraction->remove_suffix(1);
  return true;
}

}  // namespace

// Texts of scarce keys are equal where this is.
uint32_t ExprSet::ValueOf(uint32_t text) {
  const std::string spelling = TextOf(text);
  bool negative;
  std::string_view whole, fraction;
  if (!SplitDecimal(spelling, &negative, &whole, &fraction)) return text;
  std::string value = negative && !(whole == "0" && fraction.empty()) ? "-" : "";
  return AddText(0, value.append(whole).append(".").append(fraction));
}

// The last `count` keys of a list, in every spelling.
ExprId ExprSet::SpellingsOf(uint32_t used, uint32_t count) {
  const uint64_t memo = static_cast<uint64_t>(used) << 32 | count;
  if (auto it = spellings_.find(memo); it != spellings_.end()) return it->second;
  std::vector<std::string> texts;
  std::vector<ExprId> parts;
  for (uint32_t i = 0; i < count; ++i, used = used_[used].parent) {
    std::string text = TextOf(used_[used].text);
    bool negative;
    std::string_view whole, fraction;
    if (!SplitDecimal(text, &negative, &whole, &fraction)) {
      texts.push_back(std::move(text));
      continue;
    }
    const bool is_zero = whole == "0" && fraction.empty();
    const ExprId zeros = MakeRepeat(MakeLiteral("0"), fraction.empty() ? 1 : 0, kInfinite);
    const ExprId end = MakeConcat({MakeLiteral("."), MakeLiteral(fraction), zeros});
    const ExprId sign = is_zero ? MakeOr({kEmptyString, MakeLiteral("-")}) : MakeLiteral(negative ? "-" : "");
    parts.push_back(MakeConcat({sign, MakeLiteral(whole), fraction.empty() ? MakeOr({kEmptyString, end}) : end}));
  }
  std::vector<std::string_view> views(texts.begin(), texts.end());
  if (!views.empty()) parts.push_back(MakeTable(TableOfLiterals(std::move(views))));
  const ExprId result = MakeOr(std::move(parts));
  spellings_.emplace(memo, result);
  return result;
}

}  // namespace constrain
