#include "xlstm/text/grammar/regex_parser.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "xlstm/base/error.h"
#include "xlstm/text/grammar/limits.h"
#include "xlstm/text/grammar/source_cursor.h"

namespace xlstm::text::grammar {
namespace {

const CodePointSet kDigits = {{'0', '9'}};
const CodePointSet kWordChars = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
const CodePointSet kLineEnds = {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};
// ECMA-262 15, sections 12.2 and 12.3: WhiteSpace and LineTerminator.
const CodePointSet kSpaces = {{'\t', '\r'},     {' ', ' '},       {0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A},
                              {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};

class RegexParser {
 public:
  RegexParser(std::string_view pattern, RegexMatch match, std::string_view context)
      : at_(pattern), match_(match), context_(context) {}

  ExprPtr run() {
    ExprPtr expr = parse_choice(0);
    if (!at_.at_end()) fail_at(at_.position(), "expected a \"(\" before this \")\"");
    return expr;
  }

 private:
  template <class... Parts>
  [[noreturn]] void fail_at(std::size_t position, const Parts&... parts) const {
    const std::string_view before = at_.source().substr(0, position);
    const auto character = 1 + std::count_if(before.begin(), before.end(), [](char c) { return (c & 0xC0) != 0x80; });
    fail(ErrorCode::invalid_argument, "regex", context_, "character ", character, ": ", parts...);
  }

  ExprPtr parse_choice(int depth) {
    if (depth > kMaxNesting) fail_at(at_.position(), "expected at most ", kMaxNesting, " groups within each other");
    std::vector<ExprPtr> parts;
    do {
      parts.push_back(depth == 0 ? parse_anchored() : parse_sequence(depth));
    } while (at_.skip("|"));
    return choice(std::move(parts));
  }

  // An outermost alternative with its ^ and $.
  ExprPtr parse_anchored() {
    const ExprPtr anything = repeat(chars(CodePointSet::all()), 0, kUnbounded);
    std::vector<ExprPtr> parts;
    if (!at_.skip("^") && match_ == RegexMatch::anywhere) parts.push_back(anything);
    parts.push_back(parse_sequence(0));
    if (!at_.skip("$") && match_ == RegexMatch::anywhere) parts.push_back(anything);
    if (!at_.at_end() && at_.peek() != '|' && at_.peek() != ')') {
      fail_at(at_.position() - 1, "expected $ only at the end of an outermost alternative");
    }
    return sequence(std::move(parts));
  }

  ExprPtr parse_sequence(int depth) {
    std::vector<ExprPtr> parts;
    while (!at_.at_end() && at_.peek() != '|' && at_.peek() != ')') {
      if (at_.peek() == '$' && depth == 0) break;
      parts.push_back(parse_quantifier(parse_atom(depth)));
    }
    return sequence(std::move(parts));
  }

  ExprPtr parse_atom(int depth) {
    const std::size_t begin = at_.position();
    switch (at_.peek()) {
      case '(':
        return parse_group(depth);
      case '[':
        at_.advance();
        return parse_class(begin);
      case '.':
        at_.advance();
        return chars(kLineEnds.complement());
      case '\\': {
        at_.advance();
        if (auto set = parse_class_escape()) return chars(std::move(*set));
        return chars(CodePointSet::of(parse_escape(begin, false)));
      }
      case '^':
        fail_at(begin, "expected ^ only at the beginning of an outermost alternative");
      case '$':
        fail_at(begin, "expected $ only at the end of an outermost alternative");
      case '*':
      case '+':
      case '?':
        fail_at(begin, "expected something before ", std::string(1, at_.peek()), " to repeat");
      case '{':
        if (quantifier_follows()) fail_at(begin, "expected something before { to repeat");
        [[fallthrough]];
      default:
        return chars(CodePointSet::of(at_.read_character()));
    }
  }

  ExprPtr parse_group(int depth) {
    const std::size_t begin = at_.position();
    at_.advance();
    if (at_.skip("?")) {
      if (at_.looking_at("=") || at_.looking_at("!")) fail_at(begin, "lookahead is not supported");
      if (at_.looking_at("<=") || at_.looking_at("<!")) fail_at(begin, "lookbehind is not supported");
      if (at_.looking_at(">")) fail_at(begin, "atomic groups are not supported");
      if (at_.looking_at("P=")) fail_at(begin, "backreferences are not supported");
      if (at_.skip("<") || at_.skip("P<")) {
        while (!at_.at_end() && at_.peek() != '>') at_.advance();
        if (!at_.skip(">")) fail_at(begin, "expected the group's name to end with >");
      } else if (!at_.skip(":")) {
        fail_at(begin, "flags and this kind of group are not supported: expected (, (?: or (?<name>");
      }
    }
    ExprPtr group = parse_choice(depth + 1);
    if (!at_.skip(")")) fail_at(begin, "expected a \")\" for this \"(\"");
    return group;
  }

  // \d and the like, after the backslash.
  std::optional<CodePointSet> parse_class_escape() {
    auto known = [&]() -> std::optional<CodePointSet> {
      switch (at_.peek()) {
        case 'd':
          return kDigits;
        case 'D':
          return kDigits.complement();
        case 'w':
          return kWordChars;
        case 'W':
          return kWordChars.complement();
        case 's':
          return kSpaces;
        case 'S':
          return kSpaces.complement();
        default:
          return std::nullopt;
      }
    }();
    if (known) at_.advance();
    return known;
  }

  // One character, after the backslash.
  char32_t parse_escape(std::size_t begin, bool in_class) {
    if (at_.at_end()) fail_at(begin, "expected something behind the backslash");
    const char c = at_.peek();
    if (c >= '1' && c <= '9') fail_at(begin, "backreferences are not supported");
    if (c == 'b' && in_class) return at_.advance(), U'\b';
    if (c == 'b' || c == 'B') fail_at(begin, "word boundaries (\\b, \\B) are not supported");
    if (c == 'k') fail_at(begin, "backreferences are not supported");
    if (c == 'p' || c == 'P') fail_at(begin, "Unicode properties (\\p, \\P) are not supported");
    if (c == 'A' || c == 'Z' || c == 'z')
      fail_at(begin, "expected ^ and $ as anchors: \\A, \\Z and \\z are not supported");
    const char32_t code = at_.read_character();
    switch (code) {
      case 't':
        return U'\t';
      case 'n':
        return U'\n';
      case 'v':
        return U'\v';
      case 'f':
        return U'\f';
      case 'r':
        return U'\r';
      case '0':
        if (at_.peek() >= '0' && at_.peek() <= '9') fail_at(begin, "octal escapes are not supported");
        return U'\0';
      case 'x':
        return scalar(at_.read_hex(2), begin);
      case 'u':
        return at_.looking_at("{") ? parse_braced_hex(begin) : parse_unicode_escape(begin);
      default:
        break;
    }
    if ((code >= 'a' && code <= 'z') || (code >= 'A' && code <= 'Z')) {
      fail_at(begin, "escape \\", static_cast<char>(code), " is not supported");
    }
    return code;
  }

  char32_t parse_braced_hex(std::size_t begin) {
    at_.advance();
    char32_t code = 0;
    std::size_t digits = 0;
    for (; hex_value(at_.peek()) >= 0 && digits < 8; ++digits) {
      code = code << 4 | static_cast<char32_t>(hex_value(at_.peek()));
      at_.advance();
    }
    if (digits == 0 || !at_.skip("}")) fail_at(begin, "expected hexadecimal digits and \"}\"");
    return scalar(code, begin);
  }

  // Two of them may be the halves of one character.
  char32_t parse_unicode_escape(std::size_t begin) {
    const auto code = at_.read_hex(4);
    if (code && *code >= 0xD800 && *code <= 0xDBFF && at_.skip("\\u")) {
      const auto low = at_.read_hex(4);
      if (low && *low >= 0xDC00 && *low <= 0xDFFF) return 0x10000 + ((*code - 0xD800) << 10) + (*low - 0xDC00);
    }
    return scalar(code, begin);
  }

  char32_t scalar(std::optional<char32_t> code, std::size_t begin) const {
    if (!code) fail_at(begin, "expected more hexadecimal digits");
    if (*code > kMaxCodePoint || (*code >= 0xD800 && *code <= 0xDFFF)) {
      fail_at(begin, "expected a character but this is no Unicode scalar value");
    }
    return *code;
  }

  ExprPtr parse_class(std::size_t begin) {
    const bool negated = at_.skip("^");
    // "[]" matches nothing in ECMA-262 and begins a class with a bracket elsewhere.
    if (at_.peek() == ']') fail_at(begin, "expected something in the class: write \\] for a bracket");
    std::vector<CodePointRange> ranges;
    while (!at_.skip("]")) {
      if (at_.at_end()) fail_at(begin, "expected a \"]\" for this \"[\"");
      if (at_.looking_at("[:")) fail_at(at_.position(), "POSIX classes are not supported: write \\[ for a bracket");
      const std::size_t item = at_.position();
      CodePointRange range = {0, 0};
      if (parse_class_item(ranges, range.first)) continue;
      range.last = range.first;
      if (at_.peek() == '-' && at_.peek(1) != ']' && at_.peek(1) != '\0') {
        at_.advance();
        if (parse_class_item(ranges, range.last)) fail_at(item, "expected a character at both ends of a range");
      }
      if (range.last < range.first) fail_at(item, "expected a range that goes up but its end is below its begin");
      ranges.push_back(range);
    }
    CodePointSet set(std::move(ranges));
    return chars(negated ? set.complement() : std::move(set));
  }

  // True: a class such as \d, added to the ranges. False: a character.
  bool parse_class_item(std::vector<CodePointRange>& ranges, char32_t& code) {
    const std::size_t begin = at_.position();
    if (!at_.skip("\\")) {
      code = at_.read_character();
      return false;
    }
    if (const auto known = parse_class_escape()) {
      ranges.insert(ranges.end(), known->ranges().begin(), known->ranges().end());
      return true;
    }
    code = parse_escape(begin, true);
    return false;
  }

  bool quantifier_follows() {
    const std::size_t begin = at_.position();
    at_.advance();
    bool is_one = at_.read_count().has_value();
    if (is_one && at_.skip(",")) at_.read_count();
    is_one = is_one && at_.skip("}");
    at_.move_to(begin);
    return is_one;
  }

  ExprPtr parse_quantifier(ExprPtr atom) {
    const std::size_t begin = at_.position();
    std::uint32_t min = 0;
    std::uint32_t max = kUnbounded;
    if (at_.skip("+")) {
      min = 1;
    } else if (at_.skip("?")) {
      max = 1;
    } else if (at_.peek() == '{' && quantifier_follows()) {
      at_.advance();
      min = max = *at_.read_count();
      if (at_.skip(",")) max = at_.read_count().value_or(kUnbounded);
      at_.advance();
    } else if (!at_.skip("*")) {
      return atom;
    }
    if (min > kMaxRepeat || (max != kUnbounded && max > kMaxRepeat)) {
      fail_at(begin, "expected counts of at most ", kMaxRepeat);
    }
    if (max < min) fail_at(begin, "expected {m,n} with m <= n but got ", min, " and ", max);
    if (!at_.skip("?") && at_.looking_at("+")) fail_at(at_.position(), "possessive quantifiers are not supported");
    if (at_.looking_at("*") || at_.looking_at("?") || at_.looking_at("+")) {
      fail_at(at_.position(), "expected one quantifier but got another behind it");
    }
    return repeat(std::move(atom), min, max);
  }

  SourceCursor at_;
  RegexMatch match_;
  std::string_view context_;
};

}  // namespace

ExprPtr parse_regex(std::string_view pattern, RegexMatch match, std::string_view context) {
  if (pattern.size() > kMaxSourceBytes) {
    fail(ErrorCode::invalid_argument, "regex", context, "expected at most ", kMaxSourceBytes, " bytes but got ",
         pattern.size());
  }
  if (const std::size_t bad = find_ill_formed(pattern); bad != std::string_view::npos) {
    fail(ErrorCode::invalid_argument, "regex", context, "expected UTF-8 but byte ", bad, " is ill-formed");
  }
  return RegexParser(pattern, match, context).run();
}

}  // namespace xlstm::text::grammar
