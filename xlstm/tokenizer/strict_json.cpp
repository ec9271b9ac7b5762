#include "xlstm/tokenizer/strict_json.h"

#include <vector>

#include "xlstm/base/error.h"

namespace xlstm::tokenizer {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxValues = 8'000'000;  // the largest public tokenizer.json holds 2 million
constexpr std::size_t kMaxDepth = 32;

/// Builds the document and checks what nlohmann's own builder lets pass.
class StrictBuilder : public nlohmann::json_sax<json> {
 public:
  explicit StrictBuilder(std::string_view name) : name_(name) {}
  json take() { return std::move(root_); }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(json::object()); }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    if (open_.back()->contains(name)) {
      fail(ErrorCode::corrupt_file, name_, "expected each key once in an object but got ", in_quotes(name), " twice");
    }
    key_ = std::move(name);
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const json::exception&) override {
    fail(ErrorCode::corrupt_file, name_, "expected JSON but got a syntax error at byte ", position);
  }

 private:
  template <class Value>
  bool add(Value&& value) {
    place(json(std::forward<Value>(value)));
    return true;
  }
  bool open(json value) {
    open_.push_back(&place(std::move(value)));
    if (open_.size() > kMaxDepth) {
      fail(ErrorCode::corrupt_file, name_, "expected at most ", kMaxDepth, " nested levels of JSON but got more");
    }
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }
  json& place(json value) {
    if (++num_values_ > kMaxValues) {
      fail(ErrorCode::corrupt_file, name_, "expected at most ", kMaxValues, " JSON values but got more");
    }
    if (open_.empty()) return root_ = std::move(value);
    json& parent = *open_.back();
    if (parent.is_object()) return parent[key_] = std::move(value);
    parent.push_back(std::move(value));
    return parent.back();
  }

  std::string_view name_;
  json root_;
  std::vector<json*> open_;  // from the root down; a parent does not grow while its child is open
  std::string key_;
  std::size_t num_values_ = 0;
};

}  // namespace

json parse_strict_json(std::string_view text, std::string_view name) {
  if (text.size() > kMaxJsonBytes) {
    fail(ErrorCode::corrupt_file, name, "expected at most ", kMaxJsonBytes, " bytes of JSON but got ", text.size());
  }
  StrictBuilder builder(name);
  json::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t kMaxShown = 48;
  const bool cut = text.size() > kMaxShown;
  const json shown = std::string(text.substr(0, kMaxShown)) + (cut ? "..." : "");
  return shown.dump(-1, ' ', true, json::error_handler_t::replace);
}

}  // namespace xlstm::tokenizer
