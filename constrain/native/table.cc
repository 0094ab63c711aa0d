#include "table.h"

#include <algorithm>
#include <unordered_map>

#include "error.h"

namespace constrain {

uint32_t Table::Move(uint32_t state, uint8_t byte) const {
  const Edge* low = edges.data() + first_edge[state];
  const Edge* high = edges.data() + first_edge[state + 1];
  const Edge* it = std::lower_bound(low, high, byte, [](const Edge& e, uint8_t b) { return e.byte < b; });
  return it != high && it->byte == byte ? it->target : kDead;
}

namespace {

// Shortest distance to acceptance by breadth-first search over reversed edges.
std::vector<uint32_t> ShortestToAcceptance(const Table& t) {
  const uint32_t n = t.num_states();
  std::vector<uint32_t> in_count(n + 1, 0), from(t.edges.size());
  for (const auto& e : t.edges) ++in_count[e.target + 1];
  for (uint32_t i = 0; i < n; ++i) in_count[i + 1] += in_count[i];
  std::vector<uint32_t> fill(in_count.begin(), in_count.end() - 1);
  for (uint32_t s = 0; s < n; ++s)
    for (uint32_t i = t.first_edge[s]; i < t.first_edge[s + 1]; ++i) from[fill[t.edges[i].target]++] = s;
  std::vector<uint32_t> distance(n, Table::kDead), queue;
  for (uint32_t s = 0; s < n; ++s)
    if (t.accepting[s]) distance[s] = 0, queue.push_back(s);
  for (size_t head = 0; head < queue.size(); ++head) {
    const uint32_t s = queue[head];
    for (uint32_t i = in_count[s]; i < in_count[s + 1]; ++i)
      if (distance[from[i]] == Table::kDead) distance[from[i]] = distance[s] + 1, queue.push_back(from[i]);
  }
  return distance;
}

Hash128 HashOf(const Table& t) {
  Hasher h(0x7AB1E);
  h.Add(t.start);
  for (uint32_t s = 0; s < t.num_states(); ++s) {
    h.Add(static_cast<uint64_t>(t.first_edge[s + 1] - t.first_edge[s]) << 1 | t.accepting[s]);
    for (uint32_t i = t.first_edge[s]; i < t.first_edge[s + 1]; ++i)
      h.Add(static_cast<uint64_t>(t.edges[i].byte) << 32 | t.edges[i].target);
  }
  return h.Finish();
}

// Hashes of what goes on from each state, so that automata which end alike share it. Behind no circle a state's hash is made
// of its targets'; a circle (a strongly connected component, Tarjan 1972) is numbered from one of its states, by preference
// that which most bytes lead back to itself: another choice in another table would only share less.
class StateHasher {
 public:
  explicit StateHasher(const Table& table) : t_(table), hashes_(table.num_states()), index_(table.num_states(), 0), low_(table.num_states(), 0), number_(table.num_states(), kOutside) {}

  std::vector<Hash128> Run() {
    for (uint32_t s = 0; s < t_.num_states(); ++s)
      if (!index_[s]) Search(s);
    return std::move(hashes_);
  }

 private:
  static constexpr uint32_t kOutside = 0xFFFFFFFF, kDone = 0xFFFFFFFF;

  void Search(uint32_t root) {
    std::vector<std::pair<uint32_t, uint32_t>> work{{root, t_.first_edge[root]}};
    Open(root);
    while (!work.empty()) {
      auto& [s, edge] = work.back();
      if (edge < t_.first_edge[s + 1]) {
        const uint32_t target = t_.edges[edge++].target;
        if (!index_[target]) Open(target), work.emplace_back(target, t_.first_edge[target]);
        else low_[s] = std::min(low_[s], index_[target]);
        continue;
      }
      const uint32_t done = s, low = low_[s];
      work.pop_back();
      if (!work.empty()) low_[work.back().first] = std::min(low_[work.back().first], low);
      if (low == index_[done]) Close(done);
    }
  }

  void Open(uint32_t s) {
    index_[s] = low_[s] = ++last_index_;
    stack_.push_back(s);
  }

  void Close(uint32_t first) {
    const size_t begin = static_cast<size_t>(std::find(stack_.rbegin(), stack_.rend(), first).base() - stack_.begin()) - 1;
    const std::vector<uint32_t> component(stack_.begin() + static_cast<ptrdiff_t>(begin), stack_.end());
    stack_.resize(begin);
    std::pair<uint32_t, uint32_t> best{0, 0};
    uint32_t root = first;
    for (uint32_t s : component) {
      index_[s] = kDone;
      const std::pair<uint32_t, uint32_t> rank{NumLoops(s), t_.first_edge[s + 1] - t_.first_edge[s]};
      if (rank > best) best = rank, root = s;
    }
    for (uint32_t s : component) number_[s] = kDone - 1;
    std::vector<uint32_t> order{root};
    number_[root] = 0;
    Hasher h(0x57A7E);
    for (size_t i = 0; i < order.size(); ++i) {
      h.Add(static_cast<uint64_t>(t_.first_edge[order[i] + 1] - t_.first_edge[order[i]]) << 1 | t_.accepting[order[i]]);
      for (uint32_t e = t_.first_edge[order[i]]; e < t_.first_edge[order[i] + 1]; ++e) {
        const auto [byte, target] = t_.edges[e];
        if (number_[target] == kDone - 1) number_[target] = static_cast<uint32_t>(order.size()), order.push_back(target);
        h.Add(static_cast<uint64_t>(byte) << 32 | number_[target]);
        if (number_[target] == kOutside) h.Add(hashes_[target]);
      }
    }
    const Hash128 whole = h.Finish();
    for (uint32_t s : component) hashes_[s] = Hasher(0x57A7E).Add(whole).Add(number_[s]).Finish();
    for (uint32_t s : component) number_[s] = kOutside;
  }

  uint32_t NumLoops(uint32_t s) const {
    uint32_t count = 0;
    for (uint32_t e = t_.first_edge[s]; e < t_.first_edge[s + 1]; ++e) count += t_.edges[e].target == s;
    return count;
  }

  const Table& t_;
  std::vector<Hash128> hashes_;
  std::vector<uint32_t> index_, low_, number_, stack_;  // number_: in the component being hashed
  uint32_t last_index_ = 0;
};

// Daciuk's register of finished states, bottom-up.
class LiteralBuilder {
 public:
  std::shared_ptr<Table> Build(const std::vector<std::string_view>& texts) {
    table_ = std::make_shared<Table>();
    table_->first_edge.push_back(0);
    path_.resize(1);
    std::string_view last;
    for (std::string_view text : texts) {
      size_t shared = 0;
      while (shared < last.size() && shared < text.size() && last[shared] == text[shared]) ++shared;
      Close(shared);
      for (size_t i = shared; i < text.size(); ++i) {
        if (path_.size() <= i + 1) path_.resize(i + 2);
        path_[i].edges.push_back({static_cast<uint8_t>(text[i]), Table::kDead});
        path_[i + 1].edges.clear();
        path_[i + 1].accepting = false;
        depth_ = i + 1;
      }
      path_[text.size()].accepting = true;
      last = text;
    }
    Close(0);
    table_->start = Register(path_[0]);
    return table_;
  }

 private:
  struct Open {
    std::vector<Table::Edge> edges;
    bool accepting = false;
  };

  void Close(size_t to) {
    for (; depth_ > to; --depth_) path_[depth_ - 1].edges.back().target = Register(path_[depth_]);
  }

  uint32_t Register(const Open& open) {
    Hasher h(open.accepting);
    for (const auto& e : open.edges) h.Add(static_cast<uint64_t>(e.byte) << 32 | e.target);
    auto [it, fresh] = register_.try_emplace(h.Finish(), table_->num_states());
    if (fresh) {
      table_->edges.insert(table_->edges.end(), open.edges.begin(), open.edges.end());
      table_->first_edge.push_back(static_cast<uint32_t>(table_->edges.size()));
      table_->accepting.push_back(open.accepting);
    }
    return it->second;
  }

  std::shared_ptr<Table> table_;
  std::vector<Open> path_;
  size_t depth_ = 0;
  std::unordered_map<Hash128, uint32_t, Hash128Hasher> register_;
};

}  // namespace

std::shared_ptr<const Table> TableOfLiterals(std::vector<std::string_view> texts) {
  if (texts.empty()) return nullptr;
  if (!std::is_sorted(texts.begin(), texts.end())) std::sort(texts.begin(), texts.end());
  auto table = LiteralBuilder().Build(texts);
  table->shortest = ShortestToAcceptance(*table);
  table->hash = HashOf(*table);
  return table;
}

std::shared_ptr<const Table> TableOfMoves(uint32_t num_states, uint32_t start, const std::vector<uint32_t>& accepting,
                                          std::vector<Move> moves) {
  Table raw;
  raw.start = start;
  raw.accepting.resize(num_states);
  if (start >= num_states) throw ExpressionError("table: the start state is out of range");
  for (uint32_t s : accepting) {
    if (s >= num_states) throw ExpressionError("table: an accepting state is out of range");
    raw.accepting[s] = true;
  }
  std::sort(moves.begin(), moves.end(),
            [](const Move& a, const Move& b) { return a.state != b.state ? a.state < b.state : a.byte < b.byte; });
  size_t i = 0;
  for (uint32_t s = 0; s < num_states; ++s) {
    raw.first_edge.push_back(static_cast<uint32_t>(raw.edges.size()));
    for (; i < moves.size() && moves[i].state == s; ++i) {
      if (moves[i].target >= num_states) throw ExpressionError("table: a target state is out of range");
      if (i && moves[i - 1].state == s && moves[i - 1].byte == moves[i].byte)
        throw ExpressionError("table: two moves of one state by the same byte");
      raw.edges.push_back({moves[i].byte, moves[i].target});
    }
  }
  if (i != moves.size()) throw ExpressionError("table: a move's state is out of range");
  raw.first_edge.push_back(static_cast<uint32_t>(raw.edges.size()));
  raw.shortest = ShortestToAcceptance(raw);
  if (raw.shortest[start] == Table::kDead) return nullptr;

  auto table = std::make_shared<Table>();
  std::vector<uint32_t> renumbered(num_states, Table::kDead);
  for (uint32_t s = 0, n = 0; s < num_states; ++s)
    if (raw.shortest[s] != Table::kDead) renumbered[s] = n++;
  for (uint32_t s = 0; s < num_states; ++s) {
    if (renumbered[s] == Table::kDead) continue;
    table->first_edge.push_back(static_cast<uint32_t>(table->edges.size()));
    for (uint32_t e = raw.first_edge[s]; e < raw.first_edge[s + 1]; ++e)
      if (renumbered[raw.edges[e].target] != Table::kDead)
        table->edges.push_back({raw.edges[e].byte, renumbered[raw.edges[e].target]});
    table->accepting.push_back(raw.accepting[s]);
    table->shortest.push_back(raw.shortest[s]);
  }
  table->first_edge.push_back(static_cast<uint32_t>(table->edges.size()));
  table->start = renumbered[start];
  table->hash = HashOf(*table);
  table->hashes = StateHasher(*table).Run();
  return table;
}

}  // namespace constrain
