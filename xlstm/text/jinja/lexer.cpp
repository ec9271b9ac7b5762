#include "xlstm/text/jinja/lexer.h"

#include <array>
#include <utility>

#include "xlstm/text/jinja/literals.h"
#include "xlstm/text/jinja/unicode.h"

namespace xlstm::text::jinja {
namespace {

// Longest first.
constexpr std::array<std::string_view, 26> kOperators = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/",
                                                         "*",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                                         ">",  "<",  "=",  ".",  ":",  "|",  ",", ";"};

bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c >= '0' && c <= '9');
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  std::vector<Token> run() {
    while (place_ < source_.size()) read_root();
    add(TokenKind::end, "");
    return std::move(tokens_);
  }

 private:
  std::string_view rest() const { return source_.substr(place_); }
  bool starts_with(std::string_view text) const { return rest().substr(0, text.size()) == text; }
  std::size_t blanks_at(std::size_t place) const {
    return source_.size() - place - strip_left(source_.substr(place), nullptr).size();
  }
  void advance(std::size_t bytes) {
    for (const char c : source_.substr(place_, bytes)) {
      if (c == '\n') {
        ++position_.line;
        position_.column = 1;
      } else if ((static_cast<unsigned char>(c) & 0xc0) != 0x80) {
        ++position_.column;
      }
    }
    place_ += bytes;
    if (bytes > 0) line_starting_ = source_[place_ - 1] == '\n';
  }
  void add(TokenKind kind, std::string text) { tokens_.push_back({kind, std::move(text), None{}, position_}); }

  void read_root();
  void add_data(std::string_view text, char sign, bool is_output);
  void read_comment();
  bool read_raw();
  void read_tag(TokenKind begin, std::string_view close);
  bool read_end(std::string_view close);
  void read_token();
  void read_literal(std::pair<Value, std::size_t> literal);
  void read_operator();

  std::string_view source_;
  std::size_t place_ = 0;
  Position position_;
  bool line_starting_ = true;   // what was read last ended a line
  std::vector<char> brackets_;  // that wait to be closed
  std::vector<Token> tokens_;
};

// Text up to the next tag, then the tag.
void Lexer::read_root() {
  std::size_t tag = place_;
  do {
    tag = source_.find('{', tag);
  } while (tag != std::string_view::npos && ++tag < source_.size() && source_[tag] != '%' && source_[tag] != '{' &&
           source_[tag] != '#');
  if (tag == std::string_view::npos || tag == source_.size()) {
    add(TokenKind::data, std::string(rest()));
    advance(source_.size() - place_);
    return;
  }
  const char kind = source_[tag];
  const std::size_t length = tag - 1 - place_;
  const char sign = tag + 1 < source_.size() ? source_[tag + 1] : ' ';
  add_data(source_.substr(place_, length), sign, kind == '{');
  advance(length);
  if (kind == '#') return read_comment();
  if (kind == '%' && read_raw()) return;
  const TokenKind begin = kind == '{' ? TokenKind::output_begin : TokenKind::block_begin;
  read_tag(begin, kind == '{' ? "}}" : "%}");
}

// Text before a tag, less the blanks that the tag takes away: all with "-", those of its line (unless it is an output)
// without "+".
void Lexer::add_data(std::string_view text, char sign, bool is_output) {
  if (sign == '-') {
    text = strip_right(text, nullptr);
  } else if (sign != '+' && !is_output) {
    const std::size_t line = text.rfind('\n') + 1;
    if ((line > 0 || line_starting_) && strip_left(text.substr(line), nullptr).empty()) text = text.substr(0, line);
  }
  if (!text.empty()) add(TokenKind::data, std::string(text));
}

void Lexer::read_comment() {
  std::size_t begin = place_ + 2;
  if (begin < source_.size() && (source_[begin] == '-' || source_[begin] == '+')) ++begin;
  const std::size_t end = source_.find("#}", begin);
  if (end == std::string_view::npos) fail_at(position_, "expected \"#}\" behind the comment but got the end");
  const char sign = end > begin ? source_[end - 1] : ' ';
  const std::size_t behind = end + 2;
  advance(behind - place_);
  if (sign == '-') {
    advance(blanks_at(place_));
  } else if (sign != '+' && starts_with("\n")) {
    advance(1);
  }
}

// {% raw %} ... {% endraw %}; false if the tag is another one.
bool Lexer::read_raw() {
  const auto read_word = [this](std::size_t place, std::string_view word) -> std::size_t {
    if (place < source_.size() && (source_[place] == '-' || source_[place] == '+')) ++place;
    place += blanks_at(place);
    if (source_.substr(place, word.size()) != word) return 0;
    place += word.size();
    return place + blanks_at(place);
  };
  const std::size_t name_end = read_word(place_ + 2, "raw");
  if (name_end == 0) return false;
  const bool strip = source_.substr(name_end, 3) == "-%}";
  if (!strip && source_.substr(name_end, 2) != "%}") return false;
  const Position begin = position_;
  advance(name_end + (strip ? 3 : 2) - place_);
  if (strip) advance(blanks_at(place_));
  for (std::size_t tag = source_.find("{%", place_); tag != std::string_view::npos; tag = source_.find("{%", tag + 1)) {
    const std::size_t end = read_word(tag + 2, "endraw");
    if (end == 0) continue;
    const char sign = end < source_.size() && (source_[end] == '-' || source_[end] == '+') ? source_[end] : ' ';
    const std::size_t close = end + (sign == ' ' ? 0 : 1);
    if (source_.substr(close, 2) != "%}") continue;
    const std::size_t length = tag - place_;
    add_data(source_.substr(place_, length), source_[tag + 2], false);
    advance(close + 2 - place_);
    if (sign == '-') {
      advance(blanks_at(place_));
    } else if (sign != '+' && starts_with("\n")) {
      advance(1);
    }
    return true;
  }
  fail_at(begin, "expected \"{% endraw %}\" behind \"{% raw %}\" but got the end");
}

void Lexer::read_tag(TokenKind begin, std::string_view close) {
  const Position opened = position_;
  add(begin, "");
  advance(2);
  if (starts_with("-") || starts_with("+")) advance(1);
  while (!read_end(close)) {
    if (place_ == source_.size()) {
      fail_at(opened, "expected \"" + std::string(close) + "\" to close the tag but got the end");
    }
    read_token();
  }
}

bool Lexer::read_end(std::string_view close) {
  if (!brackets_.empty()) return false;
  const bool is_block = close == "%}";
  const char sign = starts_with("-") || (is_block && starts_with("+")) ? source_[place_] : ' ';
  const std::size_t size = (sign == ' ' ? 0 : 1) + close.size();
  if (rest().substr(size - close.size(), close.size()) != close) return false;
  add(is_block ? TokenKind::block_end : TokenKind::output_end, "");
  advance(size);
  if (sign == '-') {
    advance(blanks_at(place_));
  } else if (is_block && sign == ' ' && starts_with("\n")) {
    advance(1);
  }
  return true;
}

void Lexer::read_token() {
  const char c = source_[place_];
  if (const std::size_t blanks = blanks_at(place_); blanks > 0) return advance(blanks);
  if (c >= '0' && c <= '9') {
    const bool behind_dot = place_ > 0 && source_[place_ - 1] == '.';
    return read_literal(read_number(rest(), behind_dot, position_));
  }
  if (c == '\'' || c == '"') return read_literal(read_string(rest(), position_));
  if (!is_name_byte(c)) return read_operator();
  std::size_t size = 1;
  while (size < rest().size() && is_name_byte(rest()[size])) ++size;
  add(TokenKind::name, std::string(rest().substr(0, size)));
  advance(size);
}

void Lexer::read_literal(std::pair<Value, std::size_t> literal) {
  tokens_.push_back(
      {TokenKind::literal, std::string(rest().substr(0, literal.second)), std::move(literal.first), position_});
  advance(literal.second);
}

void Lexer::read_operator() {
  for (const std::string_view op : kOperators) {
    if (!starts_with(op)) continue;
    const char c = op[0];
    if (c == '{' || c == '(' || c == '[') brackets_.push_back(c == '{' ? '}' : c == '(' ? ')' : ']');
    if (c == '}' || c == ')' || c == ']') {
      if (brackets_.empty()) fail_at(position_, "expected an expression but got \"" + std::string(op) + '"');
      if (brackets_.back() != c) {
        fail_at(position_, std::string("expected \"") + brackets_.back() + "\" but got \"" + c + '"');
      }
      brackets_.pop_back();
    }
    add(TokenKind::op, std::string(op));
    return advance(op.size());
  }
  const std::size_t size = code_point_size(source_[place_]);
  fail_at(position_, "expected an expression but got \"" + std::string(rest().substr(0, size)) + '"');
}

}  // namespace

std::string normalize_newlines(std::string_view source) {
  std::string text;
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n') continue;
    text += source[i] == '\r' ? '\n' : source[i];
  }
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

std::vector<Token> tokenize(std::string_view source) { return Lexer(source).run(); }

}  // namespace xlstm::text::jinja
