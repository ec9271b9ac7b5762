#include "xlstm/text/jinja/text_ops.h"

#include <algorithm>
#include <cstring>

#include "xlstm/text/jinja/operators.h"
#include "xlstm/text/jinja/unicode.h"

namespace xlstm::text::jinja {
namespace {

using std::string_view;

constexpr bool is_line_end(char32_t code) {
  return (code >= 0x0a && code <= 0x0d) || (code >= 0x1c && code <= 0x1e) || code == 0x85 || code == 0x2028 ||
         code == 0x2029;
}

// Bytes of the word, of anything but blanks, at the beginning or at the end of a text.
std::size_t word_size(string_view text, bool at_end) {
  std::size_t word = 0;
  for (std::size_t place = 0; place < text.size();) {
    const std::size_t begin = place;
    const bool blank = is_space(read_code_point(text, place));
    if (blank && !at_end) return begin;
    if (blank) word = place;
  }
  return text.size() - word;
}

std::vector<string_view> split_at_blanks(Runtime& runtime, string_view text, std::int64_t max_splits) {
  std::vector<string_view> parts;
  for (text = strip_left(text, nullptr); !text.empty() && max_splits != 0; --max_splits) {
    const std::size_t size = word_size(text, false);
    runtime.work(size);
    parts.push_back(text.substr(0, size));
    text = strip_left(text.substr(size), nullptr);
  }
  if (!text.empty()) parts.push_back(text);
  return parts;
}

std::vector<string_view> rsplit_at_blanks(Runtime& runtime, string_view text, std::int64_t max_splits) {
  std::vector<string_view> parts;
  for (text = strip_right(text, nullptr); !text.empty() && max_splits != 0; --max_splits) {
    runtime.work(text.size());
    const std::size_t size = word_size(text, true);
    parts.push_back(text.substr(text.size() - size));
    text = strip_right(text.substr(0, text.size() - size), nullptr);
  }
  if (!text.empty()) parts.push_back(text);
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<string_view> split_at(Runtime& runtime, string_view text, string_view separator, std::int64_t max_splits) {
  std::vector<string_view> parts;
  std::size_t at = 0;
  while (max_splits-- != 0 && (at = find_text(text, separator)) != string_view::npos) {
    runtime.work(at);
    parts.push_back(text.substr(0, at));
    text = text.substr(at + separator.size());
  }
  parts.push_back(text);
  return parts;
}

std::vector<string_view> rsplit_at(Runtime& runtime, string_view text, string_view separator, std::int64_t max_splits) {
  std::vector<string_view> parts;
  std::size_t at = 0;
  while (max_splits-- != 0 && (at = rfind_text(runtime, text, separator)) != string_view::npos) {
    runtime.work(text.size() - at);
    parts.push_back(text.substr(at + separator.size()));
    text = text.substr(0, at);
  }
  parts.push_back(text);
  std::reverse(parts.begin(), parts.end());
  return parts;
}

// A text has a case when it has letters of it, and none of the other.
bool is_case(string_view text, bool (*wanted)(char32_t), bool (*other)(char32_t)) {
  bool any = false;
  for (std::size_t place = 0; place < text.size();) {
    const char32_t code = read_code_point(text, place);
    if (other(code) || is_title(code)) return false;
    any = any || wanted(code);
  }
  return any;
}

}  // namespace

Value strip_text(Runtime& runtime, string_view text, const Value& characters, bool left, bool right) {
  const std::string* strip =
      is_none(characters) ? nullptr : &expect_text(runtime, characters, "a str of characters to strip");
  // Each character of the text may be looked for among all of those.
  if (strip != nullptr) runtime.work(std::min(text.size(), std::size_t{1} << 20) * (1 + strip->size() / 64));
  runtime.work(text.size());
  if (left) text = strip_left(text, strip);
  if (right) text = strip_right(text, strip);
  return runtime.text(std::string(text));
}

Value replace_text(Runtime& runtime, const std::string& text, const std::string& old_part, const std::string& new_part,
                   std::int64_t count) {
  runtime.work(text.size());
  std::string out;
  std::size_t place = 0;
  const auto put = [&](string_view part) {
    runtime.grow(out.size(), part.size());
    out += part;
  };
  // An empty part is found before every character and at the end.
  while (count-- != 0) {
    const std::size_t at = old_part.empty() ? place : find_text(text, old_part, place);
    if (at == std::string::npos) break;
    put(string_view(text).substr(place, at - place));
    put(new_part);
    place = at + old_part.size();
    if (!old_part.empty()) continue;
    if (place == text.size()) return runtime.text(std::move(out));
    const std::size_t size = code_point_size(text[place]);
    put(string_view(text).substr(place, size));
    place += size;
  }
  put(string_view(text).substr(place));
  return runtime.text(std::move(out));
}

Value split_text(Runtime& runtime, string_view text, const Value& separator, std::int64_t max_splits, bool from_right) {
  runtime.work(text.size());
  std::vector<string_view> parts;
  if (is_none(separator)) {
    parts = from_right ? rsplit_at_blanks(runtime, text, max_splits) : split_at_blanks(runtime, text, max_splits);
  } else {
    const std::string& at = expect_text(runtime, separator, "a str to split at");
    if (at.empty()) runtime.fail("expected a separator but got an empty one");
    parts = from_right ? rsplit_at(runtime, text, at, max_splits) : split_at(runtime, text, at, max_splits);
  }
  std::vector<Value> items;
  for (const string_view part : parts) items.push_back(runtime.text(std::string(part)));
  return runtime.list(std::move(items));
}

std::vector<std::string> split_lines(Runtime& runtime, string_view text, bool keep_ends) {
  runtime.reserve(text.size());
  std::vector<std::string> lines;
  std::size_t begin = 0;
  for (std::size_t place = 0; place < text.size();) {
    const std::size_t end = place;
    const char32_t code = read_code_point(text, place);
    if (!is_line_end(code)) continue;
    runtime.reserve(sizeof(std::string));
    if (code == '\r' && place < text.size() && text[place] == '\n') ++place;
    lines.emplace_back(text.substr(begin, (keep_ends ? place : end) - begin));
    begin = place;
  }
  if (begin < text.size()) lines.emplace_back(text.substr(begin));
  return lines;
}

std::size_t find_text(string_view text, string_view part, std::size_t from) {
  // std::string's own search is quadratic at worst.
  const void* found = ::memmem(text.data() + from, text.size() - from, part.data(), part.size());
  return found == nullptr ? string_view::npos : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

std::size_t rfind_text(Runtime& runtime, string_view text, string_view part) {
  // In pieces from the end: each is paid for before it is searched.
  constexpr std::size_t kPiece = 4096;
  for (std::size_t end = text.size(); end >= part.size();) {
    const std::size_t begin = end - part.size() > kPiece ? end - part.size() - kPiece : 0;
    runtime.steps(1 + (end - part.size() - begin) / 64 * (1 + part.size() / 64));
    const std::size_t found = text.substr(begin, end - begin).rfind(part);
    if (found != string_view::npos) return begin + found;
    if (begin == 0) break;
    end = begin + part.size() - 1;  // a match that begins before `begin` ends before this or at it
  }
  return string_view::npos;
}

bool is_upper_text(string_view text) { return is_case(text, is_upper, is_lower); }
bool is_lower_text(string_view text) { return is_case(text, is_lower, is_upper); }

}  // namespace xlstm::text::jinja
