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

void ExprSet::Seal() {
  if (sealed_) return;
  for (const Rule& rule : rules_)
    if (!rule.defined) throw ExpressionError("rule '" + rule.name + "' is used and never defined");
  sealed_ = true;  // searches below take derivatives of rule-free expressions
  const ExprId n = static_cast<ExprId>(nodes_.size());
  std::vector<ExprId> affected;
  for (ExprId e = 0; e < n; ++e)
    if (nodes_[e].has_rule || nodes_[e].needs_search) affected.push_back(e);
  // The direction alternates, so that chains of rules settle in few rounds whichever way they were written.
  for (bool changed = true, forward = true; changed; forward = !forward) {
    changed = false;
    for (MemberList& list : lists_) SealMemberList(&list);
    if (forward)
      for (ExprId e : affected) changed |= Resettle(e);
    else
      for (auto it = affected.rbegin(); it != affected.rend(); ++it) changed |= Resettle(*it);
  }
  for (ExprId e : affected)
    if (nodes_[e].has_rule) nodes_[e].alive = 0;
  rule_min_lengths_.clear();
  min_lengths_.clear();
  try {
    CheckLeftRecursion();
  } catch (...) {
    sealed_ = false;
    throw;
  }
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
