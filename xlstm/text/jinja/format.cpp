#include "xlstm/text/jinja/format.h"

#include <charconv>
#include <cmath>
#include <cstdint>

#include "xlstm/text/jinja/operators.h"
#include "xlstm/text/jinja/unicode.h"

namespace xlstm::text::jinja {
namespace {

std::string hex(char32_t code, std::size_t digits) {
  std::string text(digits, '0');
  for (std::size_t i = digits; i > 0; --i, code >>= 4) text[i - 1] = "0123456789abcdef"[code & 0xf];
  return text;
}

std::string quoted(std::string_view text) {
  const bool has_single = text.find('\'') != std::string_view::npos;
  const char quote = has_single && text.find('"') == std::string_view::npos ? '"' : '\'';
  std::string out(1, quote);
  for (std::size_t place = 0; place < text.size();) {
    const char32_t code = read_code_point(text, place);
    if (code == static_cast<char32_t>(quote) || code == '\\') {
      out += {'\\', static_cast<char>(code)};
    } else if (code == '\n') {
      out += "\\n";
    } else if (code == '\r') {
      out += "\\r";
    } else if (code == '\t') {
      out += "\\t";
    } else if (is_printable(code)) {
      append_code_point(code, out);
    } else {
      out += code < 0x100 ? "\\x" + hex(code, 2) : code < 0x10000 ? "\\u" + hex(code, 4) : "\\U" + hex(code, 8);
    }
  }
  return out += quote;
}

// The shared part of str() and repr(): containers show the repr of what they hold.
class Repr {
 public:
  explicit Repr(Runtime& runtime) : runtime_(runtime) {}

  void append(const Value& value) {
    const Runtime::Nested nested(runtime_);
    runtime_.step();
    if (const Text* text = as_text(value)) {
      add(quoted(text->utf8));
    } else if (const Sequence* sequence = as_sequence(value)) {
      append_sequence(*sequence);
    } else if (const Dict* dict = as_dict(value)) {
      append_dict(*dict);
    } else if (is_undefined(value)) {
      add("Undefined");
    } else {
      append_scalar(value);
    }
  }
  std::string take() { return std::move(text_); }

 private:
  void add(std::string_view text) {
    runtime_.grow(text_.size(), text.size());
    text_ += text;
  }

  void append_scalar(const Value& value) {
    if (is_none(value)) return add("None");
    if (const bool* boolean = std::get_if<bool>(&value)) return add(*boolean ? "True" : "False");
    if (const auto* number = std::get_if<std::int64_t>(&value)) return add(std::to_string(*number));
    if (const double* number = std::get_if<double>(&value)) return add(float_text(*number));
    if (const Object* object = as_object(value)) return add(object->repr(runtime_));
    runtime_.fail("expected a value that can be printed but got ", type_name(value), ": use |list");
  }

  void append_items(const std::vector<Value>& items) {
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) add(", ");
      append(items[i]);
    }
  }

  void append_sequence(const Sequence& sequence) {
    if (sequence.kind == SequenceKind::range) {
      add("range(" + std::to_string(sequence.start) + ", " + std::to_string(sequence.stop));
      if (sequence.step != 1) add(", " + std::to_string(sequence.step));
      return add(")");
    }
    const bool is_tuple = sequence.kind == SequenceKind::tuple;
    const bool is_view = !is_tuple && sequence.kind != SequenceKind::list;
    if (is_view) add(std::string(type_name_of(sequence)) + '(');
    add(is_tuple ? "(" : "[");
    append_items(sequence.items);
    add(is_tuple ? (sequence.items.size() == 1 ? ",)" : ")") : "]");
    if (is_view) add(")");
  }

  static std::string_view type_name_of(const Sequence& sequence) {
    return sequence.kind == SequenceKind::dict_keys     ? "dict_keys"
           : sequence.kind == SequenceKind::dict_values ? "dict_values"
                                                        : "dict_items";
  }

  void append_dict(const Dict& dict) {
    add("{");
    for (std::size_t i = 0; i < dict.entries.size(); ++i) {
      if (i > 0) add(", ");
      append(dict.entries[i].first);
      add(": ");
      append(dict.entries[i].second);
    }
    add("}");
  }

  Runtime& runtime_;
  std::string text_;
};

}  // namespace

std::string float_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[64];
  const auto result = std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::scientific);
  const std::string_view written(buffer, static_cast<std::size_t>(result.ptr - buffer));
  const std::size_t e = written.find('e');
  std::string digits;
  for (const char c : written.substr(0, e)) {
    if (c >= '0' && c <= '9') digits += c;
  }
  const int exponent = std::stoi(std::string(written.substr(e + 1)));
  const auto count = static_cast<int>(digits.size());
  std::string text = std::signbit(value) ? "-" : "";
  if (exponent < -4 || exponent >= 16) {
    text += digits[0];
    if (count > 1) text += '.' + digits.substr(1);
    const std::string power = std::to_string(std::abs(exponent));
    return text + (exponent < 0 ? "e-" : "e+") + (power.size() < 2 ? "0" : "") + power;
  }
  if (exponent < 0) return text + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  if (count <= exponent + 1)
    return text + digits + std::string(static_cast<std::size_t>(exponent + 1 - count), '0') + ".0";
  const auto whole = static_cast<std::size_t>(exponent + 1);
  return text + digits.substr(0, whole) + '.' + digits.substr(whole);
}

std::string to_text(Runtime& runtime, const Value& value) {
  if (const Text* text = as_text(value)) return text->utf8;
  return is_undefined(value) ? std::string() : to_repr(runtime, value);
}

std::string to_repr(Runtime& runtime, const Value& value) {
  Repr repr(runtime);
  repr.append(value);
  return repr.take();
}

}  // namespace xlstm::text::jinja
