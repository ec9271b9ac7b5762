#include "xlstm/text/grammar/gbnf_parser.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "xlstm/base/error.h"
#include "xlstm/text/grammar/limits.h"
#include "xlstm/text/grammar/source_cursor.h"

namespace xlstm::text::grammar {
namespace {

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

class GbnfParser {
 public:
  explicit GbnfParser(std::string_view source) : at_(source) {}

  Grammar run() {
    skip_space(true);
    while (!at_.at_end()) parse_rule();
    for (RuleId id = 0; id < grammar_.rules.size(); ++id) {
      if (!grammar_.rules[id].body) {
        fail_at(first_use_[id], "expected a rule named ", in_quotes(grammar_.rules[id].name), " but there is none");
      }
    }
    const auto root = ids_.find("root");
    if (root == ids_.end())
      fail(ErrorCode::invalid_argument, "grammar", "expected a rule named \"root\" but there is none");
    grammar_.root = root->second;
    return std::move(grammar_);
  }

 private:
  template <class... Parts>
  [[noreturn]] void fail_at(std::size_t position, const Parts&... parts) const {
    const std::string_view before = at_.source().substr(0, position);
    std::size_t line = 1;
    for (const char c : before) line += c == '\n' ? 1 : 0;
    const std::size_t line_start = before.rfind('\n');  // npos + 1 is 0
    fail(ErrorCode::invalid_argument, "grammar", "line ", line, ", column ", position - line_start, ": ", parts...);
  }

  template <class... Parts>
  [[noreturn]] void fail_here(const Parts&... expected) const {
    const std::string_view rest = at_.source().substr(at_.position());
    fail_at(at_.position(), expected..., " but got ", rest.empty() ? "the end" : in_quotes(rest.substr(0, 16)));
  }

  void skip_space(bool newline_too) {
    while (true) {
      const char c = at_.peek();
      if (c == '#') {
        while (!at_.at_end() && at_.peek() != '\n') at_.advance();
      } else if (c == ' ' || c == '\t' || (newline_too && (c == '\r' || c == '\n'))) {
        at_.advance();
      } else {
        return;
      }
    }
  }

  std::string_view parse_name() {
    const std::size_t begin = at_.position();
    while (is_name_char(at_.peek())) at_.advance();
    return at_.source().substr(begin, at_.position() - begin);
  }

  RuleId id_of(std::string_view name, std::size_t position) {
    const auto [entry, is_new] = ids_.emplace(std::string(name), static_cast<RuleId>(grammar_.rules.size()));
    if (is_new) {
      grammar_.add(name);
      first_use_.push_back(position);
    }
    return entry->second;
  }

  void parse_rule() {
    const std::size_t begin = at_.position();
    const std::string_view name = parse_name();
    if (name.empty()) fail_here("expected a rule's name");
    skip_space(false);
    if (!at_.skip("::=")) fail_here("expected \"::=\"");
    skip_space(true);
    const RuleId id = id_of(name, begin);
    if (grammar_.rules[id].body) fail_at(begin, "expected each rule once but ", in_quotes(name), " is defined again");
    ExprPtr body = parse_choice(0);
    grammar_.rules[id].body = std::move(body);
    if (!at_.at_end() && at_.peek() != '\r' && at_.peek() != '\n') fail_here("expected the end of the rule");
    skip_space(true);
  }

  ExprPtr parse_choice(int depth) {
    if (depth > kMaxNesting) fail_here("expected at most ", kMaxNesting, " groups within each other");
    std::vector<ExprPtr> parts;
    do {
      skip_space(true);
      parts.push_back(parse_sequence(depth));
    } while (skip_bar());
    return choice(std::move(parts));
  }

  bool skip_bar() {
    const std::size_t before = at_.position();
    skip_space(true);
    if (at_.skip("|")) return true;
    at_.move_to(before);
    return false;
  }

  ExprPtr parse_sequence(int depth) {
    std::vector<ExprPtr> parts;
    while (true) {
      skip_space(depth > 0);
      // A name before "::=" is the next rule: the one before was empty.
      if (depth == 0 && is_name_char(at_.peek()) && begins_rule()) break;
      ExprPtr item = parse_item(depth);
      if (!item) break;
      parts.push_back(parse_repeat(std::move(item)));
    }
    return sequence(std::move(parts));
  }

  bool begins_rule() {
    const std::size_t begin = at_.position();
    parse_name();
    skip_space(false);
    const bool result = at_.looking_at("::=");
    at_.move_to(begin);
    return result;
  }

  // Null where no item begins.
  ExprPtr parse_item(int depth) {
    const std::size_t begin = at_.position();
    if (is_name_char(at_.peek())) {
      const std::string_view name = parse_name();
      return call(id_of(name, begin));
    }
    if (at_.skip("\"")) return parse_literal();
    if (at_.skip("[")) return parse_class();
    if (at_.skip(".")) return chars(CodePointSet::all());
    if (at_.skip("(")) {
      ExprPtr group = parse_choice(depth + 1);
      skip_space(true);
      if (!at_.skip(")")) fail_here("expected \")\"");
      return group;
    }
    return nullptr;
  }

  ExprPtr parse_literal() {
    std::string bytes;
    while (!at_.skip("\"")) {
      if (at_.at_end() || at_.peek() == '\n') fail_here("expected the literal's closing quote");
      append_utf8(parse_character(), bytes);
    }
    return text(std::move(bytes));
  }

  ExprPtr parse_class() {
    const bool negated = at_.skip("^");
    std::vector<CodePointRange> ranges;
    while (!at_.skip("]")) {
      if (at_.at_end() || at_.peek() == '\n') fail_here("expected the class's closing bracket");
      const std::size_t begin = at_.position();
      CodePointRange range = {parse_character(), 0};
      range.last = range.first;
      if (at_.peek() == '-' && at_.peek(1) != ']') {
        at_.advance();
        if (at_.at_end() || at_.peek() == '\n') fail_here("expected the range's end");
        range.last = parse_character();
      }
      if (range.last < range.first) fail_at(begin, "expected a range that goes up but its end is below its begin");
      ranges.push_back(range);
    }
    CodePointSet set(std::move(ranges));
    return chars(negated ? set.complement() : std::move(set));
  }

  char32_t parse_character() {
    if (at_.peek() != '\\') return at_.read_character();
    const std::size_t begin = at_.position();
    at_.advance();
    const char c = at_.peek();
    at_.advance();
    switch (c) {
      case 'x':
        return parse_hex(2, begin);
      case 'u':
        return parse_hex(4, begin);
      case 'U':
        return parse_hex(8, begin);
      case 't':
        return U'\t';
      case 'r':
        return U'\r';
      case 'n':
        return U'\n';
      case '\\':
      case '"':
      case '[':
      case ']':
      case '-':
      case '^':
        return static_cast<char32_t>(c);
      default:
        fail_at(begin, "expected an escape \\n \\r \\t \\\\ \\\" \\[ \\] \\- \\^ \\xHH \\uHHHH or \\UHHHHHHHH");
    }
  }

  char32_t parse_hex(std::size_t digits, std::size_t begin) {
    const auto code = at_.read_hex(digits);
    if (!code) fail_at(begin, "expected ", digits, " hexadecimal digits");
    if (*code > kMaxCodePoint || (*code >= 0xD800 && *code <= 0xDFFF)) {
      fail_at(begin, "expected a character but this is no Unicode scalar value");
    }
    return *code;
  }

  ExprPtr parse_repeat(ExprPtr item) {
    if (at_.skip("*")) return repeat(std::move(item), 0, kUnbounded);
    if (at_.skip("+")) return repeat(std::move(item), 1, kUnbounded);
    if (at_.skip("?")) return optional(std::move(item));
    const std::size_t begin = at_.position();
    if (!at_.skip("{")) return item;
    skip_space(false);
    const auto min = at_.read_count();
    if (!min) fail_here("expected a count");
    skip_space(false);
    std::uint32_t max = *min;
    if (at_.skip(",")) {
      skip_space(false);
      max = at_.read_count().value_or(kUnbounded);
      skip_space(false);
    }
    if (!at_.skip("}")) fail_here("expected \"}\"");
    if (*min > kMaxRepeat || (max != kUnbounded && max > kMaxRepeat)) {
      fail_at(begin, "expected counts of at most ", kMaxRepeat);
    }
    if (max < *min) fail_at(begin, "expected {m,n} with m <= n but got ", *min, " and ", max);
    return repeat(std::move(item), *min, max);
  }

  SourceCursor at_;
  Grammar grammar_;
  std::map<std::string, RuleId, std::less<>> ids_;
  std::vector<std::size_t> first_use_;  // [rule]
};

}  // namespace

Grammar parse_gbnf(std::string_view source) {
  if (source.size() > kMaxSourceBytes) {
    fail(ErrorCode::invalid_argument, "grammar", "expected at most ", kMaxSourceBytes, " bytes but got ",
         source.size());
  }
  if (const std::size_t bad = find_ill_formed(source); bad != std::string_view::npos) {
    fail(ErrorCode::invalid_argument, "grammar", "expected UTF-8 but byte ", bad, " is ill-formed");
  }
  return GbnfParser(source).run();
}

}  // namespace xlstm::text::grammar
