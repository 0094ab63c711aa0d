// Byte classes: a partition of the 256 bytes by what the derivative cannot tell apart (Owens, Reppy, Turon 2009, 4.2).
//
// Invariant: partitions are interned, id 0 is the trivial partition that stands for "not computed yet", and refinement
// is memoised, so that a row of transitions costs one entry per class instead of 256.
#pragma once

#include <array>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "byteset.h"

namespace constrain {

class Partitions {
 public:
  Partitions();

  uint32_t Trivial() const { return 1; }
  uint32_t OfByteSet(const ByteSet& set);
  uint32_t OfMap(const std::array<uint8_t, 256>& map);  // any numbering; renumbered by first occurrence
  uint32_t Refine(uint32_t p, uint32_t q);              // the coarsest partition finer than both

  const uint8_t* map(uint32_t p) const { return maps_[p].data(); }
  uint32_t num_classes(uint32_t p) const { return static_cast<uint32_t>(representatives_[p].size()); }
  uint8_t representative(uint32_t p, uint32_t c) const { return representatives_[p][c]; }
  uint32_t class_size(uint32_t p, uint32_t c) const { return sizes_[p][c]; }
  size_t MemoryBytes() const { return maps_.size() * 320; }

 private:
  std::vector<std::array<uint8_t, 256>> maps_;
  std::vector<std::vector<uint8_t>> representatives_;
  std::vector<std::vector<uint16_t>> sizes_;
  std::unordered_map<Hash128, uint32_t, Hash128Hasher> ids_;
  std::unordered_map<uint64_t, uint32_t> refined_;
};

}  // namespace constrain
