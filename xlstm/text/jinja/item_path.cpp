#include "xlstm/text/jinja/item_path.h"

#include <charconv>

#include "xlstm/text/jinja/operators.h"
#include "xlstm/text/jinja/unicode.h"

namespace xlstm::text::jinja {

ItemPath::ItemPath(Runtime& runtime, const Value& attribute) {
  if (is_none(attribute)) return;
  if (as_text(attribute) == nullptr) {
    parts_.push_back(attribute);
    return;
  }
  const std::string& path = as_text(attribute)->utf8;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('.', begin), path.size());
    const std::string part = path.substr(begin, end - begin);
    begin = end + 1;
    const bool is_index = !part.empty() && part.find_first_not_of("0123456789") == std::string::npos;
    std::int64_t index = 0;
    if (!is_index) {
      parts_.push_back(runtime.text(part));
    } else if (std::from_chars(part.data(), part.data() + part.size(), index).ec == std::errc()) {
      parts_.emplace_back(index);
    } else {
      runtime.fail("expected an index of 64 bits but got ", part.substr(0, 48));
    }
  }
}

Value ItemPath::get(Runtime& runtime, const Value& item, const Value* otherwise) const {
  Value value = item;
  for (const Value& part : parts_) {
    value = get_item(runtime, value, part);
    if (otherwise != nullptr && is_undefined(value)) value = *otherwise;
  }
  return value;
}

Value without_case(Runtime& runtime, const Value& value) {
  const Text* text = as_text(value);
  return text == nullptr ? value : runtime.text(to_lower(text->utf8));
}

}  // namespace xlstm::text::jinja
