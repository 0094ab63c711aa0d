// Masks: which tokens may come next in a state.
//
// A mask is one walk of the token trie by transitions. Where a walk would be long it is composed: most states look like
// "inside h, then T". Which tokens survive inside h, and at which trie nodes h may end, depends on h and the vocabulary
// alone, so it is computed once per process (`SharedMask`, keyed by h's content hash); what remains is to walk T from
// h's few exits. Where much lies below an exit (all words, behind a blank) T is composed there in its turn. Unions are masked
// part by part. A lexeme close to a known one is walked together with it, and subtrees where both are in the same state are
// skipped (the difference walk).
// Inside a Substring the walk goes by cursors, without a node for each place of the text that it meets.
// Every mask equals brute force bit for bit: tests/test_masks.py.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "expr.h"
#include "trie.h"

namespace constrain {

struct SharedMask {
  std::vector<uint32_t> words;       // bit i: token i ends inside h, alive
  std::vector<uint32_t> exits;       // trie nodes, the root excepted, at which h may end; ascending. None where nothing follows h
  // The children of the exits, grouped by their byte: what T may begin with there. Behind a greedy lexeme only those by
  // whose byte no longer lexeme goes on; where one does without having ended, the child is watched. The root is an exit too.
  std::vector<uint8_t> edge_bytes;   // distinct
  std::vector<uint32_t> edge_first;  // one more than edge_bytes
  std::vector<uint32_t> edge_nodes, watched_nodes;
  size_t MemoryBytes() const {
    return (words.size() + exits.size() + edge_first.size() + edge_nodes.size() + watched_nodes.size()) * 4 + 256;
  }
};

// One per vocabulary; the least recently used masks go first. Safe between threads.
class SharedMaskStore {
 public:
  std::shared_ptr<const SharedMask> Get(const Hash128& key);
  void Put(const Hash128& key, std::shared_ptr<const SharedMask> mask);

 private:
  static constexpr size_t kMaxBytes = 64u << 20;
  using Item = std::pair<Hash128, std::shared_ptr<const SharedMask>>;
  std::mutex mutex_;
  std::list<Item> recent_;
  std::unordered_map<Hash128, std::list<Item>::iterator, Hash128Hasher> items_;
  size_t bytes_ = 0;
};

// The tokens allowed in one state, as ids where they are few and as words otherwise. End tokens are not among them.
struct MaskParts {
  bool is_dense = false;
  std::vector<uint32_t> ids;
  std::vector<uint32_t> words;
};

class MaskBuilder {
 public:
  MaskBuilder(ExprSet* set, const TokenTrie* trie);

  // `closure`: kAnything where single bytes are tokens; else the language of all token sequences, and a token counts
  // as allowed only where the rest can be spelled too.
  void Build(ExprId state, ExprId closure, MaskParts* out);
  // Finds ahead of time what would take longest: inside a grammar's lexemes, and where parts of a long text begin. False where
  // there are no parts of a long text.
  bool Prepare();
  // May a token end a key that goes on in the state as one that has come before?
  bool KeyMatters(ExprId state);
  // Tokens of the last mask that reach beyond the end of a key that may have come before: each has to be stepped.
  const std::vector<uint32_t>& doubts() const { return doubts_; }

 private:
  static constexpr size_t kPlainNodes = 1500, kPlainNodesBelow = 100, kComposedNodes = 300, kMaxSparse = 128, kWide = 20000, kMaxPrepared = 120, kNoBound = ~size_t{0};
  static constexpr uint32_t kManyBytes = 16;
  static constexpr uint64_t kWithoutExits = 0xE817, kBelowNode = 0xBE10;

  template <typename F>
  bool WalkLive(uint32_t root, ExprId state, size_t max_nodes, F visit);
  template <typename F>
  bool WalkNodes(uint32_t first, uint32_t end, size_t* max_nodes, F& visit);
  bool Walk(uint32_t root, ExprId state, size_t max_nodes);
  bool WalkWithin(uint32_t root, ExprId state, size_t max_nodes);
  void WalkFrom(uint32_t node, ExprId state, bool in_doubt = false);
  void AddDoubt(int32_t token);
  void Visit(uint32_t index, const TrieNode& n, ExprId state);
  void WalkSpelled(ExprId state, ExprId closure);
  void PrepareGrammar();
  void PrepareLexeme(ExprId lexeme, std::unordered_set<ExprId>* seen);
  void PrepareBelow(uint32_t node, ExprId lexeme);
  uint32_t NumBytes(ExprId state, ExprId target = kNoMatch);
  void Add(ExprId e, uint32_t root);
  bool StaysAlive(ExprId greedy, ExprId tail);
  void Compose(ExprId head, ExprId tail, const SharedMask& shared, uint32_t root);
  void AddBelow(uint32_t node, ExprId state);
  void AddChildren(ExprId e, uint32_t root);
  void AddSubstring(ExprId e, ExprId head, ExprId tail);
  template <typename F>
  void WalkSubstring(uint32_t root, ExprId head, F visit);
  void WalkPart(uint32_t root, ExprId e);
  void AddKey(const Node& key, ExprId tail);
  std::vector<uint32_t> DeadNodes(const Node& key);
  // Without exits, which may be most nodes of the trie, for a head behind which nothing comes.
  std::shared_ptr<const SharedMask> Shared(ExprId head, bool only_known, bool has_exits = true, uint32_t root = 0);
  std::shared_ptr<const SharedMask> ComputeShared(ExprId head, bool has_exits, uint32_t root);
  void WalkShared(ExprId head, uint32_t root, SharedMask* out);
  void WalkDifference(ExprId head, ExprId base_state, const SharedMask& base, uint32_t root, SharedMask* out);
  void AddExit(uint32_t node, ExprId state, SharedMask* out);
  void AddEdges(uint32_t exit, ExprId state, SharedMask* out);
  void GroupEdges(SharedMask* out) const;
  void WalkWatched(uint32_t node, ExprId greedy, ExprId tail, uint32_t root);
  ExprId TruncateCounts(ExprId head);
  ExprId DifferenceBase(ExprId head);
  void AddToken(int32_t token) {
    for (; token >= 0; token = trie_->same_as(static_cast<uint32_t>(token))) found_.push_back(static_cast<uint32_t>(token));
  }
  void SetBits(std::vector<uint32_t>* words, int32_t token, bool on) const;

  ExprSet* set_;
  const TokenTrie* trie_;
  std::vector<ExprId> stack_, base_stack_;  // states by depth
  std::vector<Cursor> cursors_;             // the same inside a Substring
  std::vector<uint32_t> found_;             // tokens of the mask under construction
  std::vector<std::shared_ptr<const SharedMask>> parts_;
  std::vector<std::pair<ExprId, uint32_t>> todo_;  // states, and the trie nodes where they stand
  std::unordered_map<uint32_t, std::vector<std::pair<uint32_t, uint32_t>>> enders_;  // by prefix: whole key, trie node
  std::unordered_set<uint32_t> listed_, known_keys_;  // lists of used keys and keys that enders_ knows
  std::vector<uint32_t> doubts_;
  bool has_exits_ = true;   // does the mask under construction need them?
  uint32_t doubt_end_ = 0;  // the subtree in doubt ends here
  std::unordered_set<uint64_t> visited_;
  std::unordered_map<uint64_t, std::shared_ptr<const SharedMask>> shared_of_, last_of_;  // the latter without exits
};

}  // namespace constrain
