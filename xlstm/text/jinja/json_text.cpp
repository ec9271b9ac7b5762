#include <algorithm>
#include <cmath>

#include "xlstm/text/jinja/format.h"
#include "xlstm/text/jinja/operators.h"
#include "xlstm/text/jinja/unicode.h"

namespace xlstm::text::jinja {
namespace {

std::string unit(char32_t code) {
  std::string text = "\\u0000";
  for (std::size_t i = 5; i > 1; --i, code >>= 4) text[i] = "0123456789abcdef"[code & 0xf];
  return text;
}

std::string quoted(std::string_view text, bool ensure_ascii) {
  constexpr std::string_view kEscaped = "\"\\\n\r\t\f\b";
  constexpr std::string_view kLetters = "\"\\nrtfb";
  std::string out = "\"";
  for (std::size_t place = 0; place < text.size();) {
    const char32_t code = read_code_point(text, place);
    const std::size_t letter = code < 0x80 ? kEscaped.find(static_cast<char>(code)) : std::string_view::npos;
    if (letter != std::string_view::npos) {
      out += {'\\', kLetters[letter]};
    } else if (code < 0x20 || (ensure_ascii && code > 0x7e && code < 0x10000)) {
      out += unit(code);
    } else if (ensure_ascii && code >= 0x10000) {
      out += unit(0xd800 + ((code - 0x10000) >> 10)) + unit(0xdc00 + ((code - 0x10000) & 0x3ff));
    } else {
      append_code_point(code, out);
    }
  }
  return out += '"';
}

class Writer {
 public:
  Writer(Runtime& runtime, const JsonStyle& style) : runtime_(runtime), style_(style) {}

  void write(const Value& value) {
    const Runtime::Nested nested(runtime_);
    runtime_.grow(out_.size(), 64);
    if (const Text* text = as_text(value)) {
      runtime_.grow(out_.size(), text->utf8.size());
      out_ += quoted(text->utf8, style_.ensure_ascii);
    } else if (const Dict* dict = as_dict(value)) {
      write_dict(*dict);
    } else if (as_sequence(value, SequenceKind::list) != nullptr ||
               as_sequence(value, SequenceKind::tuple) != nullptr) {
      write_items(as_sequence(value)->items);
    } else {
      out_ += scalar(value);
    }
  }
  std::string take() { return std::move(out_); }

 private:
  std::string scalar(const Value& value) {
    if (is_none(value)) return "null";
    if (const bool* boolean = std::get_if<bool>(&value)) return *boolean ? "true" : "false";
    if (const auto number = as_int(value)) return std::to_string(*number);
    const double* number = std::get_if<double>(&value);
    if (number == nullptr) runtime_.fail("expected a value that JSON can hold but got ", type_name(value));
    if (std::isnan(*number)) return "NaN";
    if (std::isinf(*number)) return *number < 0 ? "-Infinity" : "Infinity";
    return float_text(*number);
  }

  // Keys of other types become strings, as json.dumps makes them.
  std::string key_text(const Value& key) {
    if (const Text* text = as_text(key)) return text->utf8;
    if (is_none(key) || is_number(key)) return scalar(key);
    runtime_.fail("expected a key that JSON can hold but got ", type_name(key));
  }

  void new_line() {
    if (!style_.indented) return;
    runtime_.grow(out_.size(), style_.indent.size() * level_);
    out_ += '\n';
    for (std::size_t i = 0; i < level_; ++i) out_ += style_.indent;
  }

  void add_separator() {
    runtime_.grow(out_.size(), style_.item_separator.size() + style_.key_separator.size());
    out_ += style_.item_separator;
  }

  void write_items(const std::vector<Value>& items) {
    if (items.empty()) {
      out_ += "[]";
      return;
    }
    out_ += '[';
    ++level_;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) add_separator();
      new_line();
      write(items[i]);
    }
    --level_;
    new_line();
    out_ += ']';
  }

  void write_dict(const Dict& dict) {
    if (dict.entries.empty()) {
      out_ += "{}";
      return;
    }
    std::vector<const std::pair<Value, Value>*> entries;
    for (const auto& entry : dict.entries) entries.push_back(&entry);
    if (style_.sort_keys) {
      std::stable_sort(entries.begin(), entries.end(),
                       [this](const auto* a, const auto* b) { return less(runtime_, a->first, b->first); });
    }
    out_ += '{';
    ++level_;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (i > 0) add_separator();
      new_line();
      out_ += quoted(key_text(entries[i]->first), style_.ensure_ascii) + style_.key_separator;
      write(entries[i]->second);
    }
    --level_;
    new_line();
    out_ += '}';
  }

  Runtime& runtime_;
  const JsonStyle& style_;
  std::string out_;
  std::size_t level_ = 0;
};

}  // namespace

std::string to_json(Runtime& runtime, const Value& value, const JsonStyle& style) {
  Writer writer(runtime, style);
  writer.write(value);
  return writer.take();
}

}  // namespace xlstm::text::jinja
