#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <set>
#include <sstream>
#include <string_view>
#include <vector>

#include "xlstm/checkpoint/json_document.h"
#include "xlstm/checkpoint/refuse.h"

namespace xlstm::checkpoint {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxYamlBytes = 64 << 10;  // real ones have two kilobytes; the parser is not made for strangers

template <std::size_t N>
bool is_one_of(std::string_view text, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

json number_or_string(const std::string& text) {
  const char* first = text.data() + (text.starts_with('+') ? 1 : 0);
  const char* last = text.data() + text.size();
  if (first == last || (*first != '-' && *first != '.' && (*first < '0' || *first > '9'))) return text;
  std::int64_t integer = 0;
  const auto whole = std::from_chars(first, last, integer);
  if (whole.ptr == last && whole.ec == std::errc()) return integer;
  double real = 0;
  const auto parsed = std::from_chars(first, last, real);
  if (parsed.ptr == last && parsed.ec == std::errc()) return real;
  return text;
}

// A plain scalar by YAML 1.1's rules, as far as configs use them.
json resolve_scalar(const std::string& text) {
  static constexpr std::array<std::string_view, 5> kNull = {"", "~", "null", "Null", "NULL"};
  static constexpr std::array<std::string_view, 9> kTrue = {"true", "True", "TRUE", "yes", "Yes",
                                                            "YES",  "on",   "On",   "ON"};
  static constexpr std::array<std::string_view, 9> kFalse = {"false", "False", "FALSE", "no", "No",
                                                             "NO",    "off",   "Off",   "OFF"};
  if (is_one_of(text, kNull)) return nullptr;
  if (is_one_of(text, kTrue)) return true;
  if (is_one_of(text, kFalse)) return false;
  return number_or_string(text);
}

class TreeBuilder : public YAML::EventHandler {
 public:
  explicit TreeBuilder(const std::string& file) : file_(file) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnAnchor(const YAML::Mark& mark, const std::string&) override { refuse_feature(mark, "an anchor"); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { refuse_feature(mark, "an alias"); }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { add(mark, anchor, nullptr); }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    check_tag(mark, tag);
    add(mark, anchor, tag == "!" ? json(value) : resolve_scalar(value));  // "!" marks a quoted scalar
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, json::array());
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, json::object());
  }
  void OnMapEnd() override { close(); }

  json take() { return std::move(root_); }

 private:
  struct Level {
    json value;
    std::string key;
    bool has_key = false;
  };

  [[noreturn]] void refuse_feature(const YAML::Mark& mark, std::string_view what) {
    refuse_corrupt(file_, "line ", mark.line + 1, ": expected plain YAML but got ", what);
  }

  void check_tag(const YAML::Mark& mark, const std::string& tag) {
    if (!tag.empty() && tag != "?" && tag != "!") refuse_feature(mark, "the tag " + quote(tag));
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, json container) {
    check_tag(mark, tag);
    if (anchor != YAML::NullAnchor) refuse_feature(mark, "an anchor");
    if (levels_.size() == kMaxDepth)
      refuse_feature(mark, "more than " + std::to_string(kMaxDepth) + " levels of nesting");
    if (!levels_.empty() && levels_.back().value.is_object() && !levels_.back().has_key)
      refuse_feature(mark, "a key that is not a scalar");
    levels_.push_back({std::move(container), {}, false});
  }

  void close() {
    json value = std::move(levels_.back().value);
    levels_.pop_back();
    attach(std::move(value));
  }

  void add(const YAML::Mark& mark, YAML::anchor_t anchor, json value) {
    if (anchor != YAML::NullAnchor) refuse_feature(mark, "an anchor");
    if (levels_.empty() || levels_.back().value.is_array() || levels_.back().has_key) return attach(std::move(value));
    Level& level = levels_.back();
    if (!value.is_string()) refuse_feature(mark, "a key that is not a string");
    level.key = value.get<std::string>();
    level.has_key = true;
    if (level.value.contains(level.key)) {
      refuse_corrupt(file_, "line ", mark.line + 1, ": expected every key once but got ", quote(level.key), " twice");
    }
  }

  void attach(json value) {
    if (levels_.empty()) {
      root_ = std::move(value);
    } else if (Level& level = levels_.back(); level.value.is_array()) {
      level.value.push_back(std::move(value));
    } else {
      level.value[level.key] = std::move(value);
      level.has_key = false;
    }
  }

  const std::string& file_;
  json root_;
  std::vector<Level> levels_;
};

}  // namespace

json parse_yaml(std::span<const std::byte> text, const std::string& file) {
  if (text.size() > kMaxYamlBytes)
    refuse_corrupt(file, "expected at most ", kMaxYamlBytes, " bytes of YAML but got ", text.size());
  std::istringstream stream(std::string(reinterpret_cast<const char*>(text.data()), text.size()));
  TreeBuilder builder(file);
  try {
    YAML::Parser parser(stream);
    if (!parser.HandleNextDocument(builder)) refuse_corrupt(file, "expected a YAML mapping but got an empty file");
    TreeBuilder rest(file);
    if (parser.HandleNextDocument(rest)) refuse_corrupt(file, "expected one YAML document but got several");
  } catch (const YAML::Exception& error) {
    refuse_corrupt(file, "expected YAML but got ", one_line(error.what()));
  }
  json root = builder.take();
  if (!root.is_object()) refuse_corrupt(file, "expected a YAML mapping but got ", root.type_name());
  return root;
}

}  // namespace xlstm::checkpoint
