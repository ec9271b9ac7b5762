#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "xlstm/text/jinja/format.h"
#include "xlstm/text/jinja/operators.h"
#include "xlstm/text/jinja/unicode.h"

namespace xlstm::text::jinja {
namespace {

constexpr std::size_t kMaxWidth = 1000;  // of a field

/// %[flags][width][.precision]letter
struct Conversion {
  bool left = false, zeros = false, plus = false, blank = false;
  std::size_t width = 0;
  int precision = -1;
  char letter = '%';
};

class PercentFormatter {
 public:
  PercentFormatter(Runtime& runtime, std::string_view pattern, const Value& arguments)
      : runtime_(runtime), pattern_(pattern), arguments_{arguments} {
    if (const Sequence* tuple = as_sequence(arguments, SequenceKind::tuple)) {
      arguments_ = tuple->items;
    } else {
      // Python takes what has elements for a mapping, of which not every one must be used.
      const Sequence* sequence = as_sequence(arguments);
      may_ignore_ =
          is_undefined(arguments) || as_dict(arguments) != nullptr ||
          (sequence != nullptr && (sequence->kind == SequenceKind::list || sequence->kind == SequenceKind::range));
    }
  }

  std::string run() {
    while (place_ < pattern_.size()) {
      const char c = pattern_[place_++];
      if (c != '%') {
        out_ += c;
        continue;
      }
      const Conversion conversion = read_conversion();
      const std::string text = conversion.letter == '%' ? "%" : convert(conversion);
      runtime_.grow(out_.size(), text.size());
      out_ += text;
    }
    if (next_ != arguments_.size() && !may_ignore_)
      runtime_.fail("expected ", next_, " arguments of a pattern but got ", arguments_.size());
    return std::move(out_);
  }

 private:
  std::size_t read_number() {
    std::size_t number = 0;
    while (place_ < pattern_.size() && pattern_[place_] >= '0' && pattern_[place_] <= '9') {
      number = number * 10 + static_cast<std::size_t>(pattern_[place_++] - '0');
      if (number > kMaxWidth) runtime_.fail("expected at most ", kMaxWidth, " as the width of a field but got more");
    }
    return number;
  }

  Conversion read_conversion() {
    Conversion conversion;
    for (; place_ < pattern_.size(); ++place_) {
      const char c = pattern_[place_];
      bool* flag = c == '-'   ? &conversion.left
                   : c == '0' ? &conversion.zeros
                   : c == '+' ? &conversion.plus
                   : c == ' ' ? &conversion.blank
                              : nullptr;
      if (flag == nullptr) break;
      *flag = true;
    }
    conversion.width = read_number();
    if (place_ < pattern_.size() && pattern_[place_] == '.') {
      ++place_;
      conversion.precision = static_cast<int>(read_number());
    }
    if (place_ == pattern_.size()) runtime_.fail("expected a conversion behind % but got the end of the pattern");
    conversion.letter = pattern_[place_++];
    return conversion;
  }

  std::string convert(const Conversion& conversion) {
    if (std::string_view("srdiufxX").find(conversion.letter) == std::string_view::npos) {
      const std::size_t begin = place_ - 1;
      const std::string letter(pattern_.substr(begin, code_point_size(pattern_[begin])));
      runtime_.fail("the conversion %", letter, " is not supported");
    }
    if (next_ == arguments_.size()) runtime_.fail("expected more than ", next_, " arguments of a pattern");
    const Value& value = arguments_[next_++];
    if (conversion.letter == 's') return pad(conversion, cut(conversion, to_text(runtime_, value)));
    if (conversion.letter == 'r') return pad(conversion, cut(conversion, to_repr(runtime_, value)));
    return pad_number(conversion,
                      conversion.letter == 'f' ? float_digits(conversion, value) : digits(conversion, value));
  }

  static std::string cut(const Conversion& conversion, std::string text) {
    if (conversion.precision >= 0) text.resize(byte_offset(text, static_cast<std::size_t>(conversion.precision)));
    return text;
  }

  std::string digits(const Conversion& conversion, const Value& value) {
    expect_defined(runtime_, value);
    std::optional<std::int64_t> number = as_int(value);
    const bool is_hex = conversion.letter == 'x' || conversion.letter == 'X';
    if (const double* real = std::get_if<double>(&value); real != nullptr && !is_hex) {
      if (!(std::abs(*real) < 9.2e18))
        runtime_.fail("expected a float within an int of 64 bits but got ", float_text(*real));
      number = static_cast<std::int64_t>(*real);
    }
    if (!number) runtime_.fail("expected a number for %", conversion.letter, " but got ", type_name(value));
    char buffer[72];
    const auto magnitude = *number < 0 ? ~static_cast<std::uint64_t>(*number) + 1 : static_cast<std::uint64_t>(*number);
    const auto end = std::to_chars(buffer, buffer + sizeof(buffer), magnitude, is_hex ? 16 : 10).ptr;
    std::string text(buffer, end);
    if (conversion.letter == 'X') text = to_upper(text);
    if (static_cast<int>(text.size()) < conversion.precision) {
      text = std::string(static_cast<std::size_t>(conversion.precision) - text.size(), '0') + text;
    }
    return (*number < 0 ? "-" : "") + text;
  }

  std::string float_digits(const Conversion& conversion, const Value& value) {
    expect_defined(runtime_, value);
    if (!is_number(value)) runtime_.fail("expected a number for %f but got ", type_name(value));
    const double* real = std::get_if<double>(&value);
    const double number = real != nullptr ? *real : static_cast<double>(*as_int(value));
    if (!std::isfinite(number)) return float_text(number);
    const int precision = conversion.precision < 0 ? 6 : conversion.precision;
    std::string text(static_cast<std::size_t>(precision) + 320, '\0');
    const auto end =
        std::to_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed, precision).ptr;
    text.resize(static_cast<std::size_t>(end - text.data()));
    return text;
  }

  static std::string pad(const Conversion& conversion, std::string text) {
    const std::size_t length = count_code_points(text);
    if (length >= conversion.width) return text;
    const std::string blanks(conversion.width - length, ' ');
    return conversion.left ? text + blanks : blanks + text;
  }

  static std::string pad_number(const Conversion& conversion, std::string text) {
    if (text[0] != '-' && conversion.plus) {
      text = '+' + text;
    } else if (text[0] != '-' && conversion.blank) {
      text = ' ' + text;
    }
    if (!conversion.zeros || conversion.left || text.size() >= conversion.width)
      return pad(conversion, std::move(text));
    const std::size_t sign = text[0] == '-' || text[0] == '+' || text[0] == ' ' ? 1 : 0;
    return text.insert(sign, conversion.width - text.size(), '0');
  }

  Runtime& runtime_;
  std::string_view pattern_;
  std::vector<Value> arguments_;
  bool may_ignore_ = false;
  std::size_t place_ = 0;
  std::size_t next_ = 0;
  std::string out_;
};

// The argument that a field of a brace pattern names; `automatic` counts fields without a name, -1 once one had a
// number.
const Value& field_value(Runtime& runtime, std::string_view field, const Arguments& arguments,
                         std::int64_t& automatic) {
  if (field.find_first_of(".[!:{") != std::string_view::npos) {
    runtime.fail("in a pattern of format(), a field of more than a name or a number is not supported");
  }
  const bool is_number = !field.empty() && field.find_first_not_of("0123456789") == std::string_view::npos;
  if (!field.empty() && !is_number) {
    for (const auto& [name, value] : arguments.named) {
      if (name == field) return value;
    }
    runtime.fail("expected an argument named ", field, " of format() but got none");
  }
  if (is_number ? automatic > 0 : automatic < 0) {
    runtime.fail("expected all fields of a pattern with numbers or all without but got both");
  }
  std::size_t index = 0;
  if (is_number) {
    automatic = -1;
    if (std::from_chars(field.data(), field.data() + field.size(), index).ec != std::errc())
      index = arguments.positional.size();
  } else {
    index = static_cast<std::size_t>(automatic++);
  }
  if (index >= arguments.positional.size()) {
    runtime.fail("expected more than ", arguments.positional.size(), " arguments of format()");
  }
  return arguments.positional[index];
}

}  // namespace

Value percent_format(Runtime& runtime, std::string_view pattern, const Value& arguments) {
  runtime.reserve(pattern.size());
  return runtime.text(PercentFormatter(runtime, pattern, arguments).run());
}

Value brace_format(Runtime& runtime, std::string_view pattern, const Arguments& arguments) {
  runtime.reserve(pattern.size());
  std::string out;
  std::int64_t automatic = 0;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    const bool is_brace = c == '{' || c == '}';
    const bool doubled = is_brace && i + 1 < pattern.size() && pattern[i + 1] == c;
    if (!is_brace || doubled) {
      out += c;
      i += doubled ? 1 : 0;
      continue;
    }
    const std::size_t end = pattern.find('}', i);
    if (c == '}' || end == std::string_view::npos)
      runtime.fail("expected \"{\" and \"}\" in pairs in a pattern of format()");
    const std::string text =
        to_text(runtime, field_value(runtime, pattern.substr(i + 1, end - i - 1), arguments, automatic));
    runtime.grow(out.size(), text.size());
    out += text;
    i = end;
  }
  return runtime.text(std::move(out));
}

}  // namespace xlstm::text::jinja
