#include <algorithm>

#include "xlstm/text/jinja/arguments.h"
#include "xlstm/text/jinja/filter_table.h"
#include "xlstm/text/jinja/format.h"
#include "xlstm/text/jinja/operators.h"
#include "xlstm/text/jinja/text_ops.h"
#include "xlstm/text/jinja/unicode.h"

namespace xlstm::text::jinja {
namespace {

using std::string_view;

// These take any value as the str of it.
template <std::string (*kMap)(string_view)>
Value mapped(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Bound(runtime, "a filter of strings", arguments, {});
  const std::string text = to_text(runtime, input);
  runtime.reserve(4 * text.size());
  return runtime.text(kMap(text));
}

// A word begins behind blanks, hyphens and opening brackets.
std::string title(string_view text) {
  std::string out;
  std::string word;
  const auto end_word = [&] {
    if (word.empty()) return;
    const std::size_t first = code_point_size(word[0]);
    out += to_upper(string_view(word).substr(0, first)) + to_lower(string_view(word).substr(first));
    word.clear();
  };
  for (std::size_t place = 0; place < text.size();) {
    const std::size_t begin = place;
    const char32_t code = read_code_point(text, place);
    if (is_space(code) || (code < 0x80 && string_view("-({[<").find(static_cast<char>(code)) != string_view::npos)) {
      end_word();
      out += text.substr(begin, place - begin);
    } else {
      word += text.substr(begin, place - begin);
    }
  }
  end_word();
  return out;
}

Value center(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Bound bound(runtime, "center", arguments, {"width"});
  const std::string text = to_text(runtime, input);
  const std::int64_t width = bound.integer(0, 80);
  const auto length = static_cast<std::int64_t>(count_code_points(text));
  if (width <= length) return runtime.text(text);
  const std::int64_t missing = width - length;
  runtime.reserve(static_cast<std::size_t>(missing));
  const std::int64_t before = missing / 2 + (missing & width & 1);
  return runtime.text(std::string(static_cast<std::size_t>(before), ' ') + text +
                      std::string(static_cast<std::size_t>(missing - before), ' '));
}

Value format(Runtime& runtime, const Value& input, const Arguments& arguments) {
  if (!arguments.named.empty()) runtime.fail("named arguments of the filter format are not supported");
  return percent_format(runtime, to_text(runtime, input), runtime.tuple(arguments.positional));
}

Value indent(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Bound bound(runtime, "indent", arguments, {"width", "first", "blank"});
  const std::string& text = expect_text(runtime, input, "a str to indent");
  std::string indentation;
  if (bound[0] != nullptr && as_text(*bound[0]) != nullptr) {
    indentation = as_text(*bound[0])->utf8;
  } else {
    const auto width = static_cast<std::size_t>(std::max<std::int64_t>(bound.integer(0, 4), 0));
    runtime.reserve(width);
    indentation.assign(width, ' ');
  }
  const bool first = bound.truth(1);
  const bool blank = bound.truth(2);
  std::string out;
  const std::vector<std::string> lines = split_lines(runtime, text + '\n', false);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    runtime.grow(out.size(), lines[i].size() + indentation.size() + 1);
    if (i > 0) out += '\n';
    const bool indented = i == 0 ? first : blank || !lines[i].empty();
    if (indented) out += indentation;
    out += lines[i];
  }
  return runtime.text(std::move(out));
}

Value replace(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Bound bound(runtime, "replace", arguments, {"old", "new", "count"}, 2);
  const std::int64_t count = bound.has(2) ? bound.integer(2, -1) : -1;
  return replace_text(runtime, to_text(runtime, input), to_text(runtime, *bound[0]), to_text(runtime, *bound[1]),
                      count);
}

Value string(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Bound(runtime, "string", arguments, {});
  return runtime.text(to_text(runtime, input));
}

Value trim(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Bound bound(runtime, "trim", arguments, {"chars"});
  return strip_text(runtime, to_text(runtime, input), bound.get(0, None{}), true, true);
}

Value truncate(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Bound bound(runtime, "truncate", arguments, {"length", "killwords", "end", "leeway"});
  const std::int64_t length = bound.integer(0, 255);
  const std::string end = bound.text(2, "...");
  const std::int64_t leeway = bound.has(3) ? bound.integer(3, 5) : 5;
  const auto end_length = static_cast<std::int64_t>(count_code_points(end));
  if (length < end_length) runtime.fail("expected a length of at least ", end_length, " but got ", length);
  if (leeway < 0) runtime.fail("expected a leeway of at least 0 but got ", leeway);
  const std::int64_t has = length_of(runtime, input);
  if (has <= length || has - length <= leeway) return input;
  const std::string& text = expect_text(runtime, input, "a str to truncate");
  std::string kept = text.substr(0, byte_offset(text, static_cast<std::size_t>(length - end_length)));
  const std::size_t blank = kept.rfind(' ');
  if (!bound.truth(1) && blank != std::string::npos) kept.resize(blank);
  return runtime.text(kept + end);
}

std::string quote(string_view text, string_view safe) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z') ||
                       string_view("_.-~").find(c) != string_view::npos || safe.find(c) != string_view::npos;
    if (plain) {
      out += c;
    } else if (c == ' ' && safe.empty()) {
      out += '+';
    } else {
      out += {'%', "0123456789ABCDEF"[byte >> 4], "0123456789ABCDEF"[byte & 0xf]};
    }
  }
  return out;
}

Value urlencode(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Bound(runtime, "urlencode", arguments, {});
  if (as_text(input) != nullptr || !is_iterable(input)) {
    const std::string text = to_text(runtime, input);
    runtime.reserve(3 * text.size());
    return runtime.text(quote(text, "/"));
  }
  std::vector<Value> pairs;
  if (const Dict* dict = as_dict(input)) {
    for (const auto& [key, value] : dict->entries) pairs.push_back(runtime.tuple({key, value}));
  } else {
    pairs = items_of(runtime, input);
  }
  std::string out;
  for (const Value& pair : pairs) {
    const std::vector<Value> both = items_of(runtime, pair);
    if (both.size() != 2) runtime.fail("expected pairs to encode but got ", both.size(), " values");
    const std::string key = to_text(runtime, both[0]);
    const std::string value = to_text(runtime, both[1]);
    runtime.grow(out.size(), 3 * (key.size() + value.size()));
    if (!out.empty()) out += '&';
    out += quote(key, "");
    out += '=';
    out += quote(value, "");
  }
  return runtime.text(std::move(out));
}

Value wordcount(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Bound(runtime, "wordcount", arguments, {});
  const std::string text = to_text(runtime, input);
  runtime.work(text.size());
  std::int64_t words = 0;
  bool in_word = false;
  for (std::size_t place = 0; place < text.size();) {
    const char32_t code = read_code_point(text, place);
    const bool is_word = is_alpha(code) || is_numeric(code) || code == '_';
    words += is_word && !in_word ? 1 : 0;
    in_word = is_word;
  }
  return words;
}

constexpr FilterEntry kFilters[] = {
    {"capitalize", mapped<capitalize>}, {"center", center},       {"format", format},     {"indent", indent},
    {"lower", mapped<to_lower>},        {"replace", replace},     {"safe", string},       {"string", string},
    {"title", mapped<title>},           {"trim", trim},           {"truncate", truncate}, {"upper", mapped<to_upper>},
    {"urlencode", urlencode},           {"wordcount", wordcount},
};

}  // namespace

FilterFunction find_string_filter(string_view name) { return find_filter(kFilters, name); }

}  // namespace xlstm::text::jinja
