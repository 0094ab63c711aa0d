// Settling rules: nullability and productivity are least fixpoints over the rule table, found once all rules are
// defined. Left recursion is refused here, by name.
#include <algorithm>

#include "expr.h"

namespace constrain {

// Recomputes the flags of one node; true where they changed.
bool ExprSet::Resettle(ExprId e) {
  Node fresh = nodes_[e];
  SetFlags(&fresh);
  // An intersection without rules is searched now, because rules around it inherit the answer.
  const bool is_search = (fresh.kind == Kind::kAnd || (fresh.kind == Kind::kNot && e != kAnything)) && !fresh.has_rule;
  if (is_search && !fresh.nullable) fresh.productive = IsAlive(e);
  if (e == kAnything) fresh.needs_search = false;
  fresh.alive = nodes_[e].alive;
  const bool changed = fresh.nullable != nodes_[e].nullable || fresh.productive != nodes_[e].productive ||
                       fresh.needs_search != nodes_[e].needs_search;
  nodes_[e] = fresh;
  return changed;
}

// By part, the expressions of `whole` that are made of it.
ExprSet::Users ExprSet::UsersOf(const std::vector<ExprId>& whole) const {
  std::vector<std::pair<ExprId, ExprId>> edges;  // part, user
  std::vector<ExprId> parts;
  for (ExprId e : whole) {
    parts.clear();
    AddParts(e, &parts);
    for (ExprId part : parts) edges.emplace_back(part, e);
  }
  std::sort(edges.begin(), edges.end());
  edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
  Users users;
  users.first.assign(nodes_.size() + 1, 0);
  for (const auto& [part, user] : edges) ++users.first[part + 1], users.list.push_back(user);
  for (size_t i = 1; i < users.first.size(); ++i) users.first[i] += users.first[i - 1];
  return users;
}

// From the parts to their users until nothing changes. A flag is raised once, so each is looked at a few times; only
// where a complement depends on itself flags could go up and down for ever.
void ExprSet::SettleFlags(const std::vector<ExprId>& affected) {
  constexpr size_t kMostTimes = 64;
  const Users users = UsersOf(affected);
  std::vector<ExprId> queue = affected;
  std::vector<bool> is_queued(nodes_.size());
  for (ExprId e : affected) is_queued[e] = true;
  const size_t most = kMostTimes * (affected.size() + users.list.size());
  for (size_t head = 0; head < queue.size(); ++head) {
    const ExprId e = queue[head];
    is_queued[e] = false;
    if (head > most) throw ExpressionError("rules: a complement depends on itself");
    const Node before = nodes_[e];
    if (before.kind == Kind::kMembers) SealMemberList(&lists_[before.a]);
    if (!Resettle(e)) continue;
    const Node now = nodes_[e];
    const bool only_raised = now.nullable >= before.nullable && now.productive >= before.productive && now.needs_search >= before.needs_search;
    for (uint32_t i = users.first[e]; i < users.first[e + 1]; ++i) {
      const Node& user = nodes_[users.list[i]];
      const bool has_all = user.nullable >= now.nullable && user.productive >= now.productive && user.needs_search >= now.needs_search;
      if (is_queued[users.list[i]] || (user.kind == Kind::kOr && only_raised && has_all)) continue;
      is_queued[users.list[i]] = true;
      queue.push_back(users.list[i]);
    }
  }
}

void ExprSet::Seal() {
  if (sealed_) return;
  for (const Rule& rule : rules_)
    if (!rule.defined) throw ExpressionError("rule '" + rule.name + "' is used and never defined");
  sealed_ = true;  // searches below take derivatives of rule-free expressions
  const ExprId n = static_cast<ExprId>(nodes_.size());
  std::vector<ExprId> affected;
  for (ExprId e = 0; e < n; ++e)
    if (nodes_[e].has_rule || nodes_[e].needs_search) affected.push_back(e);
  try {
    SettleFlags(affected);
    CheckLeftRecursion();
  } catch (...) {
    sealed_ = false;
    throw;
  }
  for (ExprId e : affected)
    if (nodes_[e].has_rule) nodes_[e].alive = 0;
  rule_min_lengths_.clear();
  min_lengths_.clear();
}

// The expressions that e may enter before it consumes a byte.
void ExprSet::HeadEdges(ExprId e, std::vector<ExprId>* out) const {
  out->clear();
  const Node& n = nodes_[e];
  switch (n.kind) {
    case Kind::kConcat:
      out->push_back(n.a);
      if (nodes_[n.a].nullable) out->push_back(n.b);
      break;
    case Kind::kOr:
    case Kind::kAnd: out->assign(children_.begin() + n.a, children_.begin() + n.a + n.b); break;
    case Kind::kNot:
    case Kind::kRepeat:
    case Kind::kLexeme:
    case Kind::kBody: out->push_back(n.a); break;
    case Kind::kRule: out->push_back(rules_[n.a].body); break;
    case Kind::kMembers: {
      const MemberList& list = lists_[n.a];
      const MemberState& state = member_states_[n.b];
      if (state.started) out->push_back(list.separator);
      if (!state.started || nodes_[list.separator].nullable)
        for (const Entry& entry : list.entries) out->push_back(entry.item);
      break;
    }
    case Kind::kKey:
      out->push_back(n.a);
      if (nodes_[n.a].nullable) out->push_back(n.c);
      if (nodes_[n.a].nullable && nodes_[n.c].nullable) out->push_back(n.d);
      break;
    default: break;
  }
}

void ExprSet::CheckLeftRecursion() const {
  struct Frame {
    ExprId e;
    size_t next;
    std::vector<ExprId> edges;
  };
  std::vector<uint8_t> colour(nodes_.size(), 0);  // 0 new, 1 open, 2 done
  for (const Rule& rule : rules_) {
    if (colour[rule.node]) continue;
    std::vector<Frame> stack;
    auto open = [&](ExprId e) {
      colour[e] = 1;
      stack.push_back({e, 0, {}});
      HeadEdges(e, &stack.back().edges);
    };
    open(rule.node);
    while (!stack.empty()) {
      Frame& top = stack.back();
      if (top.next == top.edges.size()) {
        colour[top.e] = 2;
        stack.pop_back();
        continue;
      }
      const ExprId x = top.edges[top.next++];
      if (colour[x] == 1) {
        std::string name;
        for (size_t i = stack.size(); i-- > 0 && name.empty();)
          if (nodes_[stack[i].e].kind == Kind::kRule) name = rules_[nodes_[stack[i].e].a].name;
        throw ExpressionError("left recursion: rule '" + name + "' begins with itself");
      }
      if (colour[x] == 0) open(x);
    }
  }
}

}  // namespace constrain
