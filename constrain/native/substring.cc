#include "substring.h"

#include <algorithm>
#include <numeric>

#include "error.h"

namespace constrain {

namespace {

constexpr uint32_t kNone = 0xFFFFFFFF;

// Induced sorting. It calls itself on a string at most half as long, so at most 26 times for kMaxSymbols.
std::vector<int> SuffixArray(const std::vector<int>& s, int upper) {
  const int n = static_cast<int>(s.size());
  if (n == 0) return {};
  if (n == 1) return {0};
  std::vector<int> sa(n), sum_l(upper + 1), sum_s(upper + 1);
  std::vector<bool> is_s(n);
  for (int i = n - 2; i >= 0; --i) is_s[i] = s[i] == s[i + 1] ? is_s[i + 1] : s[i] < s[i + 1];
  for (int i = 0; i < n; ++i) {
    if (!is_s[i]) ++sum_s[s[i]];
    else if (s[i] < upper) ++sum_l[s[i] + 1];
  }
  for (int i = 0; i <= upper; ++i) {
    sum_s[i] += sum_l[i];
    if (i < upper) sum_l[i + 1] += sum_s[i];
  }
  std::vector<int> fill;
  auto induce = [&](const std::vector<int>& lms) {
    std::fill(sa.begin(), sa.end(), -1);
    fill = sum_s;
    for (int d : lms)
      if (d != n) sa[fill[s[d]]++] = d;
    fill = sum_l;
    sa[fill[s[n - 1]]++] = n - 1;
    for (int i = 0; i < n; ++i) {
      const int v = sa[i];
      if (v >= 1 && !is_s[v - 1]) sa[fill[s[v - 1]]++] = v - 1;
    }
    fill = sum_l;
    for (int i = n - 1; i >= 0; --i) {
      const int v = sa[i];
      if (v >= 1 && is_s[v - 1]) sa[--fill[s[v - 1] + 1]] = v - 1;
    }
  };
  sum_l.push_back(n);  // the end of the last bucket
  std::vector<int> lms_number(n + 1, -1), lms;
  for (int i = 1; i < n; ++i)
    if (!is_s[i - 1] && is_s[i]) lms_number[i] = static_cast<int>(lms.size()), lms.push_back(i);
  induce(lms);
  const int m = static_cast<int>(lms.size());
  if (m == 0) return sa;
  std::vector<int> sorted;
  sorted.reserve(m);
  for (int v : sa)
    if (v >= 0 && lms_number[v] != -1) sorted.push_back(v);
  std::vector<int> reduced(m);
  int last = 0;
  for (int i = 1; i < m; ++i) {
    int l = sorted[i - 1], r = sorted[i];
    const int end_l = lms_number[l] + 1 < m ? lms[lms_number[l] + 1] : n;
    const int end_r = lms_number[r] + 1 < m ? lms[lms_number[r] + 1] : n;
    bool same = end_l - l == end_r - r;
    if (same) {
      while (l < end_l && s[l] == s[r]) ++l, ++r;
      same = l != n && r != n && s[l] == s[r];
    }
    if (!same) ++last;
    reduced[lms_number[sorted[i]]] = last;
  }
  const std::vector<int> order = SuffixArray(reduced, last);
  for (int i = 0; i < m; ++i) sorted[i] = lms[order[i]];
  induce(sorted);
  return sa;
}

}  // namespace

Substring::Substring(SubstringSource source) : symbols_(std::move(source.symbols)), run_symbol_(source.run_symbol) {
  const size_t n = symbols_.size();
  if (n > kMaxSymbols) throw LimitError("max_context_symbols", n, kMaxSymbols);
  if (source.starts.size() != n || source.ends.size() != n + 1 || source.counts.size() != n + 1 || (n && symbols_[n - 1] != 0))
    throw ExpressionError("substring: symbols, starts, ends and counts do not fit together");
  BuildUnits(std::move(source.units));
  ends_.assign(source.ends.begin(), source.ends.end());
  FindReaches(source);
  source = {};  // 1 MB of text is not to take 200
  BuildTree(BuildOrder());
  SettleTree();
  FindFirstEnds();
  hash_ = ContentHash();
}

void Substring::BuildUnits(std::vector<std::pair<std::string, std::vector<uint32_t>>> units) {
  std::sort(units.begin(), units.end());
  uint32_t num_symbols = 1;
  for (uint32_t x : symbols_) num_symbols = std::max(num_symbols, x + 1);
  std::vector<uint32_t> cheapest(num_symbols, 4);
  spell_.emplace_back();
  first_unit_of_.assign(num_symbols + 1, 0);
  for (uint32_t u = 0; u < units.size(); ++u) {
    const auto& [bytes, symbols] = units[u];
    if (bytes.empty() || symbols.empty()) throw ExpressionError("substring: a unit without bytes or symbols");
    for (uint32_t x : symbols)
      if (x == 0 || x >= num_symbols) throw ExpressionError("substring: a unit's symbol is not in the text");
    const bool is_run = run_symbol_ && symbols.size() == 1 && symbols[0] == run_symbol_;
    if (symbols.size() == 1) cheapest[symbols[0]] = std::min<uint32_t>(cheapest[symbols[0]], bytes.size());
    int32_t at = 0;
    for (size_t i = 0;; ++i) {
      if (spell_[at].end_unit == 0) spell_[at].first_unit = u, spell_[at].depth = static_cast<uint32_t>(i);
      spell_[at].end_unit = u + 1;
      spell_[at].has_run |= is_run;
      const uint8_t byte = static_cast<uint8_t>(bytes[i]);
      const int32_t next = spell_[at].next[byte];
      if (next < 0 || (next && i + 1 == bytes.size())) throw ExpressionError("substring: a unit is a prefix of another");
      if (i + 1 == bytes.size()) {
        spell_[at].next[byte] = ~static_cast<int32_t>(u);
        break;
      }
      if (!next) {
        spell_[at].next[byte] = static_cast<int32_t>(spell_.size());
        at = static_cast<int32_t>(spell_.size());
        spell_.emplace_back();
      } else {
        at = next;
      }
    }
    units_.push_back({static_cast<uint32_t>(unit_symbols_.size()), static_cast<uint32_t>(symbols.size()), static_cast<uint32_t>(bytes.size()), is_run});
    unit_symbols_.insert(unit_symbols_.end(), symbols.begin(), symbols.end());
    ++first_unit_of_[symbols[0] + 1];
  }
  std::partial_sum(first_unit_of_.begin(), first_unit_of_.end(), first_unit_of_.begin());
  units_of_.resize(units_.size());
  std::vector<uint32_t> fill(first_unit_of_);
  for (uint32_t u = 0; u < units_.size(); ++u) units_of_[fill[unit_symbols_[units_[u].first]]++] = u;
  costs_.assign(symbols_.size() + 1, 0);
  for (size_t i = 0; i < symbols_.size(); ++i) costs_[i + 1] = costs_[i] + (symbols_[i] ? cheapest[symbols_[i]] : 0);
}

// For each start the shortest and the longest part that may begin there, in symbols; 0: none. Ends and counts only grow
// along a source, so three places move along with the start.
void Substring::FindReaches(const SubstringSource& source) {
  const uint32_t n = static_cast<uint32_t>(symbols_.size());
  shortest_.assign(n, 0), longest_.assign(n, 0);
  std::vector<uint32_t> next_end(n + 2, kNone), last_end(n + 1, kNone);
  for (uint32_t p = n + 1; p-- > 0;) next_end[p] = ends_[p] ? p : next_end[p + 1];
  for (uint32_t p = 0; p <= n; ++p) last_end[p] = ends_[p] ? p : p ? last_end[p - 1] : kNone;
  const auto& counts = source.counts;
  uint32_t low = 0, high = 0, source_end = 0;
  for (uint32_t p = 0; p < n; ++p) {
    if (p > source_end || symbols_[p] == 0) source_end = p;
    while (symbols_[source_end] != 0) ++source_end;
    if (!source.starts[p] || symbols_[p] == 0) continue;
    low = std::max(low, p + 1), high = std::max(high, p);
    while (low < source_end && counts[low] - counts[p] < source.min_count) ++low;
    while (high < source_end && counts[high + 1] - counts[p] <= source.max_count) ++high;
    high = std::min(high, source_end);
    const uint32_t first = next_end[low], last = last_end[high];
    if (first > source_end || last == kNone || last < first || counts[first] - counts[p] < source.min_count) continue;
    shortest_[p] = first - p, longest_[p] = last - p;
  }
}

// Sorts the starts that have parts; common[i]: the common prefix of the i-th with the one before it, within a source.
std::vector<uint32_t> Substring::BuildOrder() {
  const int n = static_cast<int>(symbols_.size());
  std::vector<int> text(symbols_.begin(), symbols_.end());
  const std::vector<int> all = SuffixArray(text, n ? *std::max_element(text.begin(), text.end()) : 0);
  std::vector<int>().swap(text);
  std::vector<uint32_t> rank(n), common(n);
  for (int i = 0; i < n; ++i) rank[all[i]] = static_cast<uint32_t>(i);
  for (uint32_t p = 0, h = 0; p < static_cast<uint32_t>(n); ++p) {
    if (h) --h;
    if (rank[p] == 0) {
      h = 0;
      continue;
    }
    for (uint32_t q = static_cast<uint32_t>(all[rank[p] - 1]); symbols_[p + h] && symbols_[p + h] == symbols_[q + h];) ++h;
    common[rank[p]] = h;
  }
  std::vector<uint32_t> kept, shortest, longest;
  uint32_t least = kNone;
  for (int i = 0; i < n; ++i) {
    least = std::min(least, common[i]);
    const uint32_t p = static_cast<uint32_t>(all[i]);
    if (longest_[p] == 0) continue;
    kept.push_back(order_.empty() ? 0 : least);
    least = kNone;
    order_.push_back(p);
    shortest.push_back(shortest_[p]);
    longest.push_back(longest_[p]);
  }
  shortest_.swap(shortest), longest_.swap(longest);
  least_ = shortest_.empty() ? 0 : *std::min_element(shortest_.begin(), shortest_.end());
  return kept;
}

// The tree of all common prefixes by one pass with a stack, then its nodes breadth first.
void Substring::BuildTree(const std::vector<uint32_t>& common) {
  struct Raw {
    uint32_t low, high, depth, first = kNone, last = kNone, next = kNone;
  };
  std::vector<uint32_t> to_end(symbols_.size() + 1, 0);
  for (size_t p = symbols_.size(); p-- > 0;) to_end[p] = symbols_[p] ? to_end[p + 1] + 1 : 0;
  const uint32_t m = static_cast<uint32_t>(order_.size());
  std::vector<Raw> raw;
  raw.reserve(2 * static_cast<size_t>(m) + 1);
  raw.push_back({0, m, 0});
  std::vector<uint32_t> stack{0};
  auto adopt = [&](uint32_t parent, uint32_t child) {
    if (raw[parent].first == kNone) raw[parent].first = child;
    else raw[raw[parent].last].next = child;
    raw[parent].last = child;
  };
  for (uint32_t i = 0; i <= m; ++i) {
    const uint32_t depth = i < m ? common[i] : 0;
    while (raw[stack.back()].depth > depth) {
      const uint32_t child = stack.back();
      stack.pop_back();
      raw[child].high = i;
      if (raw[stack.back()].depth < depth) {
        raw.push_back({raw[child].low, 0, depth});
        stack.push_back(static_cast<uint32_t>(raw.size() - 1));
      }
      adopt(stack.back(), child);
    }
    if (i == m || to_end[order_[i]] == depth) continue;
    raw.push_back({i, 0, to_end[order_[i]]});
    stack.push_back(static_cast<uint32_t>(raw.size() - 1));
  }
  std::vector<uint32_t>().swap(to_end);
  std::vector<uint32_t> queue{0};
  queue.reserve(raw.size());
  nodes_.reserve(raw.size() + 1);
  node_symbols_.reserve(raw.size());
  node_symbols_.push_back(0);
  for (size_t head = 0; head < queue.size(); ++head) {
    const Raw& r = raw[queue[head]];
    nodes_.push_back({r.low, r.high, r.depth, r.low < m ? order_[r.low] : 0, static_cast<uint32_t>(queue.size()), 0, 0});
    for (uint32_t c = r.first; c != kNone; c = raw[c].next) {
      queue.push_back(c);
      node_symbols_.push_back(symbols_[order_[raw[c].low] + r.depth]);
    }
  }
  nodes_.push_back({0, 0, 0, 0, static_cast<uint32_t>(queue.size()), 0, 0});
}

void Substring::SettleTree() {
  for (size_t i = nodes_.size() - 1; i-- > 0;) {
    TreeNode& node = nodes_[i];
    const uint32_t first = node.first_child, end = nodes_[i + 1].first_child;
    for (uint32_t c = first; c < end; ++c) node.reach = std::max(node.reach, nodes_[c].reach);
    const uint32_t own_end = first < end ? nodes_[first].low : node.high;
    for (uint32_t k = node.low; k < own_end; ++k) node.reach = std::max(node.reach, longest_[k]);
  }
}

// The nearest end behind the symbol that leads to a node, so that `IsEnd` need not look at all that occurs there. The work
// is bounded; what remains, the rarest, keeps 0.
void Substring::FindFirstEnds() {
  size_t budget = 12 * symbols_.size();
  for (size_t i = 0; i + 1 < nodes_.size(); ++i) {
    for (uint32_t c = nodes_[i].first_child; c < nodes_[i + 1].first_child; ++c) {
      TreeNode& node = nodes_[c];
      const uint32_t least = std::max(nodes_[i].depth + 1, least_);
      uint32_t best = kNone;
      for (uint32_t k = node.low; k < node.high && best > least && node.reach >= least; ++k) {
        if (budget-- == 0) return;
        if (longest_[k] < least) continue;
        uint32_t depth = std::max(least, shortest_[k]);
        for (; depth < best && !ends_[order_[k] + depth]; ++depth)  // longest_[k] is an end
          if (budget-- == 0) return;
        best = std::min(best, depth);
      }
      node.first_end = best;
    }
  }
}

Hash128 Substring::ContentHash() const {
  Hasher h(0x5AB);
  auto add = [&h](const std::vector<uint32_t>& v) {
    h.Add(std::string_view(reinterpret_cast<const char*>(v.data()), v.size() * sizeof(uint32_t)));
  };
  add(symbols_), add(order_), add(shortest_), add(longest_), add(unit_symbols_);
  for (size_t i = 0; i < ends_.size(); ++i)
    if (ends_[i]) h.Add(i);
  for (const SpellNode& node : spell_)
    for (uint32_t b = 0; b < 256; ++b)
      if (node.next[b]) h.Add(static_cast<uint64_t>(b) << 32 | static_cast<uint32_t>(node.next[b]));
  for (const Unit& unit : units_) h.Add(unit.first);
  return h.Add(run_symbol_).Finish();
}

size_t Substring::MemoryBytes() const {
  return (symbols_.capacity() + order_.capacity() + shortest_.capacity() + longest_.capacity() + costs_.capacity() + node_symbols_.capacity()) * 4 +
         nodes_.capacity() * sizeof(TreeNode) + spell_.capacity() * sizeof(SpellNode) + units_.capacity() * (sizeof(Unit) + 12);
}

bool Substring::Advance(Cursor* c, uint32_t symbol) const {
  const TreeNode* node = &nodes_[c->node];
  if (c->depth < node->depth) {
    if (symbols_[node->place + c->depth] != symbol) return false;
  } else {
    const uint32_t* low = node_symbols_.data() + node->first_child;
    const uint32_t* high = node_symbols_.data() + nodes_[c->node + 1].first_child;
    const uint32_t* it = std::lower_bound(low, high, symbol);
    if (it == high || *it != symbol) return false;
    c->node = static_cast<uint32_t>(it - node_symbols_.data());
  }
  return ++c->depth <= nodes_[c->node].reach;
}

// Where a run goes on a further unit of it changes nothing but its length.
bool Substring::Apply(const Unit& unit, Cursor* c) const {
  c->spell = 0;
  if (unit.is_run && c->run) return ++c->run <= kMaxRun;
  c->run = unit.is_run;
  for (uint32_t i = 0; i < unit.count; ++i)
    if (!Advance(c, unit_symbols_[unit.first + i])) return false;
  return true;
}

// f(unit, where it leads) for the units that begin with the bytes of `spell` and fit, until it says true.
template <typename F>
bool Substring::AnyUnit(const Cursor& c, uint32_t spell, F f) const {
  const SpellNode& bytes = spell_[spell];
  auto fits = [&](uint32_t u) {
    Cursor to = c;
    return Apply(units_[u], &to) && f(units_[u], to);
  };
  if (c.run && bytes.has_run)
    for (uint32_t i = first_unit_of_[run_symbol_]; i < first_unit_of_[run_symbol_ + 1]; ++i)
      if (units_of_[i] >= bytes.first_unit && units_of_[i] < bytes.end_unit && units_[units_of_[i]].is_run && fits(units_of_[i])) return true;
  auto any_of_symbol = [&](uint32_t symbol) {
    auto end = units_of_.begin() + first_unit_of_[symbol + 1];
    auto it = std::lower_bound(units_of_.begin() + first_unit_of_[symbol], end, bytes.first_unit);
    for (; it != end && *it < bytes.end_unit; ++it)
      if (fits(*it)) return true;
    return false;
  };
  const TreeNode& node = nodes_[c.node];
  if (c.depth < node.depth) return any_of_symbol(symbols_[node.place + c.depth]);
  const uint32_t end = nodes_[c.node + 1].first_child;
  if (end - node.first_child <= bytes.end_unit - bytes.first_unit) {
    for (uint32_t i = node.first_child; i < end; ++i)
      if (any_of_symbol(node_symbols_[i])) return true;
    return false;
  }
  for (uint32_t u = bytes.first_unit; u < bytes.end_unit; ++u)
    if (fits(u)) return true;
  return false;
}

bool Substring::Move(const Cursor& from, uint8_t byte, Cursor* to) const {
  const int32_t next = spell_[from.spell].next[byte];
  if (next == 0) return false;
  *to = from;
  if (next < 0) return Apply(units_[~next], to);
  to->spell = static_cast<uint32_t>(next);
  return AnyUnit(from, to->spell, [](const Unit&, const Cursor&) { return true; });
}

bool Substring::IsEnd(const Cursor& c) const {
  if (c.spell || c.depth < least_ || c.depth == 0) return false;
  const TreeNode& node = nodes_[c.node];
  if (c.depth <= node.first_end) return c.depth == node.first_end;
  for (uint32_t i = node.low; i < node.high; ++i)
    if (shortest_[i] <= c.depth && c.depth <= longest_[i] && ends_[order_[i] + c.depth]) return true;
  return false;
}

uint32_t Substring::MinLengthAtUnit(const Cursor& c) const {
  const TreeNode& node = nodes_[c.node];
  uint32_t best = kNone;
  for (uint32_t i = node.low; i < node.high && best; ++i) {
    if (longest_[i] < c.depth) continue;
    uint32_t end = order_[i] + std::max(c.depth, shortest_[i]);
    while (!ends_[end]) ++end;  // longest_[i] is one
    best = std::min(best, costs_[end] - costs_[order_[i] + c.depth]);
  }
  return best;
}

uint32_t Substring::MinLength(const Cursor& c) const {
  if (!c.spell) return MinLengthAtUnit(c);
  uint32_t best = kNone;
  const uint32_t have = spell_[c.spell].depth;
  AnyUnit(c, c.spell, [&](const Unit& unit, const Cursor& to) {
    best = std::min(best, unit.length - have + MinLengthAtUnit(to));
    return false;
  });
  return best;
}

}  // namespace constrain
