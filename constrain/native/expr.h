// The algebra of languages over bytes: interned expressions, their derivatives, and the lazy automaton that these form.
//
// An expression is an integer in an ExprSet; equal expressions have equal integers. A state is an expression, a
// transition is a derivative, and both are memoised in rows compressed by byte classes, so an ExprSet *is* a lazy
// automaton. The right spine of Concat is the parser's stack.
//
// Sources: Brzozowski 1964; Owens, Reppy, Turon 2009 (derivatives, byte classes); Might, Darais, Spiewak 2011 (rules).
// Invariants: children have smaller ids than their parents (only rules point forward); nodes are made by the smart
// constructors alone (simplify.cc); nothing here recurses over its input: recursion is cut at kMaxDepth and resumed
// from a list of pending work. Held by tests/test_algebra.py.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "byteclass.h"
#include "byteset.h"
#include "error.h"
#include "substring.h"
#include "table.h"

namespace constrain {

using ExprId = uint32_t;
constexpr ExprId kNoMatch = 0, kEmptyString = 1, kAnything = 2;
constexpr uint32_t kInfinite = 0xFFFFFFFF;

enum class Kind : uint8_t { kNoMatch, kEmptyString, kByteSet, kConcat, kOr, kAnd, kNot, kRepeat, kRule, kLexeme, kBody, kMembers, kKey, kTable, kSubstring, kGreedy };

struct Node {
  Kind kind;
  bool nullable = false;      // matches the empty string
  bool productive = false;    // false: certainly empty
  bool needs_search = false;  // holds And or Not, hence may be empty without showing it
  bool has_rule = false;      // not regular as it stands
  bool in_key = false;        // a key goes on here whose text is remembered: a state of its own for each byte
  bool has_used = false;      // keys that have come are remembered here
  bool is_vague = false;      // keys were forgotten, and one has come since: what follows may be too much
  bool ends_greedy = false;   // a greedy lexeme may end here, so what follows has to be seen beside it
  bool has_greedy = false;    // holds a greedy lexeme that what follows would stand beside
  bool may_block = false;     // holds a greedy lexeme behind which perhaps nothing fits
  bool blocks_once_begun = false;  // holds one that may be left out, which would be such a lexeme once begun
  uint8_t alive = 0;          // memo of IsAlive: 0 unknown, 1 alive, 2 dead
  uint32_t a = 0, b = 0, c = 0, d = 0;
  // ByteSet: a = set.  Concat: a, b.  Or, And: children_[a .. a + b).  Not, Lexeme: a.  Body: a, label b.
  // Repeat: a, min b, max c.  Rule: a = rule.  Members: list a, state b.  Table: table a, state b.
  // Substring: text d >> 5, cursor: node a, depth b, spell c, run d & 31.
  // Greedy: texts a, texts that it must not be the beginning of b, Blocking c.
  // Key: rest of the key a, its text so far b, tail c, members behind it d (kNoMatch: a template, b: is it scarce?).
};

// Does something always fit behind a greedy lexeme? Where it does not, what may do without the lexeme is alive till it begins.
enum Blocking : uint32_t { kNeverBlocks, kMayBlock, kMayBlockOnceBegun };

struct Entry {
  ExprId item;
  uint32_t min, max;
};

class ExprSet {
 public:
  ExprSet();
  ExprSet(const ExprSet& other);  // the whole set, rows included; ids stay what they were

  // Smart constructors: simplify.cc.
  ExprId MakeByteSet(const ByteSet& set);
  ExprId MakeLiteral(std::string_view text);
  ExprId MakeConcat(ExprId x, ExprId y);
  ExprId MakeConcat(const std::vector<ExprId>& parts);
  ExprId MakeOr(std::vector<ExprId> parts);
  ExprId MakeAnd(std::vector<ExprId> parts);
  ExprId MakeNot(ExprId x);
  ExprId MakeRepeat(ExprId x, uint32_t min, uint32_t max);
  ExprId MakeLexeme(ExprId x);
  ExprId MakeFenced(ExprId x) { return nodes_[x].has_greedy ? MakeLexeme(x) : x; }  // what follows stands behind a fence
  // A text of x behind which the text goes on so that no longer one of `munch` (x itself, or more) stands there:
  // a lexer's maximal munch. See derivative.cc.
  ExprId MakeGreedy(ExprId x, ExprId munch, Blocking blocking);
  ExprId MakeBody(ExprId x, std::string_view label);
  ExprId MakeRule(std::string_view name);
  void DefineRule(ExprId rule, ExprId body);
  ExprId MakeMembers(ExprId separator, std::vector<Entry> entries, uint32_t num_ordered, uint32_t low, uint32_t high);
  // key·tail; as an entry of members no two of its keys are equal. `is_scarce`: some prefix has finitely many keys.
  ExprId MakeKeyed(ExprId key, ExprId tail, bool is_scarce);
  ExprId MakeTable(std::shared_ptr<const Table> table);
  ExprId MakeSubstring(std::shared_ptr<const Substring> text);
  ExprId CopyFrom(const ExprSet& other, ExprId root);
  // What the expressions ask of a vocabulary: tokens that are spoken of themselves. Only remembered here.
  void Require(const std::string& token) { required_.insert(token); }
  const std::set<std::string>& required() const { return required_; }
  // A grammar comes to its lexemes and rules again and again: they are worth preparing (MaskBuilder::Prepare).
  void MarkGrammar() { is_grammar_ = true; }
  bool is_grammar() const { return is_grammar_; }

  const Node& node(ExprId e) const { return nodes_[e]; }
  bool IsNullable(ExprId e) { SealFor(e); return nodes_[e].nullable; }
  size_t num_nodes() const { return nodes_.size(); }
  size_t MemoryBytes() const;
  void Reserve(size_t num_nodes);  // room for so many, so that no step has to wait for more
  const ByteSet& byte_set(ExprId e) const { return byte_sets_[nodes_[e].a]; }
  const ExprId* children(ExprId e) const { return children_.data() + nodes_[e].a; }
  bool has_substrings() const { return !substrings_.empty(); }
  bool HasSubstring(ExprId e) const;  // at its head, in one of its alternatives
  const Substring& substring(ExprId e) const { return *substrings_[nodes_[e].d >> 5]; }
  Cursor cursor(ExprId e) const { return {nodes_[e].a, nodes_[e].b, nodes_[e].c, nodes_[e].d & 31}; }
  const Hash128& hash(ExprId e) const { return hashes_[e]; }
  const std::string& label(ExprId e) const { return labels_[nodes_[e].b]; }
  const std::string& rule_name(ExprId e) const { return rules_[nodes_[e].a].name; }
  void CheckId(ExprId e) const;

  // The transition that a matcher takes: kNoMatch unless the state after `byte` can still reach the end.
  ExprId Step(ExprId state, uint8_t byte) {
    const State& s = states_[state];
    const uint32_t entry = rows_[s.row + partitions_.map(s.partition)[byte]];
    return entry < kUnchecked ? entry : StepSlow(state, byte);
  }
  ExprId Derivative(ExprId e, uint8_t byte);  // derivative.cc
  void FillRow(ExprId e);                     // the moves that follow from the rest of a state, all at once
  uint32_t Classes(ExprId e);                 // the byte classes of e: an id of partitions()
  const Partitions& partitions() const { return partitions_; }
  std::vector<std::string> LiveClasses(ExprId e);  // the bytes that may come next, by class
  std::string LiveBytes(ExprId e);                 // the same in order
  ExprId Tabulated(ExprId e, uint32_t max_states);  // a regular expression as a table, so that nothing has to be searched
  ExprId Unfold(ExprId head, ExprId tail);    // Concat(head, tail) with one layer of head opened
  ExprId AfterGreedy(ExprId munch, ExprId rest);  // the rest behind a greedy lexeme, where `munch` has gone on beside it
  ExprId FinishKey(uint32_t text, ExprId tail, ExprId next);  // what follows a whole key: members.cc
  ExprId ForgetKeys(ExprId e);                // the state with all keys so far forgotten
  ExprId ForgetMembers(ExprId e);             // the same for the members behind a key
  // Keys: texts by id, 0 the empty one; lists of those that have come, a chain of ids; has one come before this key?
  uint32_t UsedBehind(const Node& key) const;
  bool IsList(uint32_t used) const { return used > kVague; }
  uint32_t parent_used(uint32_t used) const { return used_[used].parent; }
  uint32_t last_used(uint32_t used) const { return used_[used].text; }
  uint32_t parent_text(uint32_t text) const { return texts_[text].parent; }
  std::string TextOf(uint32_t text) const;
  bool HasCome(const Node& key, uint32_t text) const;
  bool MayCome(const Node& key) const;  // can it become one that has come before?
  bool HasDistinct(ExprId item, uint32_t count);  // has a keyed entry so many different texts?
  bool IsAlive(ExprId e);                     // emptiness.cc
  // By which bytes what follows may begin behind a greedy lexeme, wherever it ends; and by which perhaps, since a longer
  // lexeme has to be watched for. Null where that is not the same from all its states.
  struct Exits {
    ByteSet certain, watched;
    bool operator==(const Exits& o) const { return certain == o.certain && watched == o.watched; }
  };
  const Exits* ExitsOf(ExprId greedy);
  bool HasExit(ExprId tail, const ByteSet& bytes);  // may the text end, or go on by one of these?
  uint64_t num_unproven() const { return num_unproven_; }
  uint32_t max_search_states() const { return max_search_states_; }
  uint32_t MinLength(ExprId e);               // lengths.cc: bytes of the shortest text; kInfinite where there is none
  uint64_t num_loose_lengths() const { return num_loose_lengths_; }  // 0: every length found so far is exact
  ExprId NearestStep(ExprId e, uint8_t* byte);  // the successor nearest to the end, by the least byte; kNoMatch: none known
  bool ShortestWay(ExprId e, size_t max_length, std::string* text);  // a text of about that length that ends e
  // The text of an open key forgotten, so that it might come again, where it may be: (text so far, what follows the key).
  ExprId ForgetOpenKey(ExprId e, const std::function<bool(const std::string&, ExprId)>& may_forget);
  void Seal();                                // rules.cc: settle rules; refuses left recursion by name
  void SealFor(ExprId e) { if (!sealed_ && nodes_[e].has_rule) Seal(); }  // what has no rule need not wait for any

  std::string ToString(ExprId e, size_t max_length = 200);     // print.cc
  std::vector<std::string> Labels(ExprId state);               // labels of the open bodies, innermost first

  // Limits. Fuel counts derivatives computed (not looked up) since the last Refuel.
  void SetLimits(uint64_t max_memory_bytes, uint64_t max_steps, uint32_t max_search_states);
  void Refuel() { fuel_ = max_steps_; }
  void Cancel(bool on) { cancelled_.store(on, std::memory_order_relaxed); }
  std::recursive_mutex& mutex() { return mutex_; }

 private:
  struct State {
    uint32_t row = 0;        // 0: not allocated, or in exact_; rows_[0] sends the hot loop to StepSlow
    uint32_t partition = 0;  // 0: not computed, or in exact_
  };
  struct Rule {
    std::string name = {};
    ExprId node = kNoMatch, body = kNoMatch;
    bool defined = false;
  };
  // Members: members.cc.
  struct MemberList {
    ExprId separator;
    std::vector<Entry> entries;  // the first num_ordered in this order, then the others in any order
    uint32_t num_ordered, low, high;
    std::vector<uint32_t> missing_from, capacity_from;  // over entries i..: least and greatest number of members
    bool is_keyed = false, needs_search = false, has_rule = false;
    Hash128 hash;
  };
  struct MemberState {
    uint32_t position = 0, count = 0;  // the ordered entry that may come next, and how often it has come
    uint32_t total = 0;                // members so far, as far as that matters
    uint32_t used = 0;                 // the keys that must not come again
    bool started = false;
    std::vector<uint32_t> counts;      // of the entries in any order; empty: none has come
  };
  struct Tally {
    uint32_t missing, capacity;
  };
  struct Text {  // a key so far: its parent and one byte
    uint32_t parent, length;
    uint8_t byte;
    Hash128 hash;
  };
  struct Used {  // keys that have come: a list
    uint32_t parent, text, size;
    Hash128 hash;
  };

  struct ShortTexts {  // the texts of a regular expression, shortest first, as far as they were asked for
    struct Open {
      uint32_t length;  // of the whole text, at least
      uint32_t text;
      ExprId state;
    };
    std::vector<Open> heap;
    std::vector<uint32_t> found;
    bool is_cut = false;  // there may be more: the search met its bound
  };
  struct KeySource {  // the keys of a keyed entry, shortest first
    ExprId key;
    uint32_t tail;  // bytes behind the key
    bool is_scarce;
    size_t next = 0;
  };
  struct EntrySource {  // what one more of an entry costs
    uint32_t plain = kInfinite;  // bytes of the shortest that may come again and again
    std::vector<KeySource> keyed;
  };
  struct TakenKeys {  // by text, and by value where keys are scarce: whose language the key is of
    std::unordered_map<uint32_t, ExprId> texts, values;
    uint32_t num_taken = 0;
  };
  struct Users {  // by part: list[first[e] .. first[e + 1]) are made of e
    std::vector<uint32_t> first;
    std::vector<ExprId> list;
  };

  static constexpr uint32_t kUnknown = 0xFFFFFFFF, kUnchecked = 0x80000000;
  static constexpr ExprId kPending = 0xFFFFFFFE;
  static constexpr uint32_t kForgotten = 1, kVague = 2;  // lists of used keys: members.cc
  static constexpr int kMaxDepth = 150;
  static constexpr uint32_t kMaxCount = 1u << 30;

  ExprId Intern(Node node, const Hash128& hash);
  ExprId Find(const Hash128& hash, size_t* bucket) const;
  void GrowBuckets(size_t size);
  void SetFlags(Node* node) const;
  bool BeginsWithOneByte(ExprId e) const;
  ExprId MakeMembersAt(uint32_t list, MemberState state, bool is_last_key = false);
  static uint32_t Taken(const MemberList& list, const MemberState& state, uint32_t entry);
  Tally TallyOf(const MemberList& list, const MemberState& state) const;
  bool MembersNullable(const Node& n) const;
  bool MembersProductive(const Node& n) const;
  std::vector<std::pair<uint32_t, uint32_t>> MissingEntries(const Node& n) const;  // entry, how often
  uint32_t MembersMinLength(const Node& n, int depth, ExprId* blocked);
  uint32_t KeyMinLength(const Node& n, int depth, ExprId* blocked);
  bool OpenEntry(ExprId item, int depth, ExprId* blocked, EntrySource* out);
  uint32_t TakeEntry(EntrySource* entry, TakenKeys* taken, bool only_look);
  bool ShortText(ExprId e, size_t index, uint32_t* text);
  std::vector<std::pair<uint32_t, MemberState>> NextMembers(const MemberList& list, const MemberState& state) const;
  std::vector<ExprId> Alternatives(ExprId e) const;  // the parts of a union, else e alone
  ExprId BindKeys(ExprId item, ExprId next, uint32_t used);
  ExprId ForgetKeysAt(ExprId e);
  ExprId MakeKey(ExprId rest, uint32_t text, ExprId tail, ExprId next);
  uint32_t AddByte(uint32_t text, uint8_t byte);
  uint32_t AddText(uint32_t text, std::string_view bytes);
  uint32_t AddUsed(uint32_t used, uint32_t text);
  bool IsUsed(uint32_t used, uint32_t text) const;
  std::array<uint8_t, 256> NextBytesOfUsed(const Node& key) const;
  ExprId ExcludeUsed(ExprId key, uint32_t used);
  uint32_t ValueOf(uint32_t text);
  ExprId SpellingsOf(uint32_t last_used, uint32_t count);
  ExprId MakeTableAt(uint32_t table, uint32_t state);
  uint32_t AddSubstring(const std::shared_ptr<const Substring>& text);
  ExprId MakeSubstringAt(uint32_t text, const Cursor& c);
  ExprId ExpandMembers(ExprId e);
  ExprId InternSet(Kind kind, const std::vector<ExprId>& children);
  void SortUnique(std::vector<ExprId>* ids) const;
  void FactorHeads(std::vector<ExprId>* parts);
  void MergeByteHeads(std::vector<ExprId>* parts);
  bool FlattenOr(std::vector<ExprId>* parts);
  void MergeRepeats(std::vector<ExprId>* parts);
  void SplitHead(ExprId e, ExprId* head, ExprId* tail) const;
  ExprId PrependAll(const std::vector<ExprId>& prefix, ExprId tail);
  void SealMemberList(MemberList* list) const;

  // The …At functions recurse to kMaxDepth; there they name the place in *blocked and return a pending value.
  uint32_t KnownClasses(ExprId e) const;
  uint32_t ClassesAt(ExprId e, int depth, ExprId* blocked);
  ExprId DeriveAt(ExprId e, uint8_t byte, int depth, uint64_t* blocked);
  ExprId ComputeDerivative(ExprId e, uint8_t byte, int depth, uint64_t* blocked);
  uint8_t AliveAt(ExprId e, int depth, ExprId* blocked);
  uint32_t MinLengthAt(ExprId e, int depth, ExprId* blocked);
  uint32_t ComputeMinLength(const Node& n, int depth, ExprId* blocked);
  void SettleMinLengths();
  uint32_t SearchMinLength(ExprId e);
  void AddParts(ExprId e, std::vector<ExprId>* out) const;  // what e is made of, a rule's body included
  Users UsersOf(const std::vector<ExprId>& whole) const;
  void SettleFlags(const std::vector<ExprId>& affected);
  ExprId StepSlow(ExprId state, uint8_t byte);
  uint32_t& Slot(ExprId e, uint8_t byte) {
    if (!states_[e].row) return exact_moves_.try_emplace(static_cast<uint64_t>(e) << 8 | byte, kUnknown).first->second;
    return rows_[states_[e].row + partitions_.map(states_[e].partition)[byte]];
  }
  void Burn();
  void CheckMemory() const;
  void HeadEdges(ExprId e, std::vector<ExprId>* out) const;
  void CheckLeftRecursion() const;
  bool SearchAlive(ExprId e);
  uint32_t RoughLength(ExprId e, int depth) const;
  uint8_t AliveUnderWatch(ExprId e);
  uint8_t Outlives(ExprId head, ExprId munch);
  uint8_t AliveBehindGreedy(ExprId e);
  bool is_asking_exits_ = false;
  bool Resettle(ExprId e);

  std::vector<Node> nodes_;
  std::vector<Hash128> hashes_;
  std::vector<State> states_;
  std::vector<ExprId> buckets_;  // open addressing over hashes_; 0xFFFFFFFF is free
  std::vector<ExprId> children_;
  std::vector<ByteSet> byte_sets_;
  std::vector<std::string> labels_;
  std::set<std::string> required_;
  bool is_grammar_ = false;
  std::unordered_map<std::string, uint32_t> label_ids_;
  std::vector<Rule> rules_;
  std::vector<MemberList> lists_;
  std::vector<MemberState> member_states_;
  std::vector<Text> texts_;
  std::vector<Used> used_;
  std::unordered_map<uint64_t, uint32_t> text_ids_, used_ids_;
  std::unordered_map<uint64_t, ExprId> spellings_;  // (last used, count): those keys, however they are spelt
  std::vector<std::shared_ptr<const Table>> tables_;
  std::vector<std::shared_ptr<const Substring>> substrings_;
  std::unordered_map<Hash128, uint32_t, Hash128Hasher> table_ids_, substring_ids_, list_ids_;
  std::unordered_map<Hash128, ExprId, Hash128Hasher> or_memo_;
  Partitions partitions_;
  std::vector<uint32_t> rows_;
  // States where a key begins or goes on remember each byte, so bytes of one class lead to different states: no rows.
  std::unordered_map<ExprId, uint32_t> exact_;  // their byte classes, which tell as much about what lives
  std::unordered_map<uint64_t, uint32_t> exact_moves_;
  std::unordered_map<ExprId, uint32_t> min_lengths_;
  std::vector<uint32_t> rule_min_lengths_;
  std::unordered_map<ExprId, std::unique_ptr<const Exits>> exits_;
  std::unordered_map<uint64_t, uint8_t> outlives_;  // by head and munch
  std::unordered_map<ExprId, ShortTexts> short_texts_;
  std::vector<ExprId> searching_;  // intersections and complements whose lengths are being searched
  std::unordered_map<ExprId, ExprId> expanded_;  // Members, one layer opened
  std::unordered_map<ExprId, ExprId> forgotten_; // states with all keys so far forgotten
  bool sealed_ = true;
  uint64_t fuel_ = 1u << 22, max_steps_ = 1u << 22, max_memory_ = 1ull << 30, num_unproven_ = 0, num_loose_lengths_ = 0;
  uint32_t max_search_states_ = 20000;
  std::atomic<bool> cancelled_{false};
  std::recursive_mutex mutex_;
};

}  // namespace constrain
