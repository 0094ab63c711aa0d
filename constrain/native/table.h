// Prebuilt automata: big choice lists, arithmetic, anything whose states are better numbered than written as expressions.
//
// A table is immutable and shared between expression sets. Its invariant, kept by the builders: every state can reach
// acceptance, so that a `Table` node is never empty. Construction of choice lists: Daciuk, Mihov, Watson, Watson 2000,
// "Incremental construction of minimal acyclic finite-state automata", from sorted input.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "byteset.h"

namespace constrain {

struct Table {
  struct Edge {
    uint8_t byte;
    uint32_t target;
  };
  std::vector<uint32_t> first_edge;  // one more than there are states
  std::vector<Edge> edges;           // by state, then by byte
  std::vector<bool> accepting;
  std::vector<uint32_t> shortest;    // bytes to the nearest accepting state
  uint32_t start = 0;
  std::vector<Hash128> hashes;       // by state, equal where tables go on equally; none in lists of literals
  Hash128 hash;

  static constexpr uint32_t kDead = 0xFFFFFFFF;
  uint32_t num_states() const { return static_cast<uint32_t>(accepting.size()); }
  uint32_t Move(uint32_t state, uint8_t byte) const;
  Hash128 HashAt(uint32_t state) const { return hashes.empty() ? Hasher(0x7AB1E).Add(hash).Add(state).Finish() : hashes[state]; }
};

// The minimal automaton of `texts`, which are sorted here and may repeat; null where there are none.
std::shared_ptr<const Table> TableOfLiterals(std::vector<std::string_view> texts);

// A table from explicit states: moves[i] = (state, byte, target). States that cannot reach acceptance are dropped;
// null where the start is one of them.
struct Move {
  uint32_t state;
  uint8_t byte;
  uint32_t target;
};
std::shared_ptr<const Table> TableOfMoves(uint32_t num_states, uint32_t start, const std::vector<uint32_t>& accepting,
                                          std::vector<Move> moves);

}  // namespace constrain
