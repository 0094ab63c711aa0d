// The contiguous parts of a text, as a suffix tree that is walked by the bytes of what is written.
//
// The text is a sequence of symbols; 0 ends each source. A unit is one character as it may be written: its bytes, and the
// symbols that it stands for ("ß" is two, where case does not matter). A part begins at a marked start, ends at a marked
// end, and has so many counted things (characters, words) in it as asked for. One symbol may stand for a run of units.
//
// Sources: Nong, Zhang, Chan 2009 (suffix arrays by induced sorting); Kasai et al. 2001 (common prefixes); the tree is
// the interval tree of Abouelkhoda, Kurtz, Ohlebusch 2004, its nodes stored breadth first so that siblings are neighbours.
// Invariants: immutable and shared between expression sets; no unit's bytes are a prefix of another's; two symbols that
// stand for runs are never neighbours; a cursor that `Move` gives can reach an end. Held by tests/test_quote.py.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "byteset.h"

namespace constrain {

// A place in the tree: `depth` symbols read, the last of them on the edge that ends in `node`; `spell`: the bytes of a
// unit that has begun; `run`: units read of a run that goes on.
struct Cursor {
  uint32_t node = 0, depth = 0, spell = 0, run = 0;
};

struct SubstringSource {
  std::vector<uint32_t> symbols;       // each source ends with 0
  std::vector<uint8_t> starts, ends;   // may a part begin before / end behind so many symbols? ends has one more
  std::vector<uint32_t> counts;        // what is counted, before each place; one more than there are symbols
  uint32_t min_count = 1, max_count = 0xFFFFFFFF, run_symbol = 0;  // run_symbol 0: none
  std::vector<std::pair<std::string, std::vector<uint32_t>>> units;
};

class Substring {
 public:
  static constexpr uint32_t kMaxRun = 16, kMaxSymbols = 1u << 26;

  explicit Substring(SubstringSource source);
  bool is_empty() const { return order_.empty(); }
  bool Move(const Cursor& from, uint8_t byte, Cursor* to) const;
  bool IsEnd(const Cursor& c) const;
  bool GoesOn(const Cursor& c) const { return c.spell || nodes_[c.node].reach > c.depth || (c.run && c.run < kMaxRun); }
  uint32_t Width(const Cursor& c) const { return nodes_[c.node].high - nodes_[c.node].low; }  // how often it occurs
  uint32_t MinLength(const Cursor& c) const;  // bytes to the nearest end; single symbols are taken to be spelt one by one
  const Hash128& hash() const { return hash_; }
  size_t MemoryBytes() const;

 private:
  struct TreeNode {
    uint32_t low, high;    // the places in order_ of the suffixes below
    uint32_t depth;        // symbols from the root
    uint32_t place;        // the first of these suffixes
    uint32_t first_child;  // children: up to the next node's first
    uint32_t reach;        // symbols of the longest part that begins below
    uint32_t first_end;    // no part that ends on the edge to this node, or at the node, is shorter
  };
  struct SpellNode {
    std::array<int32_t, 256> next{};  // 0: none; > 0: a node; < 0: ~unit
    uint32_t first_unit = 0, end_unit = 0, depth = 0;
    bool has_run = false;
  };
  struct Unit {
    uint32_t first, count, length;
    bool is_run;
  };

  void BuildUnits(std::vector<std::pair<std::string, std::vector<uint32_t>>> units);
  void FindReaches(const SubstringSource& source);
  std::vector<uint32_t> BuildOrder();
  void BuildTree(const std::vector<uint32_t>& common);
  void SettleTree();
  void FindFirstEnds();
  Hash128 ContentHash() const;
  bool Advance(Cursor* c, uint32_t symbol) const;
  bool Apply(const Unit& unit, Cursor* c) const;
  template <typename F>
  bool AnyUnit(const Cursor& c, uint32_t spell, F f) const;
  uint32_t MinLengthAtUnit(const Cursor& c) const;

  std::vector<uint32_t> symbols_;
  std::vector<bool> ends_;
  std::vector<uint32_t> order_;              // starts, sorted by what follows
  std::vector<uint32_t> shortest_, longest_; // of the parts from there, in symbols; by start, then in that order
  uint32_t least_ = 0;                       // of shortest_
  std::vector<TreeNode> nodes_;              // one more than there are
  std::vector<uint32_t> node_symbols_;       // the first symbol on the edge that ends in a node
  std::vector<SpellNode> spell_;
  std::vector<Unit> units_;                  // by their bytes
  std::vector<uint32_t> unit_symbols_, units_of_, first_unit_of_;  // the units that begin with a symbol
  std::vector<uint32_t> costs_;              // bytes of the symbols before each place, each in its shortest spelling
  uint32_t run_symbol_ = 0;
  Hash128 hash_;
};

}  // namespace constrain
