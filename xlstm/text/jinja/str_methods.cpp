#include <algorithm>
#include <functional>

#include "xlstm/text/jinja/arguments.h"
#include "xlstm/text/jinja/format.h"
#include "xlstm/text/jinja/methods.h"
#include "xlstm/text/jinja/operators.h"
#include "xlstm/text/jinja/text_ops.h"
#include "xlstm/text/jinja/unicode.h"

namespace xlstm::text::jinja {
namespace {

using std::string_view;

const std::string& text_of(const Value& self) { return as_text(self)->utf8; }

template <std::string (*kMap)(string_view)>
Value mapped(Runtime& runtime, const Value& self, const Arguments& arguments) {
  Bound(runtime, "a method of str", arguments, {});
  runtime.reserve(4 * text_of(self).size());  // what the mapping works with
  return runtime.text(kMap(text_of(self)));
}

template <bool kLeft, bool kRight>
Value strip(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Bound bound(runtime, "strip()", arguments, {"chars"});
  return strip_text(runtime, text_of(self), bound.has(0) ? *bound[0] : Value(None{}), kLeft, kRight);
}

// True when all characters fit and there is one at least.
template <bool (*kFits)(char32_t)>
Value all_are(Runtime& runtime, const Value& self, const Arguments& arguments) {
  Bound(runtime, "a method of str", arguments, {});
  const std::string& text = text_of(self);
  runtime.work(text.size());
  for (std::size_t place = 0; place < text.size();) {
    if (!kFits(read_code_point(text, place))) return false;
  }
  return !text.empty();
}

bool is_alphanumeric(char32_t code) { return is_alpha(code) || is_numeric(code); }

template <bool kUpper>
Value is_case(Runtime& runtime, const Value& self, const Arguments& arguments) {
  Bound(runtime, "a method of str", arguments, {});
  runtime.work(text_of(self).size());
  return kUpper ? is_upper_text(text_of(self)) : is_lower_text(text_of(self));
}

Value is_title_case(Runtime& runtime, const Value& self, const Arguments& arguments) {
  Bound(runtime, "istitle()", arguments, {});
  const std::string& text = text_of(self);
  runtime.work(text.size());
  bool behind_cased = false;
  bool any = false;
  for (std::size_t place = 0; place < text.size();) {
    const char32_t code = read_code_point(text, place);
    const bool large = is_upper(code) || is_title(code);
    const bool small = is_lower(code);
    if ((large && behind_cased) || (small && !behind_cased)) return false;
    behind_cased = large || small;
    any = any || behind_cased;
  }
  return any;
}

Value is_ascii(Runtime& runtime, const Value& self, const Arguments& arguments) {
  Bound(runtime, "isascii()", arguments, {});
  return as_text(self)->length == text_of(self).size();
}

// The bytes of text[start:stop], and where they begin.
string_view part_of(const Text& text, const Bound& bound, std::size_t first, std::size_t& begin) {
  const auto length = static_cast<std::int64_t>(text.length);
  const auto clamp = [&](std::int64_t index) {
    return std::clamp<std::int64_t>(index < 0 ? index + length : index, 0, length);
  };
  const std::int64_t from = bound.has(first) ? bound.integer(first, 0) : 0;
  const std::int64_t start = clamp(from);
  const std::int64_t stop = bound.has(first + 1) ? clamp(bound.integer(first + 1, 0)) : length;
  begin = byte_offset(text.utf8, static_cast<std::size_t>(start));
  // Behind the end nothing is found, not even an empty part.
  if (start > stop || from > length) return {};
  const string_view rest = string_view(text.utf8).substr(begin);
  return rest.substr(0, byte_offset(rest, static_cast<std::size_t>(stop - start)));
}
bool is_behind_end(const Text& text, const Bound& bound, std::size_t first) {
  const auto length = static_cast<std::int64_t>(text.length);
  const auto resolve = [&](std::int64_t index) {
    return index < 0 ? std::max<std::int64_t>(index + length, 0) : index;
  };
  const std::int64_t start = bound.has(first) ? resolve(bound.integer(first, 0)) : 0;
  const std::int64_t stop = bound.has(first + 1) ? std::min(resolve(bound.integer(first + 1, 0)), length) : length;
  return start > stop;
}

template <bool kStart>
Value starts_or_ends(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Bound bound(runtime, kStart ? "startswith()" : "endswith()", arguments, {"affix", "start", "end"}, 1);
  std::size_t begin = 0;
  const string_view text = part_of(*as_text(self), bound, 1, begin);
  const bool behind = is_behind_end(*as_text(self), bound, 1);
  runtime.work(begin);
  const auto fits = [&](const Value& affix) {
    const std::string& part = expect_text(runtime, affix, "a str, or a tuple of them, to look for");
    runtime.work(part.size());
    return !behind && (kStart ? text.starts_with(part) : text.ends_with(part));
  };
  const Sequence* tuple = as_sequence(*bound[0], SequenceKind::tuple);
  if (tuple == nullptr) return fits(*bound[0]);
  return std::any_of(tuple->items.begin(), tuple->items.end(), fits);
}

template <bool kLast, bool kMustBeThere>
Value find_part(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Bound bound(runtime, kMustBeThere ? "index()" : "find()", arguments, {"sub", "start", "end"}, 1);
  const std::string& part = expect_text(runtime, *bound[0], "a str to look for");
  const Text& text = *as_text(self);
  runtime.work(text.utf8.size());
  std::size_t begin = 0;
  const string_view where = part_of(text, bound, 1, begin);
  const std::size_t found = is_behind_end(text, bound, 1) ? string_view::npos
                            : kLast                       ? rfind_text(runtime, where, part)
                                                          : find_text(where, part);
  if (found != string_view::npos) {
    return static_cast<std::int64_t>(count_code_points(string_view(text.utf8).substr(0, begin + found)));
  }
  if (kMustBeThere) runtime.fail("expected a part that the str has but got another");
  return std::int64_t{-1};
}

Value count(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Bound bound(runtime, "count()", arguments, {"sub", "start", "end"}, 1);
  const std::string& part = expect_text(runtime, *bound[0], "a str to count");
  std::size_t begin = 0;
  const string_view text = part_of(*as_text(self), bound, 1, begin);
  runtime.work(text_of(self).size());
  if (is_behind_end(*as_text(self), bound, 1)) return std::int64_t{0};
  if (part.empty()) return static_cast<std::int64_t>(count_code_points(text)) + 1;
  std::int64_t number = 0;
  for (std::size_t at = find_text(text, part); at != string_view::npos; at = find_text(text, part, at + part.size())) {
    ++number;
  }
  return number;
}

Value replace(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Bound bound(runtime, "replace()", arguments, {"old", "new", "count"}, 2);
  const std::string& old_part = expect_text(runtime, *bound[0], "a str to replace");
  const std::string& new_part = expect_text(runtime, *bound[1], "a str to put in");
  return replace_text(runtime, text_of(self), old_part, new_part, bound.integer(2, -1));
}

template <bool kRight>
Value split(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Bound bound(runtime, "split()", arguments, {"sep", "maxsplit"});
  return split_text(runtime, text_of(self), bound.get(0, None{}), bound.integer(1, -1), kRight);
}

Value splitlines(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Bound bound(runtime, "splitlines()", arguments, {"keepends"});
  std::vector<Value> lines;
  for (std::string& line : split_lines(runtime, text_of(self), bound.truth(0)))
    lines.push_back(runtime.text(std::move(line)));
  return runtime.list(std::move(lines));
}

template <bool kRight>
Value partition(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Bound bound(runtime, "partition()", arguments, {"sep"}, 1);
  const std::string& separator = expect_text(runtime, *bound[0], "a str to split at");
  if (separator.empty()) runtime.fail("expected a separator but got an empty one");
  const std::string& text = text_of(self);
  runtime.work(text.size());
  const std::size_t at = kRight ? rfind_text(runtime, text, separator) : find_text(text, separator);
  const Value nothing = runtime.text("");
  if (at == std::string::npos) {
    return kRight ? runtime.tuple({nothing, nothing, self}) : runtime.tuple({self, nothing, nothing});
  }
  return runtime.tuple({runtime.text(text.substr(0, at)), *bound[0], runtime.text(text.substr(at + separator.size()))});
}

Value remove_prefix(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Bound bound(runtime, "removeprefix()", arguments, {"prefix"}, 1);
  const std::string& prefix = expect_text(runtime, *bound[0], "a str to remove");
  runtime.work(text_of(self).size());
  return text_of(self).starts_with(prefix) ? runtime.text(text_of(self).substr(prefix.size())) : self;
}

Value remove_suffix(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Bound bound(runtime, "removesuffix()", arguments, {"suffix"}, 1);
  const std::string& suffix = expect_text(runtime, *bound[0], "a str to remove");
  runtime.work(text_of(self).size());
  const std::string& text = text_of(self);
  return text.ends_with(suffix) ? runtime.text(text.substr(0, text.size() - suffix.size())) : self;
}

Value join(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Bound bound(runtime, "join()", arguments, {"iterable"}, 1);
  std::string out;
  bool first = true;
  Cursor cursor(runtime, *bound[0]);
  for (Value item; cursor.next(item);) {
    const std::string& part = expect_text(runtime, item, "strs to join");
    runtime.grow(out.size(), part.size() + text_of(self).size());
    if (!first) out += text_of(self);
    out += part;
    first = false;
  }
  return runtime.text(std::move(out));
}

Value format(Runtime& runtime, const Value& self, const Arguments& arguments) {
  return brace_format(runtime, text_of(self), arguments);
}

enum class Side { left, right, both };
template <Side kSide>
Value justify(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Bound bound(runtime, "a method of str", arguments, {"width", "fillchar"}, 1);
  const std::string fill = bound.text(1, " ");
  if (count_code_points(fill) != 1)
    runtime.fail("expected one character to fill with but got ", count_code_points(fill));
  const std::int64_t width = bound.integer(0, 0);
  const auto length = static_cast<std::int64_t>(as_text(self)->length);
  if (width <= length) return self;
  const auto number = static_cast<std::size_t>(width - length);
  runtime.reserve(std::max(number, number * fill.size()));
  // Python's center puts the odd one to the left when the width is odd.
  const std::size_t half = number / 2 + (number & static_cast<std::size_t>(width) & 1);
  const std::size_t before = kSide == Side::left ? 0 : kSide == Side::right ? number : half;
  std::string out;
  for (std::size_t i = 0; i < before; ++i) out += fill;
  out += text_of(self);
  for (std::size_t i = before; i < number; ++i) out += fill;
  return runtime.text(std::move(out));
}

Value zero_fill(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Bound bound(runtime, "zfill()", arguments, {"width"}, 1);
  const std::string& text = text_of(self);
  const std::int64_t width = bound.integer(0, 0);
  const auto length = static_cast<std::int64_t>(as_text(self)->length);
  if (width <= length) return self;
  const auto missing = static_cast<std::size_t>(width - length);
  runtime.reserve(missing);
  const bool has_sign = text.starts_with('+') || text.starts_with('-');
  return runtime.text(std::string(text).insert(has_sign ? 1 : 0, missing, '0'));
}

struct Entry {
  string_view name;
  Method method;
};
constexpr Entry kMethods[] = {
    {"capitalize", mapped<capitalize>},
    {"center", justify<Side::both>},
    {"count", count},
    {"endswith", starts_or_ends<false>},
    {"find", find_part<false, false>},
    {"format", format},
    {"index", find_part<false, true>},
    {"isalnum", all_are<is_alphanumeric>},
    {"isalpha", all_are<is_alpha>},
    {"isascii", is_ascii},
    {"isdecimal", all_are<is_decimal>},
    {"isdigit", all_are<is_digit>},
    {"islower", is_case<false>},
    {"isspace", all_are<is_space>},
    {"istitle", is_title_case},
    {"isupper", is_case<true>},
    {"join", join},
    {"ljust", justify<Side::left>},
    {"lower", mapped<to_lower>},
    {"lstrip", strip<true, false>},
    {"partition", partition<false>},
    {"removeprefix", remove_prefix},
    {"removesuffix", remove_suffix},
    {"replace", replace},
    {"rfind", find_part<true, false>},
    {"rindex", find_part<true, true>},
    {"rjust", justify<Side::right>},
    {"rpartition", partition<true>},
    {"rsplit", split<true>},
    {"rstrip", strip<false, true>},
    {"split", split<false>},
    {"splitlines", splitlines},
    {"startswith", starts_or_ends<true>},
    {"strip", strip<true, true>},
    {"title", mapped<to_title>},
    {"upper", mapped<to_upper>},
    {"zfill", zero_fill},
};

}  // namespace

Method find_str_method(string_view name) {
  const auto* found =
      std::find_if(std::begin(kMethods), std::end(kMethods), [&](const Entry& entry) { return entry.name == name; });
  return found == std::end(kMethods) ? nullptr : found->method;
}

}  // namespace xlstm::text::jinja
