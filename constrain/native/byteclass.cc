#include "byteclass.h"

#include <string_view>
#include <utility>

namespace constrain {

Partitions::Partitions() {
  std::array<uint8_t, 256> trivial{};
  maps_.push_back(trivial);  // id 0: not computed
  representatives_.push_back({0});
  sizes_.push_back({256});
  OfMap(trivial);            // id 1: one class
}

uint32_t Partitions::OfMap(const std::array<uint8_t, 256>& map) {
  std::array<int16_t, 256> renumber;
  renumber.fill(-1);
  std::array<uint8_t, 256> canonical;
  std::vector<uint8_t> representatives;
  std::vector<uint16_t> sizes;
  for (int b = 0; b < 256; ++b) {
    int16_t& c = renumber[map[b]];
    if (c < 0) {
      c = static_cast<int16_t>(representatives.size());
      representatives.push_back(static_cast<uint8_t>(b));
      sizes.push_back(0);
    }
    canonical[b] = static_cast<uint8_t>(c);
    ++sizes[c];
  }
  const Hash128 key =
      Hasher(1).Add(std::string_view(reinterpret_cast<const char*>(canonical.data()), canonical.size())).Finish();
  auto [it, fresh] = ids_.try_emplace(key, static_cast<uint32_t>(maps_.size()));
  if (fresh) {
    maps_.push_back(canonical);
    representatives_.push_back(std::move(representatives));
    sizes_.push_back(std::move(sizes));
  }
  return it->second;
}

uint32_t Partitions::OfByteSet(const ByteSet& set) {
  std::array<uint8_t, 256> map;
  for (int b = 0; b < 256; ++b) map[b] = set.Has(static_cast<uint8_t>(b));
  return OfMap(map);
}

uint32_t Partitions::Refine(uint32_t p, uint32_t q) {
  if (p == q || q == Trivial()) return p;
  if (p == Trivial()) return q;
  if (p > q) std::swap(p, q);
  const uint64_t key = static_cast<uint64_t>(p) << 32 | q;
  if (auto it = refined_.find(key); it != refined_.end()) return it->second;
  std::array<uint8_t, 256> map;
  const uint32_t width = num_classes(q);
  std::vector<int16_t> numbers(num_classes(p) * width, -1);
  int16_t next = 0;
  for (int b = 0; b < 256; ++b) {
    int16_t& c = numbers[maps_[p][b] * width + maps_[q][b]];
    if (c < 0) c = next++;
    map[b] = static_cast<uint8_t>(c);
  }
  const uint32_t r = OfMap(map);
  refined_.emplace(key, r);
  return r;
}

}  // namespace constrain
