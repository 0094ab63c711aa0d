// Expressions as text, for people and for explain(); never read back.
#include <algorithm>

#include "expr.h"

namespace constrain {

namespace {

void AppendByte(std::string* out, int b) {
  static const char* kHex = "0123456789abcdef";
  if (b == '\n') *out += "\\n";
  else if (b == '\t') *out += "\\t";
  else if (b == '\r') *out += "\\r";
  else if (b > 32 && b < 127) {
    if (b == '[' || b == ']' || b == '\\' || b == '-' || b == '^') *out += '\\';
    *out += static_cast<char>(b);
  } else {
    *out += "\\x";
    *out += kHex[b >> 4];
    *out += kHex[b & 15];
  }
}

std::string PrintByteSet(const ByteSet& set) {
  std::string out;
  if (set == ByteSet::All()) return ".";
  if (set.Count() == 1) {
    for (int b = 0; b < 256; ++b)
      if (set.Has(static_cast<uint8_t>(b))) AppendByte(&out, b);
    return out;
  }
  out = "[";
  for (int b = 0; b < 256; ++b) {
    if (!set.Has(static_cast<uint8_t>(b))) continue;
    int last = b;
    while (last < 255 && set.Has(static_cast<uint8_t>(last + 1))) ++last;
    AppendByte(&out, b);
    if (last > b + 1) out += '-';
    if (last > b) AppendByte(&out, last);
    b = last;
  }
  return out + "]";
}

}  // namespace

std::string ExprSet::ToString(ExprId root, size_t max_length) {
  std::string out;
  struct Piece {
    ExprId e;
    std::string text;
  };
  std::vector<Piece> stack{{root, ""}};
  auto push_joined = [&](const Node& n, const char* open, const char* between, const char* close) {
    stack.push_back({0, close});
    for (uint32_t i = n.b; i-- > 0;) {
      stack.push_back({children_[n.a + i], ""});
      if (i) stack.push_back({0, between});
    }
    stack.push_back({0, open});
  };
  while (!stack.empty() && out.size() < max_length) {
    const Piece piece = stack.back();
    stack.pop_back();
    if (!piece.text.empty()) {
      out += piece.text;
      continue;
    }
    const Node& n = nodes_[piece.e];
    switch (n.kind) {
      case Kind::kNoMatch: out += "∅"; break;
      case Kind::kEmptyString: out += "ε"; break;
      case Kind::kByteSet: out += PrintByteSet(byte_set(piece.e)); break;
      case Kind::kConcat:
        stack.push_back({n.b, ""});
        stack.push_back({n.a, ""});
        break;
      case Kind::kOr: push_joined(n, "(", "|", ")"); break;
      case Kind::kAnd: push_joined(n, "(", "&", ")"); break;
      case Kind::kNot:
        if (piece.e == kAnything) {
          out += ".*";
          break;
        }
        stack.push_back({0, ")"});
        stack.push_back({n.a, ""});
        out += "~(";
        break;
      case Kind::kRepeat: {
        const bool single = nodes_[n.a].kind == Kind::kByteSet || nodes_[n.a].kind == Kind::kRule;
        std::string suffix = single ? "" : ")";
        if (n.b == 0 && n.c == kInfinite) suffix += "*";
        else if (n.b == 1 && n.c == kInfinite) suffix += "+";
        else if (n.b == 0 && n.c == 1) suffix += "?";
        else {
          suffix += "{" + std::to_string(n.b);
          if (n.c != n.b) suffix += "," + (n.c == kInfinite ? std::string() : std::to_string(n.c));
          suffix += "}";
        }
        if (!suffix.empty()) stack.push_back({0, suffix});
        stack.push_back({n.a, ""});
        if (!single) out += "(";
        break;
      }
      case Kind::kRule: out += "<" + rules_[n.a].name + ">"; break;
      case Kind::kLexeme:
      case Kind::kGreedy:
      case Kind::kBody: stack.push_back({n.a, ""}); break;
      case Kind::kMembers: {
        const MemberList& list = lists_[n.a];
        out += "members(";
        stack.push_back({0, ")"});
        const uint32_t first = member_states_[n.b].position;
        for (size_t j = list.entries.size(); j-- > first;) {
          stack.push_back({list.entries[j].item, ""});
          if (j > first) stack.push_back({0, j == list.num_ordered ? " ; in any order: " : " , "});
        }
        break;
      }
      case Kind::kKey:
        if (n.d != kNoMatch) stack.push_back({n.d, ""});
        stack.push_back({n.c, ""});
        stack.push_back({n.a, ""});
        break;
      case Kind::kSubstring: out += "quote(" + std::to_string(n.b) + " read)"; break;
      case Kind::kTable: out += "table(" + std::to_string(n.a) + ":" + std::to_string(n.b) + ")"; break;
    }
  }
  if (out.size() > max_length || !stack.empty()) {
    size_t cut = std::min(out.size(), max_length);
    while (cut > 0 && (static_cast<uint8_t>(out[cut]) & 0xC0) == 0x80) --cut;
    out.resize(cut);
    out += "…";
  }
  return out;
}

std::vector<std::string> ExprSet::Labels(ExprId state) {
  std::vector<std::string> labels;
  std::vector<ExprId> todo{state};
  for (size_t steps = 0; !todo.empty() && steps < 10000; ++steps) {
    const ExprId e = todo.back();
    todo.pop_back();
    const Node& n = nodes_[e];
    if (n.kind == Kind::kConcat) {
      todo.push_back(n.b);
      todo.push_back(n.a);
    } else if (n.kind == Kind::kBody) {
      const std::string& label = labels_[n.b];
      if (!label.empty() && (labels.empty() || labels.back() != label)) labels.push_back(label);
    } else if (n.kind == Kind::kOr && n.b) {
      todo.push_back(children_[n.a]);
    }
  }
  return labels;
}

}  // namespace constrain
