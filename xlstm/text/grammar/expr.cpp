#include "xlstm/text/grammar/expr.h"

#include <cstdio>
#include <utility>

#include "xlstm/base/error.h"
#include "xlstm/text/grammar/limits.h"

namespace xlstm::text::grammar {
namespace {

ExprPtr make(Expr expr) { return std::make_shared<const Expr>(std::move(expr)); }

}  // namespace

ExprPtr text(std::string bytes) { return make({.kind = Expr::Kind::text, .bytes = std::move(bytes)}); }

ExprPtr chars(CodePointSet set) { return make({.kind = Expr::Kind::chars, .set = std::move(set)}); }

ExprPtr sequence(std::vector<ExprPtr> parts) {
  return parts.size() == 1 ? parts[0] : make({.kind = Expr::Kind::sequence, .parts = std::move(parts)});
}

ExprPtr choice(std::vector<ExprPtr> parts) {
  return parts.size() == 1 ? parts[0] : make({.kind = Expr::Kind::choice, .parts = std::move(parts)});
}

ExprPtr repeat(ExprPtr part, std::uint32_t min, std::uint32_t max) {
  return make({.kind = Expr::Kind::repeat, .parts = {std::move(part)}, .min = min, .max = max});
}

ExprPtr optional(ExprPtr part) { return repeat(std::move(part), 0, 1); }

ExprPtr call(RuleId rule) { return make({.kind = Expr::Kind::rule, .rule = rule}); }

ExprPtr shared(ExprPtr part) { return make({.kind = Expr::Kind::shared, .parts = {std::move(part)}}); }

ExprPtr both(ExprPtr a, ExprPtr b) { return make({.kind = Expr::Kind::both, .parts = {std::move(a), std::move(b)}}); }

ExprPtr difference(ExprPtr a, ExprPtr b) {
  return make({.kind = Expr::Kind::difference, .parts = {std::move(a), std::move(b)}});
}

RuleId Grammar::add(std::string_view name, ExprPtr body) {
  if (rules.size() == kMaxRules) {
    fail(ErrorCode::invalid_argument, "grammar", "expected at most ", kMaxRules, " rules but got more");
  }
  rules.push_back({std::string(name), std::move(body)});
  return static_cast<RuleId>(rules.size() - 1);
}

std::string in_quotes(std::string_view source) {
  constexpr std::size_t kMaxShown = 40;
  std::string result = "\"";
  for (const char c : source.substr(0, kMaxShown)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7F && c != '"' && c != '\\') {
      result += c;
    } else {
      char escaped[5];
      std::snprintf(escaped, sizeof escaped, "\\x%02X", byte);
      result += c == '"' || c == '\\' ? std::string{'\\', c} : c == '\n' ? "\\n" : std::string(escaped);
    }
  }
  return result + (source.size() > kMaxShown ? "...\"" : "\"");
}

}  // namespace xlstm::text::grammar
