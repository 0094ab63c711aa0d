// A set of bytes, and the 128-bit content hash that interning uses.
//
// Invariant: both are plain values; equal contents are equal bit for bit.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace constrain {

struct ByteSet {
  std::array<uint64_t, 4> words{};

  static ByteSet All() { return ByteSet{{~0ull, ~0ull, ~0ull, ~0ull}}; }
  static ByteSet Range(int low, int high) {
    ByteSet set;
    for (int b = low; b <= high; ++b) set.Add(static_cast<uint8_t>(b));
    return set;
  }
  void Add(uint8_t b) { words[b >> 6] |= 1ull << (b & 63); }
  bool Has(uint8_t b) const { return words[b >> 6] >> (b & 63) & 1; }
  int Count() const {
    int n = 0;
    for (uint64_t w : words) n += __builtin_popcountll(w);
    return n;
  }
  bool IsEmpty() const { return !(words[0] | words[1] | words[2] | words[3]); }
  ByteSet operator|(const ByteSet& o) const { return Zip(o, [](uint64_t a, uint64_t b) { return a | b; }); }
  ByteSet operator&(const ByteSet& o) const { return Zip(o, [](uint64_t a, uint64_t b) { return a & b; }); }
  bool operator==(const ByteSet& o) const { return words == o.words; }

 private:
  template <typename F>
  ByteSet Zip(const ByteSet& o, F f) const {
    ByteSet r;
    for (int i = 0; i < 4; ++i) r.words[i] = f(words[i], o.words[i]);
    return r;
  }
};

// Content hash of a node. Two nodes with equal hashes are taken to be equal: with 128 well mixed bits and a seed drawn
// once per process, a collision is far less likely than a memory error, and nobody outside can aim for one.
struct Hash128 {
  uint64_t lo = 0, hi = 0;
  bool operator==(const Hash128& o) const { return lo == o.lo && hi == o.hi; }
  bool operator<(const Hash128& o) const { return hi != o.hi ? hi < o.hi : lo < o.lo; }
};

struct Hash128Hasher {
  size_t operator()(const Hash128& h) const { return h.lo; }
};

class Hasher {
 public:
  explicit Hasher(uint64_t tag) : lo_(Seed() ^ tag * 0x9E3779B97F4A7C15ull), hi_(Seed() + tag * 0xC2B2AE3D27D4EB4Full) {}
  Hasher& Add(uint64_t v) {
    lo_ = Mix(lo_ ^ v, 0xA0761D6478BD642Full);
    hi_ = Mix(hi_ + v, 0xE7037ED1A0B428DBull) ^ (v << 17 | v >> 47);
    return *this;
  }
  Hasher& Add(const Hash128& h) { return Add(h.lo).Add(h.hi); }
  Hasher& Add(std::string_view bytes) {
    Add(bytes.size());
    size_t i = 0;
    for (; i + 8 <= bytes.size(); i += 8) {
      uint64_t v;
      std::memcpy(&v, bytes.data() + i, 8);
      Add(v);
    }
    uint64_t v = 0;
    for (; i < bytes.size(); ++i) v = v << 8 | static_cast<uint8_t>(bytes[i]);
    return Add(v);
  }
  Hash128 Finish() const { return {Mix(lo_ ^ hi_, 0x8EBC6AF09C88C6E3ull), Mix(hi_ + lo_, 0x589965CC75374CC3ull)}; }

 private:
  static uint64_t Mix(uint64_t a, uint64_t b) {
    __uint128_t m = static_cast<__uint128_t>(a ^ (b << 1)) * (b | 1);
    uint64_t x = static_cast<uint64_t>(m) ^ static_cast<uint64_t>(m >> 64) ^ (a >> 29);
    x *= 0xBF58476D1CE4E5B9ull;
    return x ^ (x >> 32);
  }
  static uint64_t Seed();  // expr.cc: drawn once per process
  uint64_t lo_, hi_;
};

}  // namespace constrain
