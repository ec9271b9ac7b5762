#include "xlstm/checkpoint/json_document.h"

#include <set>
#include <string_view>
#include <vector>

#include "xlstm/checkpoint/refuse.h"

namespace xlstm::checkpoint {
namespace {

using nlohmann::json;

// Watches the parser: how deep it is, and which keys the open objects have.
class Guard {
 public:
  explicit Guard(const std::string& file) : file_(file) {}

  bool operator()(int depth, json::parse_event_t event, const json& value) {
    if (depth > kMaxDepth) refuse_corrupt(file_, "expected at most ", kMaxDepth, " levels of nesting but got more");
    if (event == json::parse_event_t::object_start) keys_.emplace_back();
    if (event == json::parse_event_t::object_end) keys_.pop_back();
    if (event == json::parse_event_t::key) check_key(value.get_ref<const std::string&>());
    return true;
  }

 private:
  void check_key(const std::string& key) {
    if (!keys_.back().insert(key).second)
      refuse_corrupt(file_, "expected every key once but got ", quote(key), " twice");
  }

  const std::string& file_;
  std::vector<std::set<std::string>> keys_;
};

}  // namespace

std::string describe(const json::exception& error) {
  const std::string_view text = error.what();  // "[json.exception.parse_error.101] parse error at ..."
  const std::size_t end = text.find("] ");
  return one_line(end == std::string_view::npos ? text : text.substr(end + 2));
}

json parse_json(std::span<const std::byte> text, const std::string& file, std::size_t max_bytes) {
  if (text.size() > max_bytes) {
    refuse_corrupt(file, "expected at most ", max_bytes, " bytes of JSON but got ", text.size());
  }
  const auto* begin = reinterpret_cast<const char*>(text.data());
  Guard guard(file);
  json root;
  try {
    root = json::parse(begin, begin + text.size(), std::ref(guard));
  } catch (const json::exception& error) {
    refuse_corrupt(file, "expected JSON but got a ", describe(error));
  }
  if (!root.is_object()) refuse_corrupt(file, "expected a JSON object but got ", root.type_name());
  return root;
}

}  // namespace xlstm::checkpoint
